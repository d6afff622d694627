/**
 * How many routes a peer may send, per family, and what becomes of one that sends more: a leak of somebody's whole
 * table must not take this machine's memory or its neighbours' routes with it.
 *
 * What counts is what the session that stands has said: routes that are only kept from the one before it (RFC 4724)
 * do not, or a peer that comes back renumbered would trip over its own past.
 */
import { seconds, type Cancel, type Clock } from '../../clock/clock.ts';
import { CEASE, maximumPrefixesData } from '../wire/notification.ts';
import type { Family } from '../wire/types.ts';
import type { SpeakerEvent } from './ports.ts';
import type { Session } from './session.ts';

export interface PrefixLimit {
  readonly max: number;
  /** `received`: every route, whatever import makes of it (default). `accepted`: what import policy lets through. */
  readonly count?: 'received' | 'accepted';
  /** A warning goes out at so many percent of `max`, 1 to 100; default 75. */
  readonly warnPercent?: number;
  /**
   * Above `max`: `warn` only says so. `reject` takes no further route, and asks the peer for its table again once
   * there is room. `restart` and `shutdown` end the session with Cease 1 (RFC 4486): until some time has passed, or
   * until somebody raises the limit.
   */
  readonly action: 'warn' | 'reject' | 'restart' | 'shutdown';
  /** For `restart`; default 900. */
  readonly restartSeconds?: number;
}

export type PrefixLimits = Partial<Record<Family, PrefixLimit>>;

export interface PrefixLimitStatus {
  readonly family: Family;
  readonly limit: PrefixLimit;
  readonly count: number;
  /** Routes not taken since the limit was reached. */
  readonly refused: number;
  readonly state: 'below' | 'warned' | 'exceeded';
}

export interface HeldDown {
  readonly family: Family;
  readonly reason: string;
  /** Milliseconds of the clock; undefined: until somebody does something. */
  readonly until: number | undefined;
}

/** Routes of the session that stands, per family. */
export type RouteCount = (family: Family) => {
  readonly received: number;
  readonly accepted: number;
  /** Two import policies have judged them: what is accepted says nothing until one has. */
  readonly judging: boolean;
};

export const DEFAULT_WARN_PERCENT = 75;
export const DEFAULT_RESTART_SECONDS = 900;

/** What happened is over, and may be told again, once the count is down to this part of what it had reached. */
const FORGET_AT = 0.9;

interface Watch {
  readonly limit: PrefixLimit;
  warned: boolean;
  exceeded: boolean;
  refused: number;
}

export class PrefixLimiter {
  readonly #peer: string;
  readonly #session: Session;
  readonly #clock: Clock;
  readonly #count: RouteCount;
  readonly #tell: (event: SpeakerEvent) => void;
  readonly #watches = new Map<Family, Watch>();
  #key = '';
  #held: HeldDown | undefined;
  #restart: Cancel | undefined;

  constructor(
    peer: string,
    session: Session,
    clock: Clock,
    count: RouteCount,
    tell: (event: SpeakerEvent) => void,
  ) {
    this.#peer = peer;
    this.#session = session;
    this.#clock = clock;
    this.#count = count;
    this.#tell = tell;
  }

  /** A session that was held down by other limits gets another chance. Call {@link check} after. */
  configure(limits: PrefixLimits | undefined): void {
    const key = JSON.stringify(limits ?? {});
    if (key === this.#key) return;
    this.#key = key;
    this.#watches.clear();
    for (const [family, limit] of Object.entries(limits ?? {}) as [Family, PrefixLimit][])
      this.#watches.set(family, { limit, warned: false, exceeded: false, refused: 0 });
    this.release();
  }

  /** The session is kept from coming up, and why. */
  get held(): HeldDown | undefined {
    return this.#held;
  }

  /** Lets a session that is held down try again now. */
  release(): void {
    this.#restart?.();
    this.#restart = undefined;
    if (this.#held === undefined) return;
    this.#held = undefined;
    this.#session.start();
  }

  /** The session ended: what it had sent counts no more. */
  down(): void {
    for (const watch of this.#watches.values())
      Object.assign(watch, { warned: false, exceeded: false, refused: 0 });
  }

  /** The peer is gone for good. */
  close(): void {
    this.#restart?.();
    this.#restart = undefined;
    this.#held = undefined;
  }

  /** Routes have to be asked about one by one: {@link admits} before, {@link overflows} after each. */
  refuses(family: Family): boolean {
    return this.#watches.get(family)?.limit.action === 'reject';
  }

  /** @param known  the session has sent a route of this key before: another one takes no more room */
  admits(family: Family, known: () => boolean): boolean {
    const watch = this.#watches.get(family);
    if (watch === undefined || watch.limit.action !== 'reject' || countsAccepted(watch.limit)) return true;
    if (this.#count(family).received < watch.limit.max || known()) return true;
    watch.refused++;
    return false;
  }

  /** The route that was just taken was one too many, and has to go again. */
  overflows(family: Family): boolean {
    const watch = this.#watches.get(family);
    if (watch === undefined || watch.limit.action !== 'reject' || !countsAccepted(watch.limit)) return false;
    const { accepted, judging } = this.#count(family);
    if (judging || accepted <= watch.limit.max) return false;
    watch.refused++;
    return true;
  }

  /** After every UPDATE, and once a change of import policy has been carried out. */
  check(): void {
    if (this.#held !== undefined) return;
    for (const [family, watch] of this.#watches) {
      if (countsAccepted(watch.limit) && this.#count(family).judging) continue;
      const count = this.#countOf(family, watch.limit);
      this.#checkOne(family, watch, count);
      if (this.#held !== undefined) return;
    }
  }

  status(): PrefixLimitStatus[] {
    return [...this.#watches].map(([family, { limit, warned, exceeded, refused }]) => ({
      family,
      limit,
      count: this.#countOf(family, limit),
      refused,
      state: exceeded ? 'exceeded' : warned ? 'warned' : 'below',
    }));
  }

  #countOf(family: Family, limit: PrefixLimit): number {
    const { received, accepted } = this.#count(family);
    return countsAccepted(limit) ? accepted : received;
  }

  #checkOne(family: Family, watch: Watch, count: number): void {
    const { limit } = watch;
    const threshold = Math.max(1, Math.ceil((limit.max * (limit.warnPercent ?? DEFAULT_WARN_PERCENT)) / 100));
    const exceeds = count > limit.max || watch.refused > 0;
    if (exceeds && !watch.exceeded) {
      watch.exceeded = true;
      watch.warned = true;
      this.#exceeded(family, limit, count);
    } else if (count >= threshold && !watch.warned) {
      watch.warned = true;
      this.#tell({ type: 'prefix-limit-warning', peer: this.#peer, family, count, max: limit.max });
    } else if (watch.exceeded && count <= Math.floor(limit.max * FORGET_AT))
      this.#below(family, watch, count);
    if (watch.warned && !watch.exceeded && count <= Math.floor(threshold * FORGET_AT)) watch.warned = false;
  }

  #exceeded(family: Family, limit: PrefixLimit, count: number): void {
    const { max, action } = limit;
    const ends = action === 'restart' || action === 'shutdown';
    this.#tell({ type: 'prefix-limit-exceeded', peer: this.#peer, family, count, max, action });
    if (!ends) return;
    const wait = action === 'restart' ? seconds(limit.restartSeconds ?? DEFAULT_RESTART_SECONDS) : undefined;
    this.#held = {
      family,
      reason: `more than ${max} ${family} routes ${limit.count ?? 'received'}`,
      until: wait === undefined ? undefined : this.#clock.now() + wait,
    };
    if (wait !== undefined)
      this.#restart = this.#clock.after(wait, `${this.#peer}: prefix limit`, () => this.release());
    this.#session.stop(CEASE.maximumPrefixes, maximumPrefixesData(family, max));
  }

  /** There is room again; what was refused meanwhile only the peer knows. */
  #below(family: Family, watch: Watch, count: number): void {
    const { refused, limit } = watch;
    watch.exceeded = false;
    watch.refused = 0;
    this.#tell({ type: 'prefix-limit-cleared', peer: this.#peer, family, count, max: limit.max });
    if (refused > 0) this.#session.requestRefresh(family);
  }
}

function countsAccepted(limit: PrefixLimit): boolean {
  return limit.count === 'accepted';
}
