import { performance } from 'node:perf_hooks';
import type { Cancel, Clock, Millis } from './clock.ts';

/** The machine's clock. `pending()` lists what waits, for the control socket. */
export class SystemClock implements Clock {
  readonly #pending = new Map<NodeJS.Timeout, { readonly name: string; readonly due: Millis }>();

  now(): Millis {
    return performance.now();
  }

  wall(): Date {
    return new Date();
  }

  after(delay: Millis, name: string, fire: () => void): Cancel {
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

  pending(): { readonly name: string; readonly inMs: Millis }[] {
    const now = this.now();
    return [...this.#pending.values()].map(({ name, due }) => ({ name, inMs: Math.round(due - now) }));
  }
}
