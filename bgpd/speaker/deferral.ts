/**
 * What a restarting speaker waits for (RFC 4724 §4.1). With our old routes still in the kernel and our peers still
 * holding what we told them, acting on half a table would make both flap. So two things are put off, per family:
 *
 * - **selection**, and with it all we tell peers: until every peer has sent its End-of-RIB. Beyond a moment for its
 *   first routes, a peer without graceful restart is not waited for (it may never send the marker), nor one that says
 *   it is restarting itself (it may be waiting for ours; and FRR says so for minutes after its start).
 * - **the sweep** of adopted routes that no path has confirmed: until the peers that are restarting have sent the marker
 *   too. What they told us before our restart may still be true, and costs nothing to keep.
 *
 * Both end with the deferral timer at the latest, so a peer that is down for good holds nothing up for ever.
 */
import { seconds, type Cancel, type Clock } from '../../clock/clock.ts';
import { FAMILIES, type Family, type Negotiated } from '../wire/types.ts';

const FAMILY_NAMES = Object.keys(FAMILIES) as Family[];

export interface DeferralOptions {
  readonly deferralSeconds: number;
  /** How long the first routes of a peer may take whose End-of-RIB is not waited for. */
  readonly settleSeconds: number;
}

export interface DeferralEvents {
  /** Selection may begin. */
  released(family: Family, why: string): void;
  /** What nobody has confirmed is no longer true. */
  sweep(family: Family): void;
}

/** Peers not heard from, per family; a family that is absent waits for nobody any more. */
type Waiting = Map<Family, Set<string>>;

export class RestartDeferral {
  readonly #clock: Clock;
  readonly #options: DeferralOptions;
  readonly #events: DeferralEvents;
  readonly #selection: Waiting = new Map();
  readonly #sweep: Waiting = new Map();
  readonly #timers = new Set<Cancel>();

  constructor(clock: Clock, options: DeferralOptions, events: DeferralEvents) {
    this.#clock = clock;
    this.#options = options;
    this.#events = events;
  }

  /** Begins to wait for these peers. */
  begin(peers: readonly { readonly name: string; readonly families: readonly Family[] }[]): void {
    for (const family of FAMILY_NAMES) {
      const names = peers.filter((peer) => peer.families.includes(family)).map((peer) => peer.name);
      this.#selection.set(family, new Set(names));
      this.#sweep.set(family, new Set(names));
    }
    this.#after(this.#options.deferralSeconds, 'restart deferral', () => this.#expire());
    for (const family of FAMILY_NAMES) this.#conclude(family, 'no peer carries the family');
  }

  /** Selection is being put off: we are "restarting" to our peers (R bit). */
  get active(): boolean {
    return this.#selection.size > 0;
  }

  /** Peers whose End-of-RIB selection waits for. */
  waitingFor(family: Family): readonly string[] {
    return [...(this.#selection.get(family) ?? [])];
  }

  established(peer: string, negotiated: Negotiated): void {
    if (this.#sweep.size === 0) return;
    for (const family of FAMILY_NAMES) if (!negotiated.families.includes(family)) this.heard(peer, family);
    const restart = negotiated.gracefulRestart;
    if (restart !== undefined && !restart.restarting) return;
    this.#after(this.#options.settleSeconds, `first routes of ${peer}`, () => {
      for (const family of negotiated.families) {
        if (restart === undefined) this.heard(peer, family);
        else this.#selectWithout(peer, family);
      }
    });
  }

  /** The peer has said all it had to say about the family. */
  heard(peer: string, family: Family): void {
    this.#selection.get(family)?.delete(peer);
    this.#sweep.get(family)?.delete(peer);
    this.#conclude(family, 'heard from all peers');
  }

  /** The peer is no longer in the configuration. */
  removed(peer: string): void {
    for (const family of FAMILY_NAMES) this.heard(peer, family);
  }

  stop(): void {
    this.#selection.clear();
    this.#sweep.clear();
    this.#cancelTimers();
  }

  #selectWithout(peer: string, family: Family): void {
    this.#selection.get(family)?.delete(peer);
    this.#conclude(family, `heard from all peers but ${peer}, which is restarting too`);
  }

  #expire(): void {
    this.#cancelTimers();
    for (const family of FAMILY_NAMES) {
      const missing = this.waitingFor(family);
      this.#selection.get(family)?.clear();
      this.#sweep.get(family)?.clear();
      this.#conclude(family, `time is up, not heard: ${missing.join(', ')}`);
    }
  }

  #conclude(family: Family, why: string): void {
    if (this.#selection.get(family)?.size === 0) {
      this.#selection.delete(family);
      this.#events.released(family, why);
    }
    if (this.#sweep.get(family)?.size === 0) {
      this.#sweep.delete(family);
      this.#events.sweep(family);
    }
    if (this.#sweep.size === 0) this.#cancelTimers();
  }

  #after(delay: number, name: string, fire: () => void): void {
    this.#timers.add(this.#clock.after(seconds(delay), name, fire));
  }

  #cancelTimers(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }
}
