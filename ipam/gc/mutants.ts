/** For tests: writers with one mistake each, of the kind that the order of writes in IPAM is there to prevent. */
import type { Commit, Entry, Key, Operation, Revision, Selection, Store } from '../../datastore/index.ts';
import type { IPAMBlock } from '../block.ts';
import { type Mutation, Through } from './law.ts';

/** Writes blocks without comparing what it read. */
class Overwriting extends Through {
  override async commit(operations: readonly Operation[]): Promise<Commit> {
    return this.store.commit(
      operations.map((operation) =>
        operation.key.kind === 'IPAMBlock' && operation.type === 'put' && operation.expect !== 'absent'
          ? { ...operation, expect: 'any' as const }
          : operation,
      ),
    );
  }
}

/** Counts an address in its handle only once it is in the block. */
class CountingLate extends Through {
  #late: Operation | undefined;

  override async commit(operations: readonly Operation[]): Promise<Commit> {
    const [first] = operations;
    if (operations.length > 1 || first === undefined) return this.store.commit(operations);
    if (first.type === 'put' && first.key.kind === 'IPAMHandle') {
      this.#late = first;
      const { key, value } = first;
      return { ok: true, revision: 'late', entries: [{ key, value, revision: 'late' }] };
    }
    const answer = await this.store.commit(operations);
    const late = this.#late;
    if (late === undefined || first.key.kind !== 'IPAMBlock') return answer;
    this.#late = undefined;
    if (answer.ok) await this.store.commit([late]);
    return answer;
  }
}

/** Writes what belongs together one key after the other. */
class Splitting extends Through {
  override async commit(operations: readonly Operation[]): Promise<Commit> {
    let answer = await this.store.commit(operations.slice(0, 1));
    for (const operation of operations.slice(1)) {
      if (!answer.ok) return answer;
      const next = await this.store.commit([operation]);
      answer = next.ok ? { ...next, entries: [...answer.entries, ...next.entries] } : next;
    }
    return answer;
  }
}

/** Does not see at which write of its block an address was given. */
class Unsequenced extends Through {
  override async get(key: Key): Promise<Entry | undefined> {
    const entry = await this.store.get(key);
    return entry && this.#without(entry);
  }

  override async list(
    selection: Selection,
    at?: Revision,
  ): Promise<{ entries: readonly Entry[]; revision: Revision }> {
    const { entries, revision } = await this.store.list(selection, at);
    return { entries: entries.map((entry) => this.#without(entry)), revision };
  }

  #without(entry: Entry): Entry {
    if (entry.key.kind !== 'IPAMBlock') return entry;
    const { sequenceNumberForAllocation: _sequences, ...block } = entry.value as IPAMBlock;
    return { ...entry, value: block };
  }
}

/** Believes of the endpoints what it saw of them first. */
class Remembering extends Through {
  #endpoints: { entries: readonly Entry[]; revision: Revision } | undefined;

  override async list(
    selection: Selection,
    at?: Revision,
  ): Promise<{ entries: readonly Entry[]; revision: Revision }> {
    if (selection.kind !== 'WorkloadEndpoint') return this.store.list(selection, at);
    this.#endpoints ??= await this.store.list(selection, at);
    return this.#endpoints;
  }
}

/** Has not heard that addresses rest. */
class Restless extends Through {
  override async get(key: Key): Promise<Entry | undefined> {
    const entry = await this.store.get(key);
    if (entry === undefined || key.kind !== 'IPAMConfig') return entry;
    return { ...entry, value: { ...(entry.value as object), ipCooldownSeconds: 0 } };
  }
}

export interface Mutant extends Mutation {
  readonly mistake: string;
  /** On which engine it can be made at all. */
  readonly transactional?: true;
  /** That it takes to be seen. */
  readonly cooldownSeconds?: number;
}

export const MUTANTS: readonly Mutant[] = [
  { mistake: 'writes blocks without comparing', store: (store: Store) => new Overwriting(store) },
  { mistake: 'counts after it gives', store: (store: Store) => new CountingLate(store) },
  {
    mistake: 'tears transactions apart',
    transactional: true,
    store: (store: Store) => new Splitting(store),
  },
  { mistake: 'lets no address rest', cooldownSeconds: 40, store: (store: Store) => new Restless(store) },
  { mistake: 'collects without a grace period', withoutGrace: true },
  {
    mistake: 'collects without sequence numbers',
    collectorStore: (store: Store) => new Unsequenced(store),
  },
  {
    mistake: 'collects without another look at the endpoints',
    collectorStore: (store: Store) => new Remembering(store),
  },
];
