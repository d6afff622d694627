/** {@link Transport} over the machine's TCP. */
import { Socket, connect, type OnReadOpts } from 'node:net';
import type { Clock } from '../../clock/clock.ts';
import { Lingering } from './lingering.ts';
import { Inlet } from './inlet.ts';
import { ReadTurns, type Source } from './read-turns.ts';
import type {
  ConnectionHandler,
  HopLimits,
  IncomingConnection,
  Target,
  Transport,
  TransportConnection,
} from './transport.ts';

/**
 * Begins to connect. Given in place of the plain way where a socket needs something first: a namespace, an option.
 *
 * @param onread  for Node's `connect`, so that reading costs little; a socket without it is read as any other
 */
export type Dial = (target: Target, onread: OnReadOpts) => Socket;

/**
 * The same connection as another socket, that reads as `onread` says; the one before is no longer used. Node takes that
 * for sockets that are made by hand, and makes what a server accepts without it.
 */
export type Reopen = (socket: Socket, onread: OnReadOpts) => Socket;

/** Sets the TTLs (IPv6: hop limits) of an open socket; Node itself cannot. */
export type SetHopLimits = (socket: Socket, hops: HopLimits) => void;

export class TcpTransport implements Transport {
  readonly #clock: Clock;
  readonly #dial: Dial;

  constructor(clock: Clock, dial: Dial = plainDial) {
    this.#clock = clock;
    this.#dial = dial;
  }

  connect(target: Target, handler: ConnectionHandler): TransportConnection {
    const inlet = new Inlet();
    const socket = this.#dial(target, inlet);
    const connection = new TcpConnection(socket, inlet, handler, this.#clock);
    socket.once('connect', () => connection.connected());
    return connection;
  }
}

function plainDial({ address, port, localAddress, hops, password }: Target, onread: OnReadOpts): Socket {
  if (password !== undefined) return new Socket().destroy(new Error('nothing here can sign with a password'));
  if (hops !== undefined) return new Socket().destroy(cannotSet(hops));
  return connect({ host: address, port, onread, ...(localAddress === undefined ? {} : { localAddress }) });
}

/** What all connections on one clock share. */
interface Commons {
  readonly turns: ReadTurns;
  readonly lingering: Lingering;
}

const COMMONS = new WeakMap<Clock, Commons>();

function commonsOf(clock: Clock): Commons {
  const known = COMMONS.get(clock);
  if (known !== undefined) return known;
  const commons = { turns: new ReadTurns(clock), lingering: new Lingering(clock) };
  COMMONS.set(clock, commons);
  return commons;
}

class TcpConnection implements TransportConnection, Source {
  readonly #socket: Socket;
  readonly #turns: ReadTurns;
  readonly #lingering: Lingering;
  #handler: ConnectionHandler | undefined;
  #failure: string | undefined;
  /** The connection is over, and what came before its end still waits to be received. */
  #ended: string | undefined;

  constructor(socket: Socket, inlet: Inlet, handler: ConnectionHandler, clock: Clock) {
    this.#socket = socket;
    this.#handler = handler;
    ({ turns: this.#turns, lingering: this.#lingering } = commonsOf(clock));
    // Nagle's algorithm would hold back a KEEPALIVE behind unacknowledged UPDATEs.
    socket.setNoDelay(true);
    inlet.take = (chunk) => {
      if (this.#handler !== undefined) this.#turns.take(this, chunk);
    };
    socket.on('data', inlet.take);
    socket.on('drain', () => this.#handler?.drained());
    socket.on('error', (error) => (this.#failure ??= error.message));
    socket.on('end', () => this.#gone('the peer closed the connection'));
    socket.on('close', () => this.#gone('connection closed'));
    // A listener has it wait until somebody takes it.
    socket.resume();
  }

  connected(): void {
    this.#handler?.connected();
  }

  over(): void {
    this.#gone('the peer closed the connection');
  }

  receive(chunk: Uint8Array): void {
    this.#handler?.received(chunk);
  }

  lull(): void {
    this.#handler?.lull?.();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (this.#ended === undefined) this.#socket.resume();
    else this.#gone(this.#ended);
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

  get unread(): boolean {
    return this.#turns.waits(this);
  }

  write(messages: readonly Uint8Array[]): boolean {
    const socket = this.#socket;
    const [only] = messages;
    if (messages.length === 1 && only !== undefined && socket.writableLength === 0) {
      // Nothing is ahead of it, so it leaves with this call, or the buffer tells from when on it has not.
      return socket.write(only);
    }
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
    this.#turns.forget(this);
    const socket = this.#socket;
    // It may be paused.
    socket.resume();
    if (socket.connecting) {
      socket.destroy();
      return;
    }
    // What the peer still sends is read and thrown away: unread octets would turn our FIN into a reset, and the
    // NOTIFICATION before it would be lost.
    socket.end();
    this.#lingering.add(socket);
  }

  #gone(reason: string): void {
    if (this.#turns.waits(this)) {
      this.#ended ??= reason;
      return;
    }
    const handler = this.#handler;
    this.#handler = undefined;
    this.#socket.destroy();
    handler?.closed(this.#failure ?? reason);
  }
}

export interface IncomingOptions {
  readonly setHopLimits?: SetHopLimits | undefined;
  /** Absent: it is read as any other socket of Node's. */
  readonly reopen?: Reopen | undefined;
}

/** An accepted socket as the session takes it, at once or after a while; until then nothing is read. */
export function incoming(
  accepted: Socket,
  clock: Clock,
  { setHopLimits, reopen }: IncomingOptions = {},
): IncomingConnection {
  accepted.on('error', () => undefined);
  return {
    remoteAddress: plainAddress(accepted.remoteAddress) ?? '',
    localAddress: plainAddress(accepted.localAddress) ?? '',
    adopt: (handler, hops) => {
      const over = accepted.destroyed;
      const inlet = new Inlet();
      const socket = over || reopen === undefined ? accepted : reopen(accepted, inlet);
      if (hops !== undefined && !over) apply(socket, hops, setHopLimits);
      const connection = new TcpConnection(socket, inlet, handler, clock);
      // Its events are over, too.
      if (over) clock.after(0, 'bgp end', () => connection.over());
      return connection;
    },
    refuse: () => void accepted.destroy(),
  };
}

function cannotSet({ ttl, minimalTtl }: HopLimits): Error {
  return new Error(
    `nothing here can set a ${ttl === undefined ? 'minimal ' : ''}TTL of ${ttl ?? minimalTtl}`,
  );
}

/** A connection that cannot have its TTL ends, with the reason for its session to show. */
function apply(socket: Socket, hops: HopLimits, setHopLimits: SetHopLimits | undefined): void {
  try {
    if (setHopLimits === undefined) throw cannotSet(hops);
    setHopLimits(socket, hops);
  } catch (error) {
    socket.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

/** A dual-stack socket shows IPv4 peers as ::ffff:192.0.2.1. */
export function plainAddress(address: string | undefined): string | undefined {
  return address?.startsWith('::ffff:') === true ? address.slice('::ffff:'.length) : address;
}
