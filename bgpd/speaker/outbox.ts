/**
 * What one peer still has to be sent. Respects the socket's back-pressure, and bounds what waits: a peer that does not
 * read makes the outbox {@link Outbox.slow}, then {@link Outbox.full}. What waits is shared with the outboxes of other
 * peers, so that a thousand of them hold one copy.
 */
import type { Octets } from '../rib/out-batch.ts';
import type { Session } from './session.ts';

/** Encoded octets from which on nothing should be fetched for this peer that can wait: some 20,000 routes. */
const SLOW_OCTETS = 1024 * 1024;
/** Encoded octets that may wait for one peer: a burst of some 100,000 routes. */
const LIMIT_OCTETS = 4 * 1024 * 1024;
/** Handed to the session at once; more would only wait in another buffer. */
const PORTION_OCTETS = 1024 * 1024;

export class Outbox {
  readonly #session: Session;
  readonly #pending: (outbox: Outbox) => void;
  #queue: Octets[] = [];
  #octets = 0;
  #blocked = false;

  /** @param pending  called when something waits that could go out; {@link flush} is due then */
  constructor(session: Session, pending: (outbox: Outbox) => void) {
    this.#session = session;
    this.#pending = pending;
  }

  get slow(): boolean {
    return this.#octets >= SLOW_OCTETS;
  }

  get full(): boolean {
    return this.#octets >= LIMIT_OCTETS;
  }

  /** What waits. */
  get octets(): number {
    return this.#octets;
  }

  push(octets: Octets): void {
    if (octets.length === 0) return;
    if (this.#octets === 0 && !this.#blocked) this.#pending(this);
    this.#queue.push(octets);
    this.#octets += octets.length;
  }

  /**
   * Hands all that waits to the session, until it asks us to wait.
   *
   * @returns true where that made room for what could wait
   */
  flush(): boolean {
    const { slow } = this;
    while (!this.#blocked && this.#queue.length > 0) this.#sendPortion();
    return slow && !this.slow;
  }

  writable(): void {
    if (this.#blocked && this.#octets > 0) this.#pending(this);
    this.#blocked = false;
  }

  #sendPortion(): void {
    const pieces: Uint8Array[] = [];
    let messages = 0;
    let length = 0;
    let count = 0;
    for (const octets of this.#queue) {
      if (length >= PORTION_OCTETS) break;
      for (const piece of octets.pieces) pieces.push(piece);
      messages += octets.messages;
      length += octets.length;
      count++;
    }
    this.#queue = count === this.#queue.length ? [] : this.#queue.slice(count);
    this.#octets -= length;
    this.#blocked = !this.#session.send(pieces, messages);
  }
}
