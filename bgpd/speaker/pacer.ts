/**
 * When to tell peers next. Each round of telling costs a system call per peer, however little it says; while a thousand
 * sessions come up, news worth a few octets arrive all the time, and telling each to a thousand others at once would be
 * all we do. So a round that took long and said little to each is followed by a pause, in which news gather.
 *
 * Likewise, while news come in without end a round waits for their end, but never long.
 *
 * Few peers, or much to say: no pause. A round may take several turns of the event loop.
 */
import type { Cancel, Clock, Millis } from '../../clock/clock.ts';

/** Rounds shorter than this are no burden. */
const CHEAP_MS: Millis = 1;
/** Nor are rounds that reach fewer: what took long was something else. */
const MANY_PEERS = 16;
/** Octets to each peer that make a round worth its cost. */
const WORTHWHILE_OCTETS = 65_536;
/** Pauses are this many times as long as the round was, up to a limit: telling takes a third of the time at most. */
const PAUSES_PER_ROUND = 2;
const LONGEST_PAUSE_MS: Millis = 50;
/** Without news for so long, there is nothing to wait for. */
const QUIET_MS: Millis = 1;

export class Pacer {
  readonly #clock: Clock;
  #notBefore: Millis;
  #start: Millis = 0;
  /** When the oldest news that wait for more came. */
  #gathering: Millis | undefined;
  /** Of this round, in turns before. */
  #took: Millis = 0;
  #octets = 0;
  #peers = 0;
  #timer: Cancel | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#notBefore = clock.now();
  }

  isTime(): boolean {
    return this.#clock.now() >= this.#notBefore;
  }

  /** Fires when the pause is over. Answers false: there is nothing to do right now. */
  later(fire: () => void): false {
    this.#timer ??= this.#clock.after(this.#notBefore - this.#clock.now(), 'pause in telling', () => {
      this.#timer = undefined;
      fire();
    });
    return false;
  }

  /** News came in that concern so many peers. */
  heard(peers: number): void {
    if (peers < MANY_PEERS) return;
    const now = this.#clock.now();
    this.#gathering ??= now;
    const until = Math.min(now + QUIET_MS, this.#gathering + LONGEST_PAUSE_MS);
    this.#notBefore = Math.max(this.#notBefore, until);
  }

  /** A round begins, or goes on. */
  start(): void {
    this.#start = this.#clock.now();
  }

  /** What waits for these peers is worth a round now, though more is to come at once. */
  isWorthwhile(waiting: ReadonlySet<{ readonly octets: number }>): boolean {
    if (waiting.size < MANY_PEERS) return true;
    let sum = 0;
    for (const { octets } of waiting) sum += octets;
    return sum >= waiting.size * WORTHWHILE_OCTETS;
  }

  /** A peer is sent so much in this round. */
  note(octets: number): void {
    this.#octets += octets;
    this.#peers++;
  }

  /** @param over  nobody is left to be told, and another round begins; otherwise this one goes on, in the next turn */
  pass(over: boolean): void {
    const now = this.#clock.now();
    this.#took += now - this.#start;
    this.#start = now;
    if (!over) return;
    if (now >= this.#notBefore) this.#gathering = undefined;
    if (this.#isBurden()) this.#notBefore = now + Math.min(this.#took * PAUSES_PER_ROUND, LONGEST_PAUSE_MS);
    this.#took = this.#octets = this.#peers = 0;
  }

  stop(): void {
    this.#timer?.();
  }

  #isBurden(): boolean {
    const worthwhile = this.#octets >= this.#peers * WORTHWHILE_OCTETS;
    return this.#took >= CHEAP_MS && this.#peers >= MANY_PEERS && !worthwhile;
  }
}
