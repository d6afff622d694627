/**
 * Loc-RIB of one family (RFC 4271 §3.2, §9.1.2): per prefix every accepted path and the decision over them.
 *
 * Changes mark prefixes dirty; `decideSome` works them off in slices, so that one turn of the event loop stays short
 * while a full table loads, and a prefix that changed ten times in between is decided once. Outcomes that differ go to
 * the journal.
 *
 * Hot (bench/micro/bgp-inbound.ts). The usual prefix has one path and costs two numbers, in columns by prefix id: the
 * candidate and the choice. Only where there are several, a list stands beside. `best(id)` allocates nothing, and the
 * path it answers is shared by all prefixes of that advertisement (`path.ts`).
 */
import type { Prefix } from '../../net/addr/index.ts';
import { Column } from './column.ts';
import { decide, explain, type Decision, type DecisionOptions } from './decision.ts';
import { IdQueue } from './id-queue.ts';
import { Journal } from './journal.ts';
import type { PathTable } from './path-table.ts';
import { samePathKey, type Path, type Source } from './path.ts';
import type { PrefixIndex } from './prefix-index.ts';

/** In the column of candidates: there is a list. */
const SEVERAL = 0xffffffff;
const NO_PATHS: readonly Path[] = [];

export class LocRib {
  readonly index: PrefixIndex;
  readonly journal = new Journal();
  readonly table: PathTable;
  #options: DecisionOptions;
  /** Prefix id -> number of its only accepted path + 1, 0 = none, or {@link SEVERAL}. Owned. */
  readonly #candidates = new Column();
  /** Prefix id -> number of the chosen path + 1, 0 = none. Owned: it may be chosen still and a candidate no more. */
  readonly #chosen = new Column();
  /** The candidates of prefixes with several. */
  readonly #lists = new Map<number, Path[]>();
  /** The multipath sets of more than one path, best first. Owned. */
  readonly #equals = new Map<number, readonly Path[]>();
  readonly #dirty = new IdQueue();
  /** Everything from this id on is to be decided again. */
  #reviewAt: number | undefined;
  #size = 0;

  constructor(index: PrefixIndex, options: DecisionOptions, table: PathTable) {
    this.index = index;
    this.#options = options;
    this.table = table;
  }

  /** Prefixes with at least one accepted path, and those not decided yet since they lost theirs. */
  get size(): number {
    return this.#size;
  }

  /** Prefixes known to wait for a decision; more come while other {@link setOptions} are being carried out. */
  get dirty(): number {
    return this.#dirty.size + (this.#reviewAt === undefined ? 0 : 1);
  }

  /** Adds the path, or puts it in the place of the same source's path with the same path id. */
  put(id: number, path: Path): void {
    this.table.retain(path.number);
    const slot = this.#candidates.get(id);
    if (slot === 0) {
      if (!this.#dirty.has(id)) this.#enter(id);
      this.#candidates.set(id, path.number + 1);
    } else if (slot === SEVERAL) {
      this.#putBeside(this.#lists.get(id) ?? [], path);
    } else {
      this.#putSecond(id, this.table.at(slot - 1), path);
    }
    this.#dirty.push(id);
  }

  remove(id: number, source: Source, pathId: number): void {
    const slot = this.#candidates.get(id);
    if (slot === 0) return;
    if (slot === SEVERAL) {
      if (!this.#removeFrom(id, this.#lists.get(id) ?? [], source, pathId)) return;
    } else {
      if (!samePathKey(this.table.at(slot - 1), source, pathId)) return;
      this.#candidates.set(id, 0);
      this.table.release(slot - 1);
    }
    this.#dirty.push(id);
  }

  /** Counts for whatever is decided from now on; what has been decided is decided again, over the next slices. */
  setOptions(options: DecisionOptions): void {
    this.#options = options;
    this.#reviewAt = 0;
  }

  /** Decides up to `limit` dirty prefixes; true while more wait. */
  decideSome(limit: number): boolean {
    if (this.#reviewAt !== undefined) this.#review(this.#reviewAt, limit);
    for (let done = 0; done < limit; done++) {
      const id = this.#dirty.shift();
      if (id === undefined) break;
      this.#decideOne(id);
    }
    return this.dirty > 0;
  }

  #review(from: number, limit: number): void {
    let id = this.#candidates.next(from);
    for (let done = 0; done < limit && id !== undefined; done++) {
      this.#dirty.push(id);
      id = this.#candidates.next(id + 1);
    }
    this.#reviewAt = id;
  }

  /** Allocates nothing. Where the prefix is dirty, the outcome before. */
  best(id: number): Path | undefined {
    const chosen = this.#chosen.get(id);
    return chosen === 0 ? undefined : this.table.at(chosen - 1);
  }

  decision(id: number): Decision {
    const best = this.best(id);
    return { best, multipath: this.#equals.get(id) ?? (best === undefined ? NO_PATHS : [best]) };
  }

  paths(id: number): readonly Path[] {
    const slot = this.#candidates.get(id);
    if (slot === 0) return NO_PATHS;
    return slot === SEVERAL ? (this.#lists.get(id) ?? NO_PATHS) : [this.table.at(slot - 1)];
  }

  /** Why each path of a prefix was or was not chosen; see {@link explain}. */
  explain(id: number): Map<Path, string | undefined> {
    return explain(this.paths(id), this.#options);
  }

  /** Ids of all prefixes that have a path, in order, for a consumer that starts from the table. */
  ids(): IterableIterator<number> {
    return this.#candidates.ids();
  }

  prefix(id: number): Prefix | undefined {
    return this.index.prefix(id);
  }

  #enter(id: number): void {
    this.index.retain(id);
    this.#size++;
  }

  #leave(id: number): void {
    this.#size--;
    this.index.release(id);
  }

  #putSecond(id: number, first: Path, path: Path): void {
    if (samePathKey(first, path.source, path.pathId)) {
      this.#candidates.set(id, path.number + 1);
      this.table.release(first.number);
      return;
    }
    this.#candidates.set(id, SEVERAL);
    this.#lists.set(id, [first, path]);
  }

  #putBeside(list: Path[], path: Path): void {
    const at = list.findIndex((each) => samePathKey(each, path.source, path.pathId));
    const old = list[at];
    if (old === undefined) {
      list.push(path);
      return;
    }
    list[at] = path;
    this.table.release(old.number);
  }

  #removeFrom(id: number, list: Path[], source: Source, pathId: number): boolean {
    const at = list.findIndex((path) => samePathKey(path, source, pathId));
    const old = list[at];
    if (old === undefined) return false;
    list.splice(at, 1);
    this.table.release(old.number);
    const left = list.length === 1 ? list[0] : undefined;
    if (left === undefined) return true;
    this.#candidates.set(id, left.number + 1);
    this.#lists.delete(id);
    return true;
  }

  #decideOne(id: number): void {
    const slot = this.#candidates.get(id);
    if (slot === SEVERAL || (this.#equals.size > 0 && this.#equals.has(id))) {
      const { best, multipath } = decide(this.paths(id), this.#options);
      const differs = this.#chooseEquals(id, multipath);
      if (this.#choose(id, best === undefined ? 0 : best.number + 1) || differs) this.#note(id);
    } else {
      const usable = slot !== 0 && this.table.at(slot - 1).reachable;
      if (this.#choose(id, usable ? slot : 0)) this.#note(id);
    }
    if (slot === 0) this.#leave(id);
  }

  #note(id: number): void {
    this.journal.append(id, this.#size);
  }

  /** True where the choice is another. */
  #choose(id: number, chosen: number): boolean {
    const before = this.#chosen.get(id);
    if (before === chosen) return false;
    if (chosen !== 0) this.table.retain(chosen - 1);
    this.#chosen.set(id, chosen);
    if (before !== 0) this.table.release(before - 1);
    return true;
  }

  /** True where the set is another. */
  #chooseEquals(id: number, multipath: readonly Path[]): boolean {
    const before = this.#equals.get(id) ?? NO_PATHS;
    const after = multipath.length > 1 ? multipath : NO_PATHS;
    if (before.length === after.length && before.every((path, i) => path === after[i])) return false;
    for (const { number } of after) this.table.retain(number);
    if (after.length > 0) this.#equals.set(id, after);
    else this.#equals.delete(id);
    for (const { number } of before) this.table.release(number);
    return true;
  }
}
