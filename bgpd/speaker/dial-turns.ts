/**
 * Spreads calls over turns of the event loop. Thousands of peers that are configured at once, or whose machine comes back,
 * would be called in one turn: some 20 microseconds each for a socket, and as much again where the call fails.
 */
import type { Clock, Millis } from '../../clock/clock.ts';

/** Of dialling in one turn; the last call may go beyond it. */
const BUDGET: Millis = 5;

export class DialTurns {
  readonly #clock: Clock;
  /** In order. */
  readonly #waiting = new Set<() => void>();
  #spent: Millis = 0;
  #armed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Dials now, or in one of the next turns where this one has seen many calls. Whoever needs none by then makes none. */
  dial(call: () => void): void {
    if (this.#waiting.size === 0 && this.#spent < BUDGET) this.#run(call);
    else this.#waiting.add(call);
    this.#arm();
  }

  #run(call: () => void): void {
    const start = this.#clock.now();
    call();
    this.#spent += this.#clock.now() - start;
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#clock.after(0, 'bgp dials', () => this.#turn());
  }

  #turn(): void {
    this.#armed = false;
    this.#spent = 0;
    for (const call of this.#waiting) {
      if (this.#spent >= BUDGET) break;
      this.#waiting.delete(call);
      this.#run(call);
    }
    if (this.#waiting.size > 0) this.#arm();
  }
}
