/** Compare-and-swap loops with an end. */
import { PoplinError } from '../api/index.ts';
import type { Clock, Millis } from '../clock/clock.ts';

/** As in Calico. */
const ATTEMPTS = 100;
const LONGEST_PAUSE: Millis = 64;

/** What one round says when another writer was quicker. */
export const OUTRUN: unique symbol = Symbol('outrun');

export class Retries {
  readonly #clock: Clock;
  readonly #random: () => number;

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Repeats `round` until it answers something else than {@link OUTRUN}. The second attempt comes at once: usually the
   * other writer is through. Then pauses grow, at random, as two writers in step could otherwise outrun each other for ever.
   *
   * @throws PoplinError `IPAM_BUSY` after a hundred rounds
   */
  async until<T>(what: string, round: () => Promise<T | typeof OUTRUN>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const answer = await round();
      if (answer !== OUTRUN) return answer;
      await this.pause(what, attempt);
    }
  }

  /**
   * Waits as long as fits the number of attempts that failed before this one.
   * @throws PoplinError `IPAM_BUSY` when that was the last one
   */
  async pause(what: string, attempt: number): Promise<void> {
    if (attempt >= ATTEMPTS) throw busy(what);
    if (attempt > 0) await this.#pause(Math.min(2 ** attempt, LONGEST_PAUSE) * this.#random());
  }

  async #pause(delay: Millis): Promise<void> {
    return new Promise((resolve) => void this.#clock.after(delay, 'try IPAM again', resolve));
  }
}

function busy(what: string): PoplinError {
  return new PoplinError([
    {
      code: 'IPAM_BUSY',
      what: `${what}: others wrote first ${ATTEMPTS} times in a row`,
      remedy: 'try again; if this persists, look for a program that rewrites IPAM objects in a loop',
    },
  ]);
}
