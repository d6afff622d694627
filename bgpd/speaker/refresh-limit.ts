/**
 * Keeps a peer from having the whole table told over and over: a ROUTE-REFRESH costs it 23 octets and us everything we
 * have. One is answered at once; those that follow within a second are answered together, once the second is over.
 */
import { seconds, type Cancel, type Clock } from '../../clock/clock.ts';
import type { Family } from '../wire/types.ts';

const INTERVAL = seconds(1);

export class RefreshLimit {
  readonly #clock: Clock;
  readonly #answer: (family: Family) => void;
  readonly #answered = new Map<Family, number>();
  readonly #due = new Map<Family, Cancel>();

  constructor(clock: Clock, answer: (family: Family) => void) {
    this.#clock = clock;
    this.#answer = answer;
  }

  ask(family: Family): void {
    if (this.#due.has(family)) return;
    const last = this.#answered.get(family) ?? Number.NEGATIVE_INFINITY;
    const wait = last + INTERVAL - this.#clock.now();
    if (wait <= 0) this.#serve(family);
    else
      this.#due.set(
        family,
        this.#clock.after(wait, 'bgp route refresh', () => this.#serve(family)),
      );
  }

  /** The session is over: what was asked on it is void. */
  forget(): void {
    for (const cancel of this.#due.values()) cancel();
    this.#due.clear();
    this.#answered.clear();
  }

  #serve(family: Family): void {
    this.#due.delete(family);
    this.#answered.set(family, this.#clock.now());
    this.#answer(family);
  }
}
