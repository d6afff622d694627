/**
 * Runs the garbage collector of IPAM in one agent of the cluster, the one that holds the lease. Agents look at the lease
 * seldom: nothing that is collected is urgent, and thousands of them ask. Whoever becomes the leader begins every grace
 * period anew.
 */
import { hostname } from 'node:os';
import {
  type KubeControllersConfiguration,
  type Node,
  parseDuration,
  type WorkloadEndpoint,
} from '../api/index.ts';
import { type Clock, type Millis, seconds } from '../clock/clock.ts';
import type { Log } from '../daemon/log.ts';
import { type Entry, Mirror, type Store } from '../datastore/index.ts';
import {
  type Collected,
  Collector,
  type FindingKind,
  type Look,
  type Users,
  usersOf,
} from '../ipam/gc/index.ts';
import { Lease } from './lease.ts';

export interface IpamCollectorOptions {
  readonly node: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Instead of what KubeControllersConfiguration says; 0 collects nothing, as in Calico. */
  readonly grace: Millis | undefined;
}

/** As Calico's controllers. */
const GRACE: Millis = seconds(900);

/** How often the holder renews its lease, and others look at it; the random part keeps thousands of them apart. */
const LEASE: Millis = seconds(300);
const ASK: Millis = seconds(45);
const ASK_SPREAD: Millis = seconds(30);

/** Looks per grace period, and how seldom and how often at most. */
const LOOKS = 3;
const LOOK_SELDOM: Millis = seconds(300);
const LOOK_OFTEN: Millis = seconds(5);

/** What has happened since the agent started; for metrics. */
export interface CollectorState {
  leader: boolean;
  looks: number;
  /** Seconds since 1970. */
  lastLook: number | undefined;
  held: number;
  readonly found: Map<FindingKind, number>;
  readonly done: Map<FindingKind, number>;
  readonly failed: Map<FindingKind, number>;
  doubts: readonly string[];
}

export class IpamCollector {
  readonly #options: IpamCollectorOptions;
  readonly #lease: Lease;
  readonly #stopping = new AbortController();
  readonly state: CollectorState = {
    leader: false,
    looks: 0,
    lastLook: undefined,
    held: 0,
    found: new Map(),
    done: new Map(),
    failed: new Map(),
    doubts: [],
  };
  /** As long as this agent is the leader: it remembers since when what was seen. */
  #collector: Collector | undefined;
  /** Who uses addresses, in all of the cluster: only the leader has to know. */
  #users: Mirror | undefined;
  #running: Promise<void> | undefined;

  constructor(options: IpamCollectorOptions) {
    this.#options = options;
    const { store, clock, node } = options;
    const identity = `${node}_${hostname()}_${process.pid}`;
    this.#lease = new Lease(store, clock, { name: 'ipam-garbage-collector', identity, duration: LEASE });
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Gives the lease back, so that another agent takes over at once. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.#users?.stop();
    try {
      await this.#lease.release();
    } catch (error) {
      this.#options.log.warn({ error: String(error) }, 'the lease of the IPAM collector runs out by itself');
    }
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    let nextAsk = clock.now() + Math.random() * ASK_SPREAD;
    let nextLook = -Infinity;
    while (!this.#stopping.signal.aborted) {
      const wait = Math.min(nextAsk, this.state.leader ? nextLook : Infinity) - clock.now();
      if (!(await this.#pause(wait))) return;
      try {
        if (clock.now() >= nextAsk) {
          nextAsk = clock.now() + ASK + Math.random() * ASK_SPREAD;
          await this.#ask();
        }
        if (this.state.leader && clock.now() >= nextLook) {
          nextLook = clock.now() + LOOK_OFTEN;
          nextLook = clock.now() + (await this.#lookOnce());
        }
      } catch (error) {
        this.#options.log.warn({ error: String(error) }, 'the IPAM collector cannot go on; it tries again');
      }
    }
  }

  /** @returns false when it is time to stop */
  async #pause(delay: Millis): Promise<boolean> {
    const { signal } = this.#stopping;
    if (signal.aborted) return false;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#options.clock.after(Math.max(0, delay), 'collect the garbage of IPAM', resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
    cancel();
    return !signal.aborted;
  }

  async #ask(): Promise<void> {
    const { log } = this.#options;
    const before = this.state.leader;
    try {
      this.state.leader = await this.#lease.renew();
    } finally {
      this.state.leader = this.#lease.held;
      if (this.state.leader && !before) log.info({}, 'this agent collects the garbage of IPAM from now on');
      if (!this.state.leader && before) {
        log.info({ holder: this.#lease.holder }, 'another agent collects the garbage of IPAM from now on');
        this.#collector = undefined;
        await this.#users?.stop();
        this.#users = undefined;
      }
    }
  }

  /** @returns when to look again */
  async #lookOnce(): Promise<Millis> {
    const { store, clock } = this.#options;
    const grace = this.#options.grace ?? (await configuredGrace(store));
    if (grace === 0) return LOOK_SELDOM;
    const every = Math.max(LOOK_OFTEN, Math.min(LOOK_SELDOM, grace / LOOKS));
    const timing = { grace, longestGap: 2 * every + LOOK_SELDOM / 10 };
    this.#collector ??= new Collector(store, clock, Math.random, {
      ...timing,
      users: () => this.#usersNow(),
    });
    this.#collector.configure(timing);
    const look = await this.#collector.look();
    this.#tell(look);
    const collected = await this.#collector.collect(look.due, { mayGoOn: () => this.#mayGoOn() });
    for (const one of collected) this.#tellOne(one);
    return every;
  }

  /** As a mirror knows them, which may lag: before anything is released the collector asks the store itself. */
  async #usersNow(): Promise<Users> {
    this.#users ??= this.#followUsers();
    const mirror = this.#users;
    await new Promise<void>((resolve) => {
      const cancel = mirror.onSync(resolve);
      this.#stopping.signal.addEventListener('abort', () => (cancel(), resolve()), { once: true });
    });
    if (!mirror.synced) throw new Error('the agent stops');
    return usersOf(
      mirror.entries({ kind: 'Node' }) as Entry<Node>[],
      mirror.entries({ kind: 'WorkloadEndpoint' }) as Entry<WorkloadEndpoint>[],
    );
  }

  #followUsers(): Mirror {
    const { store, clock, log } = this.#options;
    const mirror = new Mirror(store, [{ kind: 'Node' }, { kind: 'WorkloadEndpoint' }], {
      clock,
      onError: (error, retryInMs) =>
        log.warn({ error: String(error), retryInMs }, 'the IPAM collector cannot follow the datastore'),
    });
    mirror.start();
    return mirror;
  }

  #mayGoOn(): boolean {
    return this.#lease.held && !this.#stopping.signal.aborted;
  }

  #tell({ findings, doubts, held }: Look): void {
    const { state } = this;
    state.looks++;
    state.lastLook = this.#options.clock.wall().getTime() / 1000;
    state.held = held;
    state.found.clear();
    for (const { kind } of findings) state.found.set(kind, (state.found.get(kind) ?? 0) + 1);
    for (const { code, what } of doubts) {
      if (!state.doubts.includes(code))
        this.#options.log.warn(
          { code },
          `the IPAM collector holds still: ${what}; see poplin ipam gc --dry-run`,
        );
    }
    state.doubts = doubts.map(({ code }) => code);
  }

  #tellOne({ finding, outcome, error }: Collected): void {
    const { log } = this.#options;
    const { kind, id, why } = finding;
    if (outcome === 'passed') return;
    const counts = this.state[outcome];
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    if (outcome === 'done') log.info({ kind, id, why }, 'put right in IPAM');
    else log.warn({ kind, id, why, error }, 'could not be put right in IPAM; it is tried again');
  }
}

async function configuredGrace(store: Store): Promise<Millis> {
  const entry = await store.get({ kind: 'KubeControllersConfiguration', scope: '', name: 'default' });
  const said = (entry?.value as KubeControllersConfiguration | undefined)?.spec.controllers?.node
    ?.leakGracePeriod;
  return said === undefined ? GRACE : (parseDuration(said) ?? GRACE);
}
