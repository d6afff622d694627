/**
 * What is wanted of routes, each thing once however many routes want it, with what to write for it: most routes share their
 * next hops with thousands of others, and so nothing about next hops is worked out, or kept, for each route. Pure.
 */
import type { PoolRouting } from '../../api/encapsulation.ts';
import type { ForwardingEntry } from '../speaker/ports.ts';
import { sameEntry, type TableEntry } from './table-entry.ts';

/** Two routes want the same exactly when they have the same Want. */
export interface Want {
  readonly entry: ForwardingEntry;
  readonly key: string;
  /** How many routes want it. */
  routes: number;
  /** In which {@link goals} are true. */
  epoch: number;
  /** What to write, by the pool that the prefix is in. */
  goals: Map<PoolRouting | undefined, TableEntry | undefined>;
}

export class Wants {
  readonly #wants = new Map<string, Want>();
  /** Routes of one path come one after the other, with one entry. */
  #last: Want | undefined;
  #lastEntry: ForwardingEntry | undefined;

  /** Owned by the caller, until {@link give}. */
  take(entry: ForwardingEntry): Want {
    const want = this.#lastEntry === entry && this.#last !== undefined ? this.#last : this.#find(entry);
    this.#last = want;
    this.#lastEntry = entry;
    want.routes++;
    return want;
  }

  give(want: Want): void {
    want.routes--;
    if (want.routes > 0) return;
    this.#wants.delete(want.key);
    if (this.#last === want) this.#last = undefined;
  }

  #find(entry: ForwardingEntry): Want {
    const key = keyOf(entry);
    let want = this.#wants.get(key);
    if (want === undefined) {
      want = { entry, key, routes: 0, epoch: -1, goals: new Map() };
      this.#wants.set(key, want);
    }
    return want;
  }
}

/**
 * What to write for a want in this epoch. The same object as in an epoch before where it says the same: then the kernel has it
 * already.
 *
 * @param find  works it out
 */
export function goalIn(
  epoch: number,
  want: Want,
  pool: PoolRouting | undefined,
  find: (entry: ForwardingEntry) => TableEntry | undefined,
): TableEntry | undefined {
  if (want.epoch === epoch && want.goals.has(pool)) return want.goals.get(pool);
  const before = want.goals.get(pool);
  if (want.epoch !== epoch) want.goals = new Map();
  want.epoch = epoch;
  const found = find(want.entry);
  const goal = before !== undefined && sameEntry(before, found) ? before : found;
  want.goals.set(pool, goal);
  return goal;
}

/** The order of gateways means nothing. */
function keyOf(entry: ForwardingEntry): string {
  if (entry.type === 'blackhole') return entry.type;
  const [only] = entry.gateways;
  if (only !== undefined && entry.gateways.length === 1) return only.toString();
  return entry.gateways.map(String).sort().join();
}
