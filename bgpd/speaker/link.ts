/** One TCP connection of a session, with its timers and its place in the stream. */
import type { Clock, Millis } from '../../clock/clock.ts';
import type { TimerName } from '../fsm/index.ts';
import { MAX_EXTENDED_LENGTH, MessageFramer } from '../wire/index.ts';
import type { Timers } from './timers.ts';
import type { TransportConnection } from './transport.ts';

export class Link {
  readonly timers: Timers<TimerName>;
  /** We send the extended-message capability, so we take long messages (RFC 8654 §4). */
  readonly framer = new MessageFramer(MAX_EXTENDED_LENGTH);
  readonly #clock: Clock;
  #transport: TransportConnection | undefined;
  #progress: Millis;
  /** When the hold timer was last told to look again. */
  lookedAgain: Millis = Number.NEGATIVE_INFINITY;

  constructor(timers: Timers<TimerName>, clock: Clock) {
    this.timers = timers;
    this.#clock = clock;
    this.#progress = clock.now();
  }

  attach(transport: TransportConnection): void {
    this.#transport = transport;
  }

  get localAddress(): string | undefined {
    return this.#transport?.localAddress;
  }

  write(messages: readonly Uint8Array[]): boolean {
    return this.#transport?.write(messages) ?? true;
  }

  progressed(): void {
    this.#progress = this.#clock.now();
  }

  /** Since when the peer has taken nothing; now, if there is nothing to take. */
  get stalledSince(): Millis {
    return (this.#transport?.buffered ?? 0) === 0 ? this.#clock.now() : this.#progress;
  }

  get unread(): boolean {
    return this.#transport?.unread ?? false;
  }

  close(): void {
    this.timers.disarmAll();
    this.#transport?.close();
  }
}
