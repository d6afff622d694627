/** {@link Transport} over the machine's TCP. */
import { Socket, connect } from 'node:net';
import type { Clock, Millis } from '../../clock/clock.ts';
import type {
  ConnectionHandler,
  IncomingConnection,
  Target,
  Transport,
  TransportConnection,
} from './transport.ts';

/** How long a peer may take to read our last words before the connection is torn down. */
const LINGER: Millis = 3_000;

/** Begins to connect. Given in place of the plain way where a socket needs something first: a namespace, an option. */
export type Dial = (target: Target) => Socket;

/** Sets the TTL (IPv6: hop limit) of an open socket; Node itself cannot. */
export type SetTtl = (socket: Socket, ttl: number) => void;

export class TcpTransport implements Transport {
  readonly #clock: Clock;
  readonly #dial: Dial;

  constructor(clock: Clock, dial: Dial = plainDial) {
    this.#clock = clock;
    this.#dial = dial;
  }

  connect(target: Target, handler: ConnectionHandler): TransportConnection {
    const socket = this.#dial(target);
    const connection = new TcpConnection(socket, handler, this.#clock);
    socket.once('connect', () => connection.connected());
    return connection;
  }
}

function plainDial({ address, port, localAddress, ttl }: Target): Socket {
  if (ttl !== undefined) return new Socket().destroy(new Error(`nothing here can set a TTL of ${ttl}`));
  return connect({ host: address, port, ...(localAddress === undefined ? {} : { localAddress }) });
}

class TcpConnection implements TransportConnection {
  readonly #socket: Socket;
  readonly #clock: Clock;
  #handler: ConnectionHandler | undefined;
  #failure: string | undefined;

  constructor(socket: Socket, handler: ConnectionHandler, clock: Clock) {
    this.#socket = socket;
    this.#handler = handler;
    this.#clock = clock;
    // Nagle's algorithm would hold back a KEEPALIVE behind unacknowledged UPDATEs.
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#handler?.received(chunk));
    socket.on('drain', () => this.#handler?.drained());
    socket.on('error', (error) => (this.#failure ??= error.message));
    socket.on('end', () => this.#gone('the peer closed the connection'));
    socket.on('close', () => this.#gone('connection closed'));
  }

  connected(): void {
    this.#handler?.connected();
  }

  get localAddress(): string | undefined {
    return plainAddress(this.#socket.localAddress);
  }

  get remoteAddress(): string | undefined {
    return plainAddress(this.#socket.remoteAddress);
  }

  get buffered(): number {
    return this.#socket.writableLength;
  }

  write(messages: readonly Uint8Array[]): boolean {
    const socket = this.#socket;
    const last = messages.length - 1;
    socket.cork();
    messages.forEach((message, index) => {
      if (index === last) socket.write(message, () => this.#handler?.progressed());
      else socket.write(message);
    });
    socket.uncork();
    return !socket.writableNeedDrain;
  }

  close(): void {
    this.#handler = undefined;
    const socket = this.#socket;
    if (socket.connecting) {
      socket.destroy();
      return;
    }
    // What the peer still sends is read and thrown away: unread octets would turn our FIN into a reset, and the
    // NOTIFICATION before it would be lost.
    socket.end();
    const cancel = this.#clock.after(LINGER, 'bgp linger', () => socket.destroy());
    socket.once('close', cancel);
  }

  #gone(reason: string): void {
    const handler = this.#handler;
    this.#handler = undefined;
    this.#socket.destroy();
    handler?.closed(this.#failure ?? reason);
  }
}

/** An accepted socket as the session takes it. */
export function incoming(socket: Socket, clock: Clock, setTtl?: SetTtl): IncomingConnection {
  return {
    remoteAddress: plainAddress(socket.remoteAddress) ?? '',
    localAddress: plainAddress(socket.localAddress) ?? '',
    adopt: (handler, ttl) => {
      if (ttl !== undefined) applyTtl(socket, ttl, setTtl);
      return new TcpConnection(socket, handler, clock);
    },
    refuse: () => {
      socket.on('error', () => undefined);
      socket.destroy();
    },
  };
}

/** A connection that cannot have its TTL ends, with the reason for its session to show. */
function applyTtl(socket: Socket, ttl: number, setTtl: SetTtl | undefined): void {
  try {
    if (setTtl === undefined) throw new Error(`nothing here can set a TTL of ${ttl}`);
    setTtl(socket, ttl);
  } catch (error) {
    socket.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

/** A dual-stack socket shows IPv4 peers as ::ffff:192.0.2.1. */
export function plainAddress(address: string | undefined): string | undefined {
  return address?.startsWith('::ffff:') === true ? address.slice('::ffff:'.length) : address;
}
