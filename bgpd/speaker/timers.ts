/**
 * The named timers of one connection or session. Hot: the hold timer is set again by every message, so setting a
 * running timer later only moves its due time; the clock's own timer notices when it fires early.
 */
import type { Cancel, Clock, Millis } from '../../clock/clock.ts';

interface Running {
  due: Millis;
  readonly set: Millis;
  readonly cancel: Cancel;
}

export class Timers<Name extends string> {
  readonly #clock: Clock;
  readonly #owner: string;
  readonly #fire: (name: Name) => void;
  readonly #running = new Map<Name, Running>();

  /** @param owner prefix of the timers' names as the clock lists them */
  constructor(clock: Clock, owner: string, fire: (name: Name) => void) {
    this.#clock = clock;
    this.#owner = owner;
    this.#fire = fire;
  }

  /** Sets the timer, from now on, in place of one that may run. */
  arm(name: Name, delay: Millis): void {
    const due = this.#clock.now() + delay;
    const running = this.#running.get(name);
    if (running !== undefined && due >= running.set) {
      running.due = due;
      return;
    }
    running?.cancel();
    this.#set(name, due, delay);
  }

  disarm(name: Name): void {
    this.#running.get(name)?.cancel();
    this.#running.delete(name);
  }

  disarmAll(): void {
    for (const { cancel } of this.#running.values()) cancel();
    this.#running.clear();
  }

  /** What runs, with the time left. */
  pending(): { readonly name: Name; readonly inMs: Millis }[] {
    return [...this.#running].map(([name, { due }]) => ({ name, inMs: due - this.#clock.now() }));
  }

  #set(name: Name, due: Millis, delay: Millis): void {
    const cancel = this.#clock.after(delay, `${this.#owner} ${name}`, () => this.#fired(name));
    this.#running.set(name, { due, set: this.#clock.now() + delay, cancel });
  }

  #fired(name: Name): void {
    const running = this.#running.get(name);
    if (running === undefined) return;
    const left = running.due - this.#clock.now();
    // Half a millisecond: the machine's timers may fire a little before their time.
    if (left > 0.5) {
      this.#set(name, running.due, left);
      return;
    }
    this.#running.delete(name);
    this.#fire(name);
  }
}
