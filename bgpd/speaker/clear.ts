/**
 * What operators know as "clear": ends a session so that it comes up anew, or, softly, has routes told again on a session
 * that goes on. Applied policy never needs it (a changed filter judges stored routes again by itself).
 */
import type { Family } from '../wire/types.ts';
import type { Neighbour } from './neighbour.ts';
import type { Speaker } from './speaker.ts';

export const CLEAR_MODES = ['hard', 'soft', 'in', 'out'] as const;

/**
 * `hard`: the session ends with Cease 4 (administrative reset, RFC 4486) and starts at once, also where the idle hold or a
 * prefix limit kept it down. `in`: the peer is asked for its routes. `out`: it is told ours again. `soft`: both.
 */
export type ClearMode = (typeof CLEAR_MODES)[number];

export interface Cleared {
  readonly peer: string;
  /**
   * `reset`: was up or on its way. `released`: a prefix limit had held it down. `refreshed`: stands, and families were told
   * or asked for again. `not-established`: there is no session to do it on, and the next one begins with everything.
   */
  readonly outcome: 'reset' | 'released' | 'refreshed' | 'not-established';
  /** Asked for with ROUTE-REFRESH (RFC 2918). */
  readonly asked: readonly Family[];
  /** Import judged what is stored again, as the peer does not know ROUTE-REFRESH. */
  readonly judged: readonly Family[];
  /** Told again. */
  readonly told: readonly Family[];
}

const ADMINISTRATIVE_RESET = 4;
const NONE = { asked: [], judged: [], told: [] } as const;

/** @param family  for the soft ones; undefined: all that the session carries */
export function clearPeer(speaker: Speaker, neighbour: Neighbour, mode: ClearMode, family?: Family): Cleared {
  const { name: peer } = neighbour;
  if (mode === 'hard') return { peer, outcome: reset(neighbour), ...NONE };
  const { negotiated, session } = neighbour;
  if (negotiated === undefined) return { peer, outcome: 'not-established', ...NONE };
  const families = negotiated.families.filter((each) => family === undefined || each === family);
  const inward = mode === 'out' ? [] : families;
  const told = mode === 'in' ? [] : families;
  const asked = negotiated.routeRefresh ? inward : [];
  const judged = negotiated.routeRefresh ? [] : inward;
  for (const each of asked) session.requestRefresh(each);
  if (judged.length > 0) neighbour.reimport();
  for (const each of told) speaker.refresh(session, each);
  return { peer, outcome: 'refreshed', asked, judged, told };
}

function reset({ limits, session }: Neighbour): 'reset' | 'released' {
  if (limits.held !== undefined) {
    limits.release();
    return 'released';
  }
  session.stop(ADMINISTRATIVE_RESET);
  session.start();
  return 'reset';
}
