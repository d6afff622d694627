/**
 * A Store in memory, for tests that must decide the order in which things happen. It keeps the whole contract (the same
 * suite runs on it), with every call answered at once.
 */
import { parseJson, stringifyJson } from './json.ts';
import { holds } from './prepare.ts';
import {
  type Commit,
  CompactedError,
  type Entry,
  type Key,
  keyText,
  type Operation,
  type Revision,
  type Selection,
  type Store,
  sameKey,
  selects,
  type WatchBatch,
  type WatchEvent,
} from './store.ts';

interface Stored {
  readonly key: Key;
  readonly text: string;
  readonly revision: number;
}

interface Change {
  readonly key: Key;
  readonly before: Stored | undefined;
  readonly after: Stored | undefined;
}

export class SimulatedStore implements Store {
  readonly transactional: boolean;
  readonly #objects = new Map<string, Stored>();
  /** By revision - 1. */
  readonly #history: (readonly Change[])[] = [];
  #compacted = 0;
  #wake = Promise.withResolvers<void>();
  #closed = false;

  constructor(options: { readonly transactional?: boolean } = {}) {
    this.transactional = options.transactional ?? true;
  }

  async get(key: Key): Promise<Entry | undefined> {
    return toEntry(this.#objects.get(idOf(key)));
  }

  async list(
    selection: Selection,
    at?: Revision,
  ): Promise<{ entries: readonly Entry[]; revision: Revision }> {
    const revision = at === undefined ? this.#history.length : this.#reachable(at);
    const objects = new Map(this.#objects);
    for (const change of this.#history.slice(revision).reverse().flat()) {
      if (change.before === undefined) objects.delete(idOf(change.key));
      else objects.set(idOf(change.key), change.before);
    }
    const entries = [...objects.values()]
      .filter(({ key }) => selects(selection, key))
      .toSorted((a, b) => compareKeys(a.key, b.key))
      .map((stored) => toEntry(stored)!);
    return { entries, revision: String(revision) };
  }

  async commit(operations: readonly Operation[]): Promise<Commit> {
    if (!this.transactional && operations.length > 1)
      throw new Error('this store commits one operation at a time');
    for (const [i, { key }] of operations.entries()) {
      if (operations.slice(0, i).some((other) => sameKey(other.key, key))) {
        throw new Error(`${keyText(key)} appears twice in one commit`);
      }
    }
    for (const operation of operations) {
      const stored = this.#objects.get(idOf(operation.key));
      if (!holds(operation.expect, stored === undefined ? undefined : String(stored.revision)))
        return { ok: false, failed: operation, current: toEntry(stored) };
    }
    const next = this.#history.length + 1;
    const changes = operations.flatMap((operation) => this.#change(operation, next));
    const entries = changes.flatMap(({ after }) => toEntry(after) ?? []);
    if (changes.length === 0) return { ok: true, revision: String(next - 1), entries };
    for (const { key, after } of changes) {
      if (after === undefined) this.#objects.delete(idOf(key));
      else this.#objects.set(idOf(key), after);
    }
    this.#history.push(changes);
    this.#wakeAll();
    return { ok: true, revision: String(next), entries };
  }

  async *watch(
    selections: readonly Selection[],
    from: Revision,
    signal: AbortSignal,
  ): AsyncIterable<WatchBatch> {
    const onAbort = (): void => this.#wakeAll();
    signal.addEventListener('abort', onAbort);
    try {
      let position = Number(from);
      while (!signal.aborted && !this.#closed) {
        const wake = this.#wake.promise;
        this.#reachable(String(position));
        if (position === this.#history.length) await wake;
        else {
          const batch = this.#batch(++position, selections);
          if (batch.events.length > 0) yield batch;
        }
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async revision(): Promise<Revision> {
    return String(this.#history.length);
  }

  async compact(through: Revision): Promise<void> {
    const revision = Number(through);
    if (revision > this.#history.length) throw new RangeError(`revision ${through} is not written yet`);
    this.#compacted = Math.max(this.#compacted, revision);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wakeAll();
  }

  #change(operation: Operation, revision: number): Change[] {
    const { key } = operation;
    const before = this.#objects.get(idOf(key));
    if (operation.type === 'put') {
      return [{ key, before, after: { key, text: stringifyJson(operation.value), revision } }];
    }
    return operation.type === 'delete' && before !== undefined ? [{ key, before, after: undefined }] : [];
  }

  #batch(revision: number, selections: readonly Selection[]): WatchBatch {
    const changes = this.#history[revision - 1] ?? [];
    const selected = changes.filter(({ key }) => selections.some((selection) => selects(selection, key)));
    return { revision: String(revision), events: selected.map((change) => toEvent(change, revision)) };
  }

  #reachable(revision: Revision): number {
    const asked = Number(revision);
    if (asked < this.#compacted || asked > this.#history.length) {
      throw new CompactedError(revision, String(this.#compacted));
    }
    return asked;
  }

  #wakeAll(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }
}

function toEvent({ before, after }: Change, revision: number): WatchEvent {
  if (after !== undefined) return { type: 'put', entry: toEntry(after)!, previous: toEntry(before) };
  return { type: 'delete', previous: toEntry(before)!, revision: String(revision) };
}

function toEntry(stored: Stored | undefined): Entry | undefined {
  return stored && { key: stored.key, value: parseJson(stored.text), revision: String(stored.revision) };
}

function idOf({ kind, scope, name }: Key): string {
  return JSON.stringify([kind, scope, name]);
}

/** By code point: UTF-16 units would put characters beyond the basic plane before U+E000. */
function compareKeys(a: Key, b: Key): number {
  for (const part of ['kind', 'scope', 'name'] as const) {
    const order = Buffer.compare(Buffer.from(a[part]), Buffer.from(b[part]));
    if (order !== 0) return order;
  }
  return 0;
}
