/**
 * What one peer still has to be sent. Respects the socket's back-pressure, and bounds what waits: a peer that does not
 * read makes {@link Outbox.full} true, and who fills the outbox then stops and brings the peer up to date later.
 */
import type { Session } from './session.ts';

/** Encoded octets that may wait for one peer: a burst of some 100,000 routes. */
const LIMIT_OCTETS = 4 * 1024 * 1024;

export class Outbox {
  readonly #session: Session;
  #queue: Uint8Array[] = [];
  #octets = 0;
  #blocked = false;

  constructor(session: Session) {
    this.#session = session;
  }

  get full(): boolean {
    return this.#octets >= LIMIT_OCTETS;
  }

  get empty(): boolean {
    return this.#octets === 0;
  }

  push(messages: readonly Uint8Array[]): void {
    for (const message of messages) {
      this.#queue.push(message);
      this.#octets += message.length;
    }
  }

  /** Hands all that waits to the session, unless it asked us to wait. */
  flush(): void {
    if (this.#blocked || this.#queue.length === 0) return;
    const messages = this.#queue;
    this.#queue = [];
    this.#octets = 0;
    this.#blocked = !this.#session.send(messages);
  }

  writable(): void {
    this.#blocked = false;
    this.flush();
  }
}
