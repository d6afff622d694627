/** One TCP connection of a session, with its timers and its place in the stream. */
import { seconds, type Clock, type Millis } from '../../clock/clock.ts';
import { sendHoldSeconds, type TimerName } from '../fsm/index.ts';
import { MAX_EXTENDED_LENGTH, MessageFramer } from '../wire/index.ts';
import type { Timers } from './timers.ts';
import type { TransportConnection } from './transport.ts';

/** How often a hold timer that is over asks whether what waits has been read. */
const LOOK_AGAIN_MS: Millis = 100;
/** Two ends of the hold timer within this time are the same one: the shortest hold time is 3 s. */
const SECOND_LOOK_AFTER_MS: Millis = 1000;

export class Link {
  readonly timers: Timers<TimerName>;
  /** We send the extended-message capability, so we take long messages (RFC 8654 §4). */
  readonly framer = new MessageFramer(MAX_EXTENDED_LENGTH);
  readonly #clock: Clock;
  #transport: TransportConnection | undefined;
  #progress: Millis;
  /** When the hold timer was last told to look again. */
  #lookedAgain: Millis = Number.NEGATIVE_INFINITY;

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
    // Whatever becomes of it, until now the peer had nothing left to take.
    if (this.#transport?.buffered === 0) this.progressed();
    return this.#transport?.write(messages) ?? true;
  }

  progressed(): void {
    this.#progress = this.#clock.now();
  }

  /**
   * The send hold timer is over, but the peer may have taken some since it was set: what counts is that octets leave
   * (RFC 9687 §3.2). Then it runs on.
   */
  peerTakes(holdSeconds: number): boolean {
    const left = this.#stalled() ? this.#sendHoldLeft(holdSeconds) : seconds(sendHoldSeconds(holdSeconds));
    if (left > 0) this.timers.arm('send-hold', left);
    return left > 0;
  }

  /**
   * Timers that run, with the time left, for people. The send hold timer is there only while octets wait to leave, and
   * counts from when the last ones did: the clock's timer behind it is set anew when it fires, not with every message.
   *
   * @param holdSeconds  settled; undefined while the session does not stand
   */
  pending(holdSeconds: number | undefined): { readonly name: TimerName; readonly inMs: Millis }[] {
    return this.timers.pending().flatMap((timer) => {
      if (timer.name !== 'send-hold' || holdSeconds === undefined) return [timer];
      return this.#stalled() ? [{ name: timer.name, inMs: this.#sendHoldLeft(holdSeconds) }] : [];
    });
  }

  #stalled(): boolean {
    return (this.#transport?.buffered ?? 0) > 0;
  }

  #sendHoldLeft(holdSeconds: number): Millis {
    return this.#progress + seconds(sendHoldSeconds(holdSeconds)) - this.#clock.now();
  }

  /**
   * The hold timer is over, but the KEEPALIVE that would have kept the peer may lie unread because we were busy. While
   * octets of the peer wait here its time is not over; and as the event loop runs timers before it reads, sockets are given
   * one reading before the end, for what waits in the kernel.
   */
  looksAgain(): boolean {
    const now = this.#clock.now();
    const unread = this.#transport?.unread ?? false;
    if (now - this.#lookedAgain <= SECOND_LOOK_AFTER_MS && !unread) return false;
    this.#lookedAgain = now;
    this.timers.arm('hold', unread ? LOOK_AGAIN_MS : 0);
    return true;
  }

  close(): void {
    this.timers.disarmAll();
    this.#transport?.close();
  }
}
