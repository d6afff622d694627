/**
 * What every BGP daemon of ours is made of, wherever its configuration comes from: sessions over TCP, the port that
 * peers connect to, the speaker, and the kernel's routing table where it is to be written.
 */
import type { Cancel, Clock } from '../../clock/clock.ts';
import type { Log } from '../../daemon/log.ts';
import type { Problem } from '../../api/problem.ts';
import type { Netlink } from '../../net/kernel/index.ts';
import { Fib } from '../fib/fib.ts';
import type { FibEvent } from '../fib/options.ts';
import type { SpeakerConfig } from '../speaker/config.ts';
import type { SpeakerEvent } from '../speaker/ports.ts';
import { TcpSessions } from '../speaker/sessions.ts';
import { Speaker } from '../speaker/speaker.ts';
import { TcpTransport } from '../speaker/tcp.ts';
import { KernelAddresses } from './kernel-addresses.ts';
import { KernelTable } from './kernel-table.ts';
import { limitedLog } from './limited-log.ts';
import { Listening, type Endpoint } from './listening.ts';
import {
  dialWithOptions,
  prepareListener,
  reopenSocket,
  setListenerPassword,
  setSocketHopLimits,
} from './sockets.ts';

export interface EngineOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Absent: routes are learned and told, and the machine's own table is left alone. */
  readonly netlink?: Netlink;
  /** Where the addresses of this machine's interfaces are read; absent: only those of the configuration are known. */
  readonly observed?: Netlink;
  /** See {@link ListenerOptions.stranger}. */
  readonly stranger?: (address: string) => void;
  /** Without a kernel to tell it: the process before us left peers that hold our routes. */
  readonly restarted?: boolean;
}

export class Engine {
  readonly clock: Clock;
  readonly speaker: Speaker;
  readonly fib: Fib | undefined;
  readonly startedAt: number;
  readonly #listening: Listening;
  readonly #addresses: KernelAddresses | undefined;
  readonly #stopWatching: Cancel | undefined;

  /** Reads the kernel's routes. @throws PoplinError where the kernel cannot be read */
  static async open(options: EngineOptions): Promise<Engine> {
    const { clock, log, netlink, observed } = options;
    const failed = (error: unknown): void => log.error({ error: String(error) }, 'addresses cannot be read');
    const addresses = observed === undefined ? undefined : await KernelAddresses.open(observed, failed);
    if (netlink === undefined) return new Engine(options, undefined, undefined, addresses);
    const table = new KernelTable(netlink);
    const fib = await Fib.open(table, clock, { onEvent: (event) => logFib(log, event) });
    return new Engine(options, fib, table, addresses);
  }

  private constructor(
    options: EngineOptions,
    fib: Fib | undefined,
    table: KernelTable | undefined,
    addresses: KernelAddresses | undefined,
  ) {
    const { clock, random, restarted, stranger } = options;
    const log = limitedLog(options.log, clock);
    this.clock = clock;
    this.fib = fib;
    this.#addresses = addresses;
    this.startedAt = clock.now();
    this.#listening = new Listening(clock, (level, text) => log[level]({}, text), {
      setHopLimits: setSocketHopLimits,
      reopen: reopenSocket,
      setPassword: setListenerPassword,
      prepare: prepareListener,
      ...(stranger === undefined ? {} : { stranger }),
    });
    const sessions = new TcpSessions({
      clock,
      transport: new TcpTransport(clock, dialWithOptions),
      random,
      listener: this.#listening,
      log: (level, text, peer, data) => log[level]({ peer, ...data }, text),
    });
    this.speaker = new Speaker({
      clock,
      sessions,
      random,
      ...(fib === undefined ? {} : { forwarding: fib }),
      ...(addresses === undefined ? {} : { linkAddresses: addresses }),
      ...(restarted === undefined ? {} : { restarted }),
      onEvent: (event) => logSpeaker(log, event),
    });
    this.#stopWatching = fib === undefined ? undefined : table?.watch(fib);
  }

  /** Of the port and the kernel, at the moment. */
  get problems(): readonly Problem[] {
    const { failure } = this.#listening;
    return failure === undefined ? [] : [cannotListen(failure)];
  }

  configure(speaker: SpeakerConfig, listen: Endpoint): void {
    this.#listening.listenOn(listen);
    this.speaker.configure(speaker);
  }

  /** `restart`: peers that know graceful restart keep our routes. The kernel keeps its routes either way. */
  async stop(how: 'restart' | 'shutdown', text?: string): Promise<void> {
    this.speaker.stop(how, text);
    this.#listening.close();
    this.#stopWatching?.();
    this.#addresses?.close();
    await this.fib?.close();
  }
}

function cannotListen(failure: string): Problem {
  return {
    code: 'LISTEN_FAILED',
    what: failure,
    remedy: 'free the port, or choose another: listenPort in BGPConfiguration, listen.port in router.yaml',
  };
}

function logSpeaker(log: Log, event: SpeakerEvent): void {
  const { type, ...data } = event;
  log[NOTICED.has(type) ? 'warn' : 'info'](data, type);
}

/** Somebody should look. */
const NOTICED: ReadonlySet<SpeakerEvent['type']> = new Set([
  'policy-missing',
  'prefix-limit-warning',
  'prefix-limit-exceeded',
]);

function logFib(log: Log, event: FibEvent): void {
  if (event.type === 'repaired')
    log.info({ routes: event.routes }, 'kernel routes were changed by others, and are being put right');
  else if (event.type === 'unavailable') log.error({ reason: event.reason }, 'the kernel cannot be reached');
  else log.warn({ prefix: event.prefix.toString(), reason: event.reason }, `route ${event.type}`);
}
