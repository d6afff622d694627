/**
 * The speaker's ear: one TCP port, IPv4 and IPv6, whose connections go to whoever waits for that remote address.
 * A connection from anybody else is closed at once.
 */
import { type BoundSocket, type Server, type Socket, createServer } from 'node:net';
import type { Clock } from '../../clock/clock.ts';
import { Address } from '../../net/addr/index.ts';
import { LogLimit } from './log-limit.ts';
import { incoming, type SetHopLimits } from './tcp.ts';
import type { IncomingConnection } from './transport.ts';

/** Connections that may wait to be accepted: a reflector's clients all come back at once. */
const BACKLOG = 4096;

export interface ListenerOptions {
  readonly clock: Clock;
  /** 0: any free port, see {@link Listener.port}. */
  readonly port: number;
  /** Default: every address of both versions. */
  readonly addresses?: readonly string[];
  /** Makes the listening socket, where it needs something first: a namespace, an option. */
  readonly bind?: (address: string, port: number) => BoundSocket;
  /** Somebody nobody waits for has connected. Whoever wants to let it in calls `expect` before this returns. */
  readonly stranger?: (address: string) => void;
  /** For sessions that ask for a TTL. */
  readonly setHopLimits?: SetHopLimits;
  /** For options of a socket that listens, which what it answers to a SYN has. */
  readonly prepare?: (server: Server, address: string) => void;
  readonly log?: (level: 'info' | 'warn', text: string) => void;
}

export class Listener {
  readonly #options: ListenerOptions;
  readonly #limit: LogLimit;
  readonly #waiting = new Map<string, (connection: IncomingConnection) => void>();
  readonly #servers: Server[] = [];
  #port: number;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#limit = new LogLimit(options.clock);
    this.#port = options.port;
  }

  /** The port that is listened on. */
  get port(): number {
    return this.#port;
  }

  /**
   * Begins to listen. A machine without IPv6 is no error as long as one address can be listened on.
   *
   * @throws the system's error when none can, EADDRINUSE for instance
   */
  async listen(): Promise<void> {
    let failure: unknown;
    for (const address of this.#options.addresses ?? ['0.0.0.0', '::']) {
      try {
        this.#servers.push(await this.#listenOn(address));
      } catch (error) {
        failure = error;
        if (!isUnsupported(error)) break;
      }
    }
    if (failure === undefined || (isUnsupported(failure) && this.#servers.length > 0)) return;
    this.close();
    throw failure;
  }

  /**
   * Hands connections from this address to the acceptor, until the returned function is called. A link-local address
   * carries its zone, `fe80::1%eth0`. One acceptor for an address: a later one takes over.
   */
  expect(address: string, accept: (connection: IncomingConnection) => void): () => void {
    const key = keyOf(address);
    this.#waiting.set(key, accept);
    return () => {
      if (this.#waiting.get(key) === accept) this.#waiting.delete(key);
    };
  }

  /** Stops listening. Connections already handed over live on, so their end is not waited for. */
  close(): void {
    for (const server of this.#servers.splice(0)) server.close();
  }

  async #listenOn(address: string): Promise<Server> {
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      const listening = (): void => {
        server.off('error', reject);
        resolve();
      };
      const { bind } = this.#options;
      const ipv6Only = address.includes(':');
      if (bind !== undefined) server.listen(bind(address, this.#port), BACKLOG, listening);
      else server.listen({ host: address, port: this.#port, ipv6Only, backlog: BACKLOG }, listening);
    });
    // Out of file descriptors, say: the connection is lost, the listener is not.
    server.on('error', (error) => this.#log(`accept: ${error.message}`));
    this.#options.prepare?.(server, address);
    const bound = server.address();
    if (bound !== null && typeof bound === 'object') this.#port = bound.port;
    return server;
  }

  #accept(socket: Socket): void {
    const connection = incoming(socket, this.#options.clock, this.#options.setHopLimits);
    const key = keyOf(connection.remoteAddress);
    if (!this.#waiting.has(key)) this.#options.stranger?.(connection.remoteAddress);
    const accept = this.#waiting.get(key);
    if (accept !== undefined) {
      accept(connection);
      return;
    }
    connection.refuse();
    this.#log(`connection from ${connection.remoteAddress}, which is no configured peer, closed`);
  }

  #log(text: string): void {
    const line = this.#limit.pass(text);
    if (line !== undefined) this.#options.log?.('warn', line);
  }
}

function keyOf(address: string): string {
  const [plain = '', zone] = address.split('%');
  const canonical = Address.parse(plain)?.toString() ?? plain;
  return zone === undefined ? canonical : `${canonical}%${zone}`;
}

function isUnsupported(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL';
}
