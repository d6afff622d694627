/** Counts what goes to the store on its way there. */
import type {
  Commit,
  Entry,
  Key,
  Operation,
  Revision,
  Selection,
  Store,
  WatchBatch,
} from '../../datastore/index.ts';

export interface StoreCounts {
  reads: number;
  /** Transactions that wrote. */
  commits: number;
  /** Transactions that others were quicker than. */
  refused: number;
}

export class CountingStore implements Store {
  readonly counts: StoreCounts = { reads: 0, commits: 0, refused: 0 };
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  get transactional(): boolean {
    return this.#store.transactional;
  }

  async get(key: Key): Promise<Entry | undefined> {
    this.counts.reads++;
    return this.#store.get(key);
  }

  async list(selection: Selection, at?: Revision): ReturnType<Store['list']> {
    this.counts.reads++;
    return this.#store.list(selection, at);
  }

  async names(selection: Selection): Promise<readonly Key[]> {
    this.counts.reads++;
    return (
      (await this.#store.names?.(selection)) ??
      (await this.#store.list(selection)).entries.map(({ key }) => key)
    );
  }

  async commit(operations: readonly Operation[]): Promise<Commit> {
    const commit = await this.#store.commit(operations);
    if (commit.ok) this.counts.commits++;
    else this.counts.refused++;
    return commit;
  }

  watch(selections: readonly Selection[], from: Revision, signal: AbortSignal): AsyncIterable<WatchBatch> {
    return this.#store.watch(selections, from, signal);
  }

  async revision(): Promise<Revision> {
    return this.#store.revision();
  }

  async compact(through: Revision): Promise<void> {
    return this.#store.compact(through);
  }

  async close(): Promise<void> {
    return this.#store.close();
  }
}
