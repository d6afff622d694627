/**
 * Route selection deferral of a restarting speaker (RFC 4724 §4.1): with our old routes still in the kernel and our
 * peers still holding what we told them, deciding on half a table would make both flap. So no decision until every peer
 * has sent its End-of-RIB, or time is up.
 *
 * Not waited for: a peer that is restarting itself (it waits for us), and, beyond a moment for its routes to arrive, one
 * without graceful restart (it may never send the marker). A peer that is down holds things up only until the timer.
 */
import { seconds, type Cancel, type Clock } from '../../clock/clock.ts';
import { FAMILIES, type Family, type Negotiated } from '../wire/types.ts';

const FAMILY_NAMES = Object.keys(FAMILIES) as Family[];

export interface DeferralOptions {
  readonly deferralSeconds: number;
  /** How long the first routes of a peer without End-of-RIB may take. */
  readonly settleSeconds: number;
}

export class SelectionDeferral {
  readonly #clock: Clock;
  readonly #options: DeferralOptions;
  readonly #released: (family: Family, why: string) => void;
  /** Family -> peers not heard from yet; a family that is absent is not deferred. */
  readonly #waiting = new Map<Family, Set<string>>();
  readonly #timers = new Set<Cancel>();

  constructor(clock: Clock, options: DeferralOptions, released: (family: Family, why: string) => void) {
    this.#clock = clock;
    this.#options = options;
    this.#released = released;
  }

  /** Begins to wait for these peers. Families without any are released at once. */
  begin(peers: readonly { readonly name: string; readonly families: readonly Family[] }[]): void {
    for (const family of FAMILY_NAMES) {
      const names = peers.filter((peer) => peer.families.includes(family)).map((peer) => peer.name);
      this.#waiting.set(family, new Set(names));
    }
    this.#after(this.#options.deferralSeconds, 'selection deferral', () => this.#expire());
    for (const family of FAMILY_NAMES) this.#releaseIfDone(family, 'no peer carries the family');
  }

  isDeferred(family: Family): boolean {
    return this.#waiting.has(family);
  }

  get active(): boolean {
    return this.#waiting.size > 0;
  }

  waitingFor(family: Family): readonly string[] {
    return [...(this.#waiting.get(family) ?? [])];
  }

  established(peer: string, negotiated: Negotiated): void {
    if (!this.active) return;
    for (const family of FAMILY_NAMES) {
      if (!negotiated.families.includes(family)) this.heard(peer, family);
    }
    const restart = negotiated.gracefulRestart;
    if (restart === undefined) this.#settleLater(peer, negotiated.families);
    else if (restart.restarting) for (const family of negotiated.families) this.heard(peer, family);
  }

  /** The peer has said all it had to say about the family, or is gone from the configuration. */
  heard(peer: string, family: Family): void {
    this.#waiting.get(family)?.delete(peer);
    this.#releaseIfDone(family, 'End-of-RIB from all peers');
  }

  removed(peer: string): void {
    for (const family of FAMILY_NAMES) this.heard(peer, family);
  }

  stop(): void {
    this.#waiting.clear();
    this.#cancelTimers();
  }

  #settleLater(peer: string, families: readonly Family[]): void {
    this.#after(this.#options.settleSeconds, `first routes of ${peer}`, () => {
      for (const family of families) this.heard(peer, family);
    });
  }

  #expire(): void {
    for (const family of FAMILY_NAMES) {
      const missing = this.waitingFor(family);
      if (this.#waiting.delete(family))
        this.#released(family, `time is up, not heard: ${missing.join(', ')}`);
    }
    this.#cancelTimers();
  }

  #releaseIfDone(family: Family, why: string): void {
    if (this.#waiting.get(family)?.size !== 0) return;
    this.#waiting.delete(family);
    this.#released(family, why);
    if (!this.active) this.#cancelTimers();
  }

  #after(delay: number, name: string, fire: () => void): void {
    this.#timers.add(this.#clock.after(seconds(delay), name, fire));
  }

  #cancelTimers(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }
}
