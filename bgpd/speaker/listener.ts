/**
 * The speaker's ear: one TCP port, IPv4 and IPv6, whose connections go to whoever waits for that remote address.
 * A connection from anybody else is closed at once.
 */
import { type BoundSocket, type Server, type Socket, createServer } from 'node:net';
import type { Clock } from '../../clock/clock.ts';
import { Address, type IpVersion } from '../../net/addr/index.ts';
import { LogLimit } from './log-limit.ts';
import { incoming, type Reopen, type SetHopLimits } from './tcp.ts';
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
  /** See {@link Reopen}. */
  readonly reopen?: Reopen;
  /** Has a socket that listens take only what is signed from this address, or anything again (RFC 2385). */
  readonly setPassword?: (server: Server, address: Address, password: string | undefined) => void;
  /** For options of a socket that listens, which what it answers to a SYN has. */
  readonly prepare?: (server: Server, address: string) => void;
  readonly log?: (level: 'info' | 'warn', text: string) => void;
}

interface Waiting {
  readonly accept: (connection: IncomingConnection) => void;
  readonly password: string | undefined;
}

export class Listener {
  readonly #options: ListenerOptions;
  readonly #limit: LogLimit;
  readonly #waiting = new Map<string, Waiting>();
  readonly #servers: { readonly server: Server; readonly version: IpVersion }[] = [];
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
        await this.#listenOn(address);
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
   *
   * @param password  only what is signed with it comes through; where nobody here can see to that, nothing does
   */
  expect(address: string, accept: Waiting['accept'], password?: string): () => void {
    const key = keyOf(address);
    const waiting: Waiting = { accept, password };
    const before = this.#waiting.get(key)?.password;
    this.#waiting.set(key, waiting);
    if (before !== password) this.#sign(key, password);
    return () => {
      if (this.#waiting.get(key) === waiting) this.forget(address);
    };
  }

  /** Connections from this address go to nobody from now on. */
  forget(address: string): void {
    const key = keyOf(address);
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    if (waiting?.password !== undefined) this.#sign(key, undefined);
  }

  /** On every socket that is there; one that comes later has its keys set as it does. */
  #sign(key: string, password: string | undefined): void {
    const address = Address.parse(key.replace(/%.*/, ''));
    for (const { server, version } of this.#servers) {
      if (address?.version !== version) continue;
      try {
        this.#options.setPassword?.(server, address, password);
      } catch (error) {
        this.#log(`password of ${key}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  /** Stops listening. Connections already handed over live on, so their end is not waited for. */
  close(): void {
    for (const { server } of this.#servers.splice(0)) server.close();
  }

  async #listenOn(address: string): Promise<void> {
    const server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => this.#accept(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      const listening = (): void => {
        server.off('error', reject);
        resolve();
      };
      const { bind } = this.#options;
      if (bind !== undefined) server.listen(bind(address, this.#port), BACKLOG, listening);
      else
        server.listen(
          { host: address, port: this.#port, ipv6Only: ipv6Only(address), backlog: BACKLOG },
          listening,
        );
    });
    // Out of file descriptors, say: the connection is lost, the listener is not.
    server.on('error', (error) => this.#log(`accept: ${error.message}`));
    const bound = server.address();
    if (bound !== null && typeof bound === 'object') this.#port = bound.port;
    this.#servers.push({ server, version: ipv6Only(address) ? 6 : 4 });
    this.#options.prepare?.(server, address);
    for (const [key, { password }] of this.#waiting) if (password !== undefined) this.#sign(key, password);
  }

  #accept(socket: Socket): void {
    const connection = incoming(socket, this.#options.clock, this.#options);
    const key = keyOf(connection.remoteAddress);
    if (!this.#waiting.has(key)) this.#options.stranger?.(connection.remoteAddress);
    const waiting = this.#waiting.get(key);
    const unsigned = waiting?.password !== undefined && this.#options.setPassword === undefined;
    if (waiting !== undefined && !unsigned) {
      waiting.accept(connection);
      return;
    }
    connection.refuse();
    const why = unsigned ? 'whose password nothing here can check' : 'which is no configured peer';
    this.#log(`connection from ${connection.remoteAddress}, ${why}, closed`);
  }

  #log(text: string): void {
    const line = this.#limit.pass(text);
    if (line !== undefined) this.#options.log?.('warn', line);
  }
}

function ipv6Only(address: string): boolean {
  return address.includes(':');
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
