/**
 * Adj-RIB-Out of one update group and family (RFC 4271 §3.2): which exported set its members have been told for each
 * prefix id, and the prefixes of each set in a row, so that a table goes out packed however it was learned.
 *
 * Sets know the source of their routes, because a member is never told its own (split horizon).
 */
import { Column } from './column.ts';
import { NO_SET, type ExportedSets } from './exported-sets.ts';
import type { IdSet } from './id-set.ts';
import type { PrefixIndex } from './prefix-index.ts';
import { widen } from './widen.ts';

/** In place of an id. */
export const NO_PREFIX = -1;

/** No prefix; ids in the rows are stored plus one. */
const NONE = 0;

export class AdjRibOut {
  readonly sets: ExportedSets;
  readonly #index: PrefixIndex;
  /** By prefix id: the set, and its neighbours in the row of that set. */
  #set = new Uint32Array(0);
  #next = new Uint32Array(0);
  #before = new Uint32Array(0);
  /** By id of the source: routes that came from it. */
  readonly #bySource = new Column();
  /** By set: the first of its row, and when the row last changed. */
  #first = new Uint32Array(0);
  #changed = new Float64Array(0);
  #size = 0;
  #serial = 0;
  /** Where {@link drain} goes on. */
  #drained = 0;

  constructor(index: PrefixIndex, sets: ExportedSets) {
    this.#index = index;
    this.sets = sets;
  }

  get size(): number {
    return this.#size;
  }

  /** Grows with every change. */
  get serial(): number {
    return this.#serial;
  }

  /** {@link NO_SET} where the group has been told nothing. */
  get(id: number): number {
    return this.#set[id] ?? NO_SET;
  }

  /** Whether the member has been told the prefix. */
  tells(id: number, member: number): boolean {
    const set = this.get(id);
    return set !== NO_SET && this.sets.source(set) !== member;
  }

  /** Routes that came from this source, which as a member does not see them. */
  countOf(source: number): number {
    return this.#bySource.get(source);
  }

  /** When the row of the set last changed, as a {@link serial}. */
  changedAt(set: number): number {
    return this.#changed[set] ?? 0;
  }

  /** The first prefix of a set, and the one behind another; {@link NO_PREFIX} at the end. */
  first(set: number): number {
    return (this.#first[set] ?? NONE) - 1;
  }

  after(id: number): number {
    return (this.#next[id] as number) - 1;
  }

  /** All that the member has been told. A plain loop, as it may be a million for each of many members. */
  addTold(member: number, into: IdSet): void {
    const sets = this.#set;
    for (let id = 0; id < sets.length; id++) {
      const set = sets[id] as number;
      if (set !== NO_SET && this.sets.source(set) !== member) into.add(id);
    }
  }

  *ids(): Generator<number, void> {
    for (let id = 0; id < this.#set.length; id++) if (this.#set[id] !== NO_SET) yield id;
  }

  /**
   * Notes that the prefix is told with this set, or with {@link NO_SET} not any more. Owns the id while it is told:
   * of one that is not any more, the caller owns the reference now.
   */
  put(id: number, set: number): void {
    if (id >= this.#set.length) this.#widenIds(id);
    const old = this.#set[id] as number;
    if (old === set) return;
    this.#serial++;
    if (old === NO_SET) {
      this.#index.retain(id);
      this.#size++;
    } else this.#unlink(id, old);
    if (set === NO_SET) this.#size--;
    else this.#link(id, set);
    this.#set[id] = set;
  }

  /** Gives up to `limit` ids back, once nobody is told anything any more; true while there are others. */
  drain(limit: number): boolean {
    const sets = this.#set;
    for (let left = limit; this.#drained < sets.length && left > 0; this.#drained++) {
      if (sets[this.#drained] === NO_SET) continue;
      sets[this.#drained] = NO_SET;
      this.#index.release(this.#drained);
      left--;
    }
    return this.#drained < sets.length;
  }

  #link(id: number, set: number): void {
    if (set >= this.#first.length) this.#widenSets(set);
    this.sets.retain(set);
    const first = this.#first[set] as number;
    this.#next[id] = first;
    this.#before[id] = NONE;
    if (first !== NONE) this.#before[first - 1] = id + 1;
    this.#first[set] = id + 1;
    this.#tally(set, 1);
    this.#changed[set] = this.#serial;
  }

  #unlink(id: number, set: number): void {
    const next = this.#next[id] as number;
    const before = this.#before[id] as number;
    if (before === NONE) this.#first[set] = next;
    else this.#next[before - 1] = next;
    if (next !== NONE) this.#before[next - 1] = before;
    this.#tally(set, -1);
    this.#changed[set] = this.#serial;
    this.sets.release(set);
  }

  #tally(set: number, by: 1 | -1): void {
    const source = this.sets.source(set);
    this.#bySource.set(source, this.#bySource.get(source) + by);
  }

  #widenIds(id: number): void {
    const length = Math.max(64, id + 1, this.#set.length * 2);
    this.#set = widen(this.#set, length);
    this.#next = widen(this.#next, length);
    this.#before = widen(this.#before, length);
  }

  #widenSets(set: number): void {
    const length = Math.max(64, set + 1, this.#first.length * 2);
    this.#first = widen(this.#first, length);
    this.#changed = widen(this.#changed, length);
  }
}
