/** Keeps a peer from filling the log: a few lines in each period, then one that says how many were left out. */
import type { Clock, Millis } from '../../clock/clock.ts';

export class LogLimit {
  readonly #clock: Clock;
  readonly #lines: number;
  readonly #period: Millis;
  #start = Number.NEGATIVE_INFINITY;
  #seen = 0;

  constructor(clock: Clock, lines = 10, period: Millis = 60_000) {
    this.#clock = clock;
    this.#lines = lines;
    this.#period = period;
  }

  /** @returns the text to log, with the count of those left out since the last; undefined to stay silent */
  pass(text: string): string | undefined {
    const now = this.#clock.now();
    if (now - this.#start >= this.#period) {
      const dropped = Math.max(0, this.#seen - this.#lines);
      this.#start = now;
      this.#seen = 1;
      return dropped === 0 ? text : `${text} (${dropped} lines before it were not logged)`;
    }
    this.#seen++;
    return this.#seen <= this.#lines ? text : undefined;
  }
}
