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
import { configureNode } from '../cluster/index.ts';
import { Fib, type FibEvent } from '../fib/fib.ts';
import type { SpeakerEvent } from '../speaker/ports.ts';
import { TcpSessions } from '../speaker/sessions.ts';
import { Speaker } from '../speaker/speaker.ts';
import { TcpTransport } from '../speaker/tcp.ts';
import { KernelTable } from './kernel-table.ts';
import { Listening } from './listening.ts';
import { SELECTIONS, World } from './world.ts';

export interface BgpdOptions {
  readonly node: string;
  readonly store: Store;
  readonly netlink: Netlink;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** Resources come in bursts (`poplin apply -f folder`): one configuration for all that arrives within this time. */
const GATHER_MS = 20;

export class Bgpd {
  readonly node: string;
  readonly clock: Clock;
  readonly speaker: Speaker;
  readonly fib: Fib;
  readonly startedAt: number;
  readonly #log: Log;
  readonly #mirror: Mirror;
  readonly #world = new World();
  readonly #listening: Listening;
  readonly #stopWatching: Cancel;
  #problems: readonly Problem[] = [];
  #gathering: Cancel | undefined;

  /** Reads the kernel's routes, then follows the datastore. @throws PoplinError where the kernel cannot be read */
  static async start(options: BgpdOptions): Promise<Bgpd> {
    const { clock, log, netlink } = options;
    const table = new KernelTable(netlink);
    const fib = await Fib.open(table, clock, { onEvent: (event) => logFib(log, event) });
    return new Bgpd(options, fib, table);
  }

  private constructor({ node, store, clock, random, log }: BgpdOptions, fib: Fib, table: KernelTable) {
    this.node = node;
    this.clock = clock;
    this.fib = fib;
    this.startedAt = clock.now();
    this.#log = log;
    this.#listening = new Listening(clock, (level, text) => log[level]({}, text));
    const sessions = new TcpSessions({
      clock,
      transport: new TcpTransport(clock),
      random,
      listener: this.#listening,
      log: (level, text, peer, data) => log[level]({ peer, ...data }, text),
    });
    this.speaker = new Speaker({
      clock,
      sessions,
      forwarding: fib,
      onEvent: (event) => logSpeaker(log, event),
    });
    this.#stopWatching = table.watch(fib);
    this.#mirror = new Mirror(store, SELECTIONS, {
      clock,
      onError: (error, retryInMs) =>
        log.warn({ retryInMs, error: String(error) }, 'the datastore cannot be read'),
    });
    this.#mirror.onChange((changes) => {
      this.#world.apply(changes);
      if (this.#mirror.synced) this.#gather();
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
    const { failure } = this.#listening;
    return failure === undefined ? this.#problems : [...this.#problems, cannotListen(failure)];
  }

  /** Leaves without a word: peers that know graceful restart keep our routes, and the kernel keeps theirs. */
  async stop(): Promise<void> {
    this.#gathering?.();
    this.speaker.stop('restart');
    this.#listening.close();
    this.#stopWatching();
    await this.#mirror.stop();
    await this.fib.close();
  }

  #gather(): void {
    this.#gathering ??= this.clock.after(GATHER_MS, 'configure', () => {
      this.#gathering = undefined;
      this.#configure();
    });
  }

  #configure(): void {
    const { configuration, problems } = configureNode(this.node, this.#world.resources());
    this.#noteProblems([...this.#world.problems, ...problems]);
    if (configuration === undefined) return;
    const { listen, speaker } = configuration;
    this.#listening.listenOn({ port: listen.port, addresses: listen.addresses?.map(String) });
    this.speaker.configure(speaker);
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

function cannotListen(failure: string): Problem {
  return {
    code: 'LISTEN_FAILED',
    what: failure,
    remedy: 'free the port, or set listenPort in BGPConfiguration',
  };
}

function logSpeaker(log: Log, event: SpeakerEvent): void {
  const { type, ...data } = event;
  log.info(data, type);
}

function logFib(log: Log, event: FibEvent): void {
  if (event.type === 'repaired')
    log.info({ routes: event.routes }, 'kernel routes were changed by others, and are being put right');
  else if (event.type === 'unavailable') log.error({ reason: event.reason }, 'the kernel cannot be reached');
  else log.warn({ prefix: event.prefix.toString(), reason: event.reason }, `route ${event.type}`);
}
