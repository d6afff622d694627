/**
 * One leader among the agents of a cluster: an object in the store that names it, written anew by compare-and-swap while it
 * lives. As client-go's leader election, it never compares clocks of two machines: a lease has run out when this process has
 * seen it unchanged for as long as it is valid, by its own monotonic clock. Times in the object are for people.
 *
 * A leader that is cut off stops by itself before anybody else begins: it counts from before its last successful write,
 * others from after it. What a leader does must be safe all the same when two do it for a moment.
 */
import type { Clock, Millis } from '../clock/clock.ts';
import type { Entry, Key, Store } from '../datastore/index.ts';

/** The fields and names of `coordination.k8s.io/v1` LeaseSpec. */
export interface LeaseSpec {
  /** Empty when the holder gave it back. */
  readonly holderIdentity: string;
  readonly leaseDurationSeconds: number;
  /** RFC 3339, by the holder's clock. */
  readonly acquireTime: string;
  readonly renewTime: string;
  /** How often it has passed from one holder to another. */
  readonly leaseTransitions: number;
}

export interface LeaseValue {
  readonly spec: LeaseSpec;
}

export interface LeaseOptions {
  readonly name: string;
  /** Of this process, not only of the node: two agents of one node are two. */
  readonly identity: string;
  /** How long others wait after they last saw it renewed. */
  readonly duration: Millis;
}

/** Part of the duration after which the holder itself no longer relies on a lease that it could not renew. */
const RELIED_ON = 2 / 3;

export class Lease {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #options: LeaseOptions;
  readonly #key: Key;
  /** What was last seen, and when it was first seen like that. */
  #seen: { readonly entry: Entry<LeaseValue>; readonly at: Millis } | undefined;
  /** Of the last write that succeeded: the moment before it was sent. */
  #renewed: Millis | undefined;

  constructor(store: Store, clock: Clock, options: LeaseOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#options = options;
    this.#key = { kind: 'Lease', scope: '', name: options.name };
  }

  /** Whether this process may act as the leader right now. */
  get held(): boolean {
    return (
      this.#renewed !== undefined && this.#clock.now() - this.#renewed < this.#options.duration * RELIED_ON
    );
  }

  /** As last seen; for people. */
  get holder(): string | undefined {
    return this.#seen?.entry.value.spec.holderIdentity;
  }

  /**
   * Renews the lease that we hold, or takes one that is free or has run out. To be called several times per duration.
   *
   * @returns {@link held}
   * @throws PoplinError when the store cannot be reached
   */
  async renew(): Promise<boolean> {
    const entry = (await this.#store.get(this.#key)) as Entry<LeaseValue> | undefined;
    const now = this.#clock.now();
    const before = entry?.value?.spec;
    if (entry === undefined) this.#seen = undefined;
    else if (this.#seen?.entry.revision !== entry.revision) this.#seen = { entry, at: now };
    const isOurs = before?.holderIdentity === this.#options.identity;
    if (!isOurs) this.#renewed = undefined;
    const isFree = before === undefined || before.holderIdentity === '';
    if (!isOurs && !isFree && now - (this.#seen?.at ?? now) < this.#validity(before)) return false;
    const committed = await this.#store.commit([
      {
        type: 'put',
        key: this.#key,
        value: { ...entry?.value, spec: this.#next(before, isOurs) },
        expect: entry === undefined ? 'absent' : { revision: entry.revision },
      },
    ]);
    if (!committed.ok) {
      this.#renewed = undefined;
      return false;
    }
    this.#renewed = now;
    return this.held;
  }

  /** Gives it back, so that another takes over at once. Does nothing when it is not ours. */
  async release(): Promise<void> {
    if (this.#renewed === undefined) return;
    this.#renewed = undefined;
    const entry = (await this.#store.get(this.#key)) as Entry<LeaseValue> | undefined;
    if (entry?.value.spec.holderIdentity !== this.#options.identity) return;
    const { revision, value } = entry;
    await this.#store.commit([
      {
        type: 'put',
        key: this.#key,
        value: { ...value, spec: { ...value.spec, holderIdentity: '', leaseDurationSeconds: 1 } },
        expect: { revision },
      },
    ]);
  }

  /** Another release may be configured otherwise: what it wrote holds, unless it is nonsense. */
  #validity({ leaseDurationSeconds }: LeaseSpec): Millis {
    const said = leaseDurationSeconds * 1000;
    return Number.isFinite(said) && said > 0 ? said : this.#options.duration;
  }

  #next(before: LeaseSpec | undefined, isOurs: boolean): LeaseSpec {
    const now = this.#clock.wall().toISOString();
    return {
      holderIdentity: this.#options.identity,
      leaseDurationSeconds: Math.ceil(this.#options.duration / 1000),
      acquireTime: isOurs && before !== undefined ? before.acquireTime : now,
      renewTime: now,
      leaseTransitions: (before?.leaseTransitions ?? -1) + (isOurs ? 0 : 1),
    };
  }
}
