/**
 * The daemon put together: datastore mirror -> cluster -> speaker -> kernel. Each arrow is one function; what is behind
 * it is in the other rooms.
 *
 * Nothing is configured before the mirror knows the whole world once, and nothing is taken down because the world
 * stopped making sense: then the last good configuration stays, and the problems are told.
 */
import { formatProblem, type Problem } from '../../api/index.ts';
import type { Cancel, Clock } from '../../clock/clock.ts';
import type { Log } from '../../daemon/log.ts';
import { Mirror, type Store } from '../../datastore/index.ts';
import type { Netlink } from '../../net/kernel/index.ts';
import { configureNode, type ClusterResources } from '../cluster/index.ts';
import { Engine } from './engine.ts';
import { Prelude } from './prelude.ts';
import { Secrets } from './secrets.ts';
import { selectionsOf, World } from './world.ts';

export interface BgpdOptions {
  readonly node: string;
  readonly store: Store;
  readonly netlink: Netlink;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Folder of Secrets, `NAME/KEY`; absent: there are none. */
  readonly secrets?: string;
  /** Before the first configuration of a reflector, see {@link Prelude}. Never rejects. Absent: nothing. */
  readonly rehearse?: () => Promise<unknown>;
}

/** Resources come in bursts (`poplin apply -f folder`): one configuration for all that arrives within this time. */
const GATHER_MS = 20;

export class Bgpd {
  readonly node: string;
  readonly engine: Engine;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #mirror: Mirror;
  readonly #world = new World();
  readonly #secrets: Secrets | undefined;
  readonly #prelude: Prelude;
  #stopped = false;
  #problems: readonly Problem[] = [];
  #gathering: Cancel | undefined;

  /** Reads the kernel's routes, then follows the datastore. @throws PoplinError where the kernel cannot be read */
  static async start(options: BgpdOptions): Promise<Bgpd> {
    return new Bgpd(options, await Engine.open({ ...options, observed: options.netlink }));
  }

  private constructor(
    { node, store, clock, log, secrets, rehearse = () => Promise.resolve() }: BgpdOptions,
    engine: Engine,
  ) {
    this.node = node;
    this.engine = engine;
    this.#clock = clock;
    this.#log = log;
    this.#prelude = new Prelude(rehearse, () => {
      if (!this.#stopped) this.#gather();
    });
    this.#secrets =
      secrets === undefined
        ? undefined
        : new Secrets(secrets, clock, () => {
            if (this.#mirror.synced) this.#gather();
          });
    this.#mirror = new Mirror(store, selectionsOf(node), {
      clock,
      onError: (error, retryInMs) =>
        log.warn({ retryInMs, error: String(error) }, 'the datastore cannot be read'),
      onHold: (held) =>
        log.warn(
          {},
          held
            ? 'a migration holds the datastore (datastoreReady is false); the configuration stays as it is'
            : 'the migration is over; the configuration follows the datastore again',
        ),
      // Peers keep the routes of who restarts for two minutes; a migration may take longer.
      startsHeld: true,
    });
    this.#mirror.onChange((changes) => {
      const matters = this.#world.apply(changes);
      if (matters && this.#mirror.synced) this.#gather();
    });
    this.#mirror.onSync(() => this.#gather());
    this.#mirror.start();
  }

  /** The whole world has been seen once. */
  get synced(): boolean {
    return this.#mirror.synced;
  }

  /** What is wrong with the resources, the port or the kernel at the moment. */
  get problems(): readonly Problem[] {
    return [...this.#problems, ...this.engine.problems];
  }

  /** Leaves without a word: peers that know graceful restart keep our routes, and the kernel keeps theirs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#gathering?.();
    this.#secrets?.stop();
    await this.#mirror.stop();
    await this.engine.stop('restart');
  }

  #gather(): void {
    this.#gathering ??= this.#clock.after(GATHER_MS, 'configure', () => {
      this.#gathering = undefined;
      this.#configure();
    });
  }

  #configure(): void {
    const { configuration, problems } = configureNode(this.node, this.#resources());
    this.#noteProblems([...this.#world.problems, ...problems]);
    if (configuration === undefined) return;
    const { listen, speaker, carriage } = configuration;
    if (!this.#prelude.isOver(speaker.peers.some(({ reflectorClient }) => reflectorClient === true))) return;
    // Before the routes: none shall be written the wrong way first.
    this.engine.fib?.carry(carriage);
    this.engine.configure(speaker, { port: listen.port, addresses: listen.addresses?.map(String) });
  }

  #resources(): ClusterResources {
    const secrets = this.#secrets;
    if (secrets === undefined) return this.#world.resources();
    secrets.forget();
    return { ...this.#world.resources(), secret: (name, key) => secrets.read(name, key) };
  }

  /** Each problem once, when it appears; and when it is gone. */
  #noteProblems(problems: readonly Problem[]): void {
    const before = new Set(this.#problems.map(formatProblem));
    const now = new Set(problems.map(formatProblem));
    for (const text of now) if (!before.has(text)) this.#log.warn({}, text);
    for (const text of before) if (!now.has(text)) this.#log.info({}, `no longer: ${text}`);
    this.#problems = problems;
  }
}
