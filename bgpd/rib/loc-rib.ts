/**
 * Loc-RIB of one family (RFC 4271 §3.2, §9.1.2): per prefix every accepted path and the decision over them.
 *
 * Changes mark prefixes dirty; `decideSome` works them off in slices, so that one turn of the event loop stays short
 * while a full table loads, and a prefix that changed ten times in between is decided once. Outcomes that differ go to
 * the journal.
 */
import type { Prefix } from '../../net/addr/index.ts';
import { decide, explain, type Decision, type DecisionOptions } from './decision.ts';
import { Journal } from './journal.ts';
import { samePathKey, type Path, type Source } from './path.ts';
import type { PrefixIndex } from './prefix-index.ts';

interface Entry {
  paths: Path[];
  decision: Decision;
}

const NO_DECISION: Decision = { best: undefined, multipath: [] };

export class LocRib {
  readonly index: PrefixIndex;
  readonly journal = new Journal();
  #options: DecisionOptions;
  readonly #entries = new Map<number, Entry>();
  readonly #dirty = new Set<number>();

  constructor(index: PrefixIndex, options: DecisionOptions) {
    this.index = index;
    this.#options = options;
  }

  /** Prefixes with at least one accepted path. */
  get size(): number {
    return this.#entries.size;
  }

  get dirty(): number {
    return this.#dirty.size;
  }

  /** Adds the path, or puts it in the place of the same source's path with the same path id. */
  put(id: number, path: Path): void {
    const entry = this.#entryOf(id);
    const at = entry.paths.findIndex((each) => samePathKey(each, path.source, path.pathId));
    if (at < 0) entry.paths.push(path);
    else entry.paths[at] = path;
    this.#dirty.add(id);
  }

  remove(id: number, source: Source, pathId: number): void {
    const entry = this.#entries.get(id);
    const at = entry?.paths.findIndex((path) => samePathKey(path, source, pathId)) ?? -1;
    if (entry === undefined || at < 0) return;
    entry.paths.splice(at, 1);
    this.#dirty.add(id);
  }

  setOptions(options: DecisionOptions): void {
    this.#options = options;
    for (const id of this.#entries.keys()) this.#dirty.add(id);
  }

  /** Decides up to `limit` dirty prefixes; true while more wait. */
  decideSome(limit: number): boolean {
    let done = 0;
    for (const id of this.#dirty) {
      if (done === limit) return true;
      this.#dirty.delete(id);
      this.#decideOne(id);
      done++;
    }
    return false;
  }

  best(id: number): Path | undefined {
    return this.#entries.get(id)?.decision.best;
  }

  decision(id: number): Decision {
    return this.#entries.get(id)?.decision ?? NO_DECISION;
  }

  paths(id: number): readonly Path[] {
    return this.#entries.get(id)?.paths ?? [];
  }

  /** Why each path of a prefix was or was not chosen; see {@link explain}. */
  explain(id: number): Map<Path, string | undefined> {
    return explain(this.paths(id), this.#options);
  }

  /** Ids of all prefixes that have a path, for a consumer that starts from the table. */
  ids(): IterableIterator<number> {
    return this.#entries.keys();
  }

  prefix(id: number): Prefix | undefined {
    return this.index.prefix(id);
  }

  #entryOf(id: number): Entry {
    const entry = this.#entries.get(id);
    if (entry !== undefined) return entry;
    const created: Entry = { paths: [], decision: NO_DECISION };
    this.#entries.set(this.index.retain(id), created);
    return created;
  }

  #decideOne(id: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    const before = entry.decision;
    entry.decision = decide(entry.paths, this.#options);
    if (!sameDecision(before, entry.decision)) this.journal.append(id, this.#entries.size);
    if (entry.paths.length > 0) return;
    this.#entries.delete(id);
    this.index.release(id);
  }
}

function sameDecision(a: Decision, b: Decision): boolean {
  return (
    a.best === b.best &&
    a.multipath.length === b.multipath.length &&
    a.multipath.every((path, i) => path === b.multipath[i])
  );
}
