import type { Cancel, Clock, Millis } from './clock.ts';

interface Timer {
  readonly due: Millis;
  readonly order: number;
  readonly name: string;
  readonly fire: () => void;
}

/** A clock that stands still until the test moves it. Timers fire in due order, ties in the order they were set. */
export class SimulatedClock implements Clock {
  #now: Millis = 0;
  #order = 0;
  readonly #timers = new Set<Timer>();

  now(): Millis {
    return this.#now;
  }

  wall(): Date {
    return new Date(Date.UTC(2026, 0, 1) + this.#now);
  }

  after(delay: Millis, name: string, fire: () => void): Cancel {
    const timer: Timer = { due: this.#now + Math.max(0, delay), order: this.#order++, name, fire };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Moves time forward, firing what falls due on the way, including timers that those set. */
  advance(by: Millis): void {
    const end = this.#now + by;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#now = Math.max(this.#now, next.due);
      this.#timers.delete(next);
      next.fire();
    }
    this.#now = end;
  }

  /** Fires the earliest timer, jumping to its time. False when none waits. */
  step(): boolean {
    const next = this.#next(Number.POSITIVE_INFINITY);
    if (next === undefined) return false;
    this.advance(Math.max(0, next.due - this.#now));
    return true;
  }

  pending(): { readonly name: string; readonly inMs: Millis }[] {
    return [...this.#timers]
      .sort((a, b) => a.due - b.due || a.order - b.order)
      .map(({ name, due }) => ({ name, inMs: due - this.#now }));
  }

  #next(until: Millis): Timer | undefined {
    let best: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.due > until) continue;
      if (best === undefined || timer.due < best.due || (timer.due === best.due && timer.order < best.order))
        best = timer;
    }
    return best;
  }
}
