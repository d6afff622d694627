/** Pairs the two sides of every BGP session, so that a session counts only when both say Established. */
import type { Session } from './speaker.ts';

export interface SessionPair {
  readonly left: string;
  readonly right: string;
  readonly family: 4 | 6;
  readonly leftState: string;
  readonly rightState: string;
  readonly established: boolean;
}

/**
 * @param sessions  what each speaker says of its own
 * @param addresses  of each node; tells whose a neighbour's address is
 * @returns each pair once; a side that does not know the other is `missing`
 */
export function pairSessions(
  sessions: ReadonlyMap<string, readonly Session[]>,
  addresses: ReadonlyMap<string, ReadonlySet<string>>,
): SessionPair[] {
  const owner = new Map(
    [...addresses].flatMap(([node, own]) => [...own].map((address) => [address, node] as const)),
  );
  const sides = new Map<string, Session>();
  for (const [node, own] of sessions)
    for (const session of own) {
      const peer = owner.get(session.peer) ?? session.peer;
      sides.set(sideKey(node, peer, family(session.peer)), session);
    }
  const pairs: SessionPair[] = [];
  const seen = new Set<string>();
  for (const [key, session] of sides) {
    const [left = '', right = ''] = key.split(' ');
    const version = family(session.peer);
    const opposite = sideKey(right, left, version);
    if (seen.has(opposite)) continue;
    seen.add(key);
    const other = sides.get(opposite);
    pairs.push({
      left,
      right,
      family: version,
      leftState: session.state,
      rightState: other?.state ?? 'missing',
      established: session.established && other?.established === true,
    });
  }
  return pairs;
}

function sideKey(node: string, peer: string, version: 4 | 6): string {
  return `${node} ${peer} ${version}`;
}

function family(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}
