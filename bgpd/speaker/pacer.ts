/**
 * When to tell peers next. Each round of telling costs a system call per peer, however little it says; while a thousand
 * sessions come up, news worth a few octets arrive all the time, and telling each to a thousand others at once would be
 * all we do. So a round that took long and said little to each is followed by a pause, in which news gather.
 *
 * Few peers, or much to say: no pause.
 */
import type { Cancel, Clock, Millis } from '../../clock/clock.ts';

/** Rounds shorter than this are no burden. */
const CHEAP_MS: Millis = 1;
/** Octets to each peer that make a round worth its cost. */
const WORTHWHILE_OCTETS = 16_384;
/** Pauses are this many times as long as the round was, up to a limit: telling takes a third of the time at most. */
const PAUSES_PER_ROUND = 2;
const LONGEST_PAUSE_MS: Millis = 50;

export class Pacer {
  readonly #clock: Clock;
  #notBefore: Millis;
  #start: Millis = 0;
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

  begin(): void {
    this.#start = this.#clock.now();
    this.#octets = this.#peers = 0;
  }

  /** A peer is sent so much in this round. */
  note(octets: number): void {
    this.#octets += octets;
    this.#peers++;
  }

  end(): void {
    const now = this.#clock.now();
    const took = now - this.#start;
    if (took < CHEAP_MS || this.#octets >= this.#peers * WORTHWHILE_OCTETS) return;
    this.#notBefore = now + Math.min(took * PAUSES_PER_ROUND, LONGEST_PAUSE_MS);
  }

  stop(): void {
    this.#timer?.();
  }
}
