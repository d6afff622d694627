/** For the contract's tests: keys, shorthand writes, and a watch that can be waited for. */
import type { Key, Selection, Store, WatchBatch } from './store.ts';

/** What an engine cannot promise because its history is not its own. */
export interface Traits {
  /**
   * False where others move the revision too (an API server counts the writes of a whole cluster): it then moves without
   * a commit, and a commit moves it by more than one.
   */
  readonly ownsRevisions: boolean;
  /** False where somebody else alone decides when history is forgotten: `compact` then changes nothing. */
  readonly compacts: boolean;
  /** Histories that are tried; fewer where each takes long. */
  readonly histories: number;
}

export const FULL: Traits = { ownsRevisions: true, compacts: true, histories: 40 };

export const OTHERS_WRITE = 'others move the revision of this engine too';
export const NO_COMPACTION = 'this engine does not decide when history is forgotten';

export function key(name: string): Key {
  return { kind: 'K', scope: '', name };
}

export async function put(store: Store, name: string, value: unknown) {
  const commit = await store.commit([{ type: 'put', key: key(name), value, expect: 'any' }]);
  if (!commit.ok) throw new Error('a put without expectation was refused');
  return commit;
}

export async function names(store: Store): Promise<string[]> {
  return (await store.list({ kind: 'K' })).entries.map(({ key }) => key.name);
}

export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

export function brief(event: WatchBatch['events'][number]): string {
  const previous = event.previous === undefined ? '-' : String(event.previous.value);
  return event.type === 'put'
    ? `${event.entry.key.name} ${previous}>${String(event.entry.value)}`
    : `${event.previous.key.name} ${previous}>-`;
}

/** Collects what a watch tells. */
export function follow(store: Store, from: string, selections: readonly Selection[] = [{ kind: 'K' }]) {
  const abort = new AbortController();
  const batches: WatchBatch[] = [];
  let tell = Promise.withResolvers<void>();
  const run = async (): Promise<void> => {
    try {
      for await (const batch of store.watch(selections, from, abort.signal)) {
        batches.push(batch);
        tell.resolve();
      }
    } finally {
      tell.resolve();
    }
  };
  const ended = run();
  // Whoever waits for `ended` hears of a failure; it must not count as unhandled until then.
  ended.catch(() => {});
  const wait = async (enough: () => boolean): Promise<void> => {
    while (!enough()) {
      tell = Promise.withResolvers<void>();
      await Promise.race([tell.promise, ended]);
    }
  };
  return {
    batches,
    ended,
    until: async (count: number) => wait(() => batches.length >= count),
    untilRevision: async (revision: string | undefined) =>
      wait(() => revision === undefined || batches.at(-1)?.revision === revision),
    stop: async (): Promise<void> => {
      abort.abort();
      await ended;
    },
  };
}
