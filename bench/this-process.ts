/** A transport whose other end is the bench itself: octets go in by hand, and what is written goes nowhere. */
import type { ConnectionHandler, Transport, TransportConnection } from '../bgpd/speaker/transport.ts';

export class ThisProcess implements Transport {
  handler: ConnectionHandler | undefined;
  readonly #connection: TransportConnection;

  constructor(localAddress: string, remoteAddress: string) {
    this.#connection = {
      localAddress,
      remoteAddress,
      buffered: 0,
      unread: false,
      write: () => true,
      close: () => undefined,
    };
  }

  connect(_target: unknown, handler: ConnectionHandler): TransportConnection {
    this.handler = handler;
    return this.#connection;
  }
}
