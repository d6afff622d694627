/** The objects of IPAM in the store, typed; each write is one compare-and-swap on one key. */
import type { Entry, Key, Store } from '../datastore/index.ts';
import type { IPAMBlock } from './block.ts';
import type { IPAMHandle } from './handle.ts';

/** Absent `state` counts as confirmed. BGP advertises confirmed ones only. */
export interface BlockAffinity {
  readonly state?: 'pending' | 'confirmed' | 'pendingDeletion';
  readonly deleted?: boolean;
}

export type BlockEntry = Entry<IPAMBlock>;
export type AffinityEntry = Entry<BlockAffinity>;
export type HandleEntry = Entry<IPAMHandle>;

export function blockKey(cidr: string): Key {
  return { kind: 'IPAMBlock', scope: '', name: cidr };
}

/** @param owner  `host:<node>` or `virtual:<name>` */
export function affinityKey(owner: string, cidr: string): Key {
  return { kind: 'BlockAffinity', scope: owner, name: cidr };
}

export function handleKey(id: string): Key {
  return { kind: 'IPAMHandle', scope: '', name: id };
}

export class Records {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async block(cidr: string): Promise<BlockEntry | undefined> {
    return this.#get<IPAMBlock>(blockKey(cidr));
  }

  async blocks(): Promise<BlockEntry[]> {
    return this.#list<IPAMBlock>('IPAMBlock');
  }

  async affinity(owner: string, cidr: string): Promise<AffinityEntry | undefined> {
    return this.#get<BlockAffinity>(affinityKey(owner, cidr));
  }

  /** Of one owner, or of all. */
  async affinities(owner?: string): Promise<AffinityEntry[]> {
    return this.#list<BlockAffinity>('BlockAffinity', owner);
  }

  async handle(id: string): Promise<HandleEntry | undefined> {
    return this.#get<IPAMHandle>(handleKey(id));
  }

  async handles(): Promise<HandleEntry[]> {
    return this.#list<IPAMHandle>('IPAMHandle');
  }

  /** The values of v3 resources of a kind. */
  async resources<T>(kind: string): Promise<T[]> {
    return (await this.#list<T>(kind)).map(({ value }) => value);
  }

  async get<T>(kind: string, name: string): Promise<T | undefined> {
    return (await this.#get<T>({ kind, scope: '', name }))?.value;
  }

  async entry<T>(key: Key): Promise<Entry<T> | undefined> {
    return this.#get<T>(key);
  }

  /** @returns undefined when the key exists already */
  async create<T>(key: Key, value: T): Promise<Entry<T> | undefined> {
    return this.#put(key, value, 'absent');
  }

  /** @returns undefined when the entry is not the newest any more */
  async replace<T>(entry: Entry<T>, value: T): Promise<Entry<T> | undefined> {
    return this.#put(entry.key, value, { revision: entry.revision });
  }

  /** @returns false when the entry is not the newest any more */
  async remove({ key, revision }: Entry): Promise<boolean> {
    return (await this.#store.commit([{ type: 'delete', key, expect: { revision } }])).ok;
  }

  async #put<T>(
    key: Key,
    value: T,
    expect: 'absent' | { readonly revision: string },
  ): Promise<Entry<T> | undefined> {
    const commit = await this.#store.commit([{ type: 'put', key, value, expect }]);
    return commit.ok ? (commit.entries[0] as Entry<T>) : undefined;
  }

  async #get<T>(key: Key): Promise<Entry<T> | undefined> {
    return (await this.#store.get(key)) as Entry<T> | undefined;
  }

  async #list<T>(kind: string, scope?: string): Promise<Entry<T>[]> {
    const { entries } = await this.#store.list(scope === undefined ? { kind } : { kind, scope });
    return entries as readonly Entry<T>[] as Entry<T>[];
  }
}
