/**
 * Looks for the way to every next hop anew, when a route of ours that may lead to one has come or gone: one search for all that
 * change within a time, and in slices, since a table may be large.
 */
import type { Cancel, Clock, Millis } from '../../clock/clock.ts';
import type { Goals } from './goals.ts';
import type { Routes } from './routes.ts';
import { sameEntry } from './table-entry.ts';

/** Routes looked at in one turn. */
const SLICE = 2_000;

export interface ResolvingOptions {
  readonly clock: Clock;
  readonly routes: Routes;
  readonly goals: Goals;
  /** A route that is to stand otherwise than it does. */
  readonly onDifference: (id: number) => void;
}

export class Resolving {
  readonly #options: ResolvingOptions;
  #timer: Cancel | undefined;
  #again = false;
  #closed = false;

  constructor(options: ResolvingOptions) {
    this.#options = options;
  }

  /** @param gatherMs  to wait for more */
  soon(gatherMs: Millis): void {
    if (this.#closed) return;
    this.#again = true;
    this.#timer ??= this.#options.clock.after(gatherMs, 'resolve next hops', () => {
      this.#again = false;
      this.#options.goals.resolveAnew();
      this.#some(this.#options.routes.ids(), gatherMs);
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.();
  }

  /** What comes meanwhile is right already, or asks for another round. */
  #some(ids: Iterator<number, undefined>, gatherMs: Millis): void {
    const { clock, routes, goals, onDifference } = this.#options;
    for (let i = 0; i < SLICE; i++) {
      const { value: id } = ids.next();
      if (id === undefined) {
        this.#timer = undefined;
        if (this.#again) this.soon(gatherMs);
        return;
      }
      const unicast = routes.want(id)?.entry.type === 'unicast';
      if (unicast && !sameEntry(goals.of(id), routes.actual(id))) onDifference(id);
    }
    this.#timer = clock.after(0, 'resolve next hops', () => this.#some(ids, gatherMs));
  }
}
