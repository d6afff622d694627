import { performance } from 'node:perf_hooks';
import type { Cancel, Clock, Millis } from './clock.ts';

interface Pending {
  readonly name: string;
  readonly due: Millis;
}

/** The machine's clock. `pending()` lists what waits, for the control socket. */
export class SystemClock implements Clock {
  readonly #pending = new Map<NodeJS.Timeout | NodeJS.Immediate, Pending>();

  now(): Millis {
    return performance.now();
  }

  wall(): Date {
    return new Date();
  }

  after(delay: Millis, name: string, fire: () => void): Cancel {
    // The shortest timeout is a millisecond; who asks for none wants the next turn of the event loop.
    if (delay <= 0) return this.#next(name, fire);
    const timer = setTimeout(() => {
      this.#pending.delete(timer);
      fire();
    }, delay);
    this.#pending.set(timer, { name, due: this.now() + delay });
    return () => {
      clearTimeout(timer);
      this.#pending.delete(timer);
    };
  }

  #next(name: string, fire: () => void): Cancel {
    const turn = setImmediate(() => {
      this.#pending.delete(turn);
      fire();
    });
    this.#pending.set(turn, { name, due: this.now() });
    return () => {
      clearImmediate(turn);
      this.#pending.delete(turn);
    };
  }

  pending(): { readonly name: string; readonly inMs: Millis }[] {
    const now = this.now();
    return [...this.#pending.values()].map(({ name, due }) => ({ name, inMs: Math.round(due - now) }));
  }
}
