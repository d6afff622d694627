/**
 * TCP as the session needs it. `tcp.ts` is the real one; `simulated.ts` runs on a simulated clock. Nothing calls a
 * handler before the call that gave it has returned.
 */

export interface Target {
  readonly address: string;
  readonly port: number;
  readonly localAddress?: string;
  /** The SYN counts, too. */
  readonly hops?: HopLimits;
  /** Key of TCP MD5 signatures (RFC 2385). */
  readonly password?: string;
}

/** TTL (IPv6: hop limit), 1 to 255 each. */
export interface HopLimits {
  /** Of all that is sent. */
  readonly ttl?: number;
  /** What comes with less is dropped unread: it was sent farther away than the peer is (GTSM, RFC 5082). */
  readonly minimalTtl?: number;
}

export interface ConnectionHandler {
  /** The connection stands. Not called for one that came in. */
  connected(): void;
  /** The next octets of the stream. The chunk is the handler's to keep. */
  received(chunk: Uint8Array): void;
  /** What was there has been received, and was little: time to act on it, as news in a flood are better gathered. */
  lull?(): void;
  /** Some of what was written has left for the kernel. */
  progressed(): void;
  /** After `write` said false: there is room again. */
  drained(): void;
  /** The connection failed or the peer closed it; nothing follows. Not called after our own `close`. */
  closed(reason: string): void;
}

export interface TransportConnection {
  /** Undefined until connected. */
  readonly localAddress: string | undefined;
  readonly remoteAddress: string | undefined;
  /** Octets written that have not left yet. */
  readonly buffered: number;
  /** Octets of the peer have come that `received` has not been told: we are behind, not the peer. */
  readonly unread: boolean;
  /** @returns false when the buffer is full: what was given is taken all the same, but wait for `drained` */
  write(messages: readonly Uint8Array[]): boolean;
  /** Sends what is buffered, then ends the connection; gives up on a peer that does not read after a while. */
  close(): void;
}

/** A connection that a stranger has opened. One of the methods is called, once, at any time; nothing is read before. */
export interface IncomingConnection {
  readonly remoteAddress: string;
  readonly localAddress: string;
  /** @param hops  from now on */
  adopt(handler: ConnectionHandler, hops?: HopLimits): TransportConnection;
  refuse(): void;
}

export interface Transport {
  connect(target: Target, handler: ConnectionHandler): TransportConnection;
}
