/**
 * The objects of IPAM in the store, typed. Blocks and handles that were read or written are remembered: a write can be
 * tried on what is remembered, as it is refused when that is not the newest any more, and then the store says what is.
 */
import {
  type Commit,
  type Entry,
  type Key,
  keyText,
  type Operation,
  type Store,
} from '../datastore/index.ts';
import { hasResting, type IPAMBlock, rested } from './block.ts';
import { AT_ONCE, type Cooldown } from './cooldown.ts';
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

/** Enough for the blocks of a host and the handles of all its workloads; for what is more, the oldest is forgotten. */
const REMEMBERED = 5000;

export class Records {
  readonly #store: Store;
  readonly #cooldown: (() => Promise<Cooldown>) | undefined;
  readonly #remembered = new Map<string, Entry>();

  /**
   * @param cooldown  for whoever writes blocks: they are then read with their rested addresses free, as every write stores
   *   them. Without it they are read as they are stored
   */
  constructor(store: Store, cooldown?: () => Promise<Cooldown>) {
    this.#store = store;
    this.#cooldown = cooldown;
  }

  /** How long what is released now has to rest. */
  async cooldown(): Promise<Cooldown> {
    return (await this.#cooldown?.()) ?? AT_ONCE;
  }

  get transactional(): boolean {
    return this.#store.transactional;
  }

  /** As it was when last seen here: perhaps not the newest, perhaps gone. Undefined says nothing. */
  rememberedBlock(cidr: string): BlockEntry | undefined {
    return this.#remembered.get(keyText(blockKey(cidr))) as BlockEntry | undefined;
  }

  /** See {@link rememberedBlock}. */
  rememberedHandle(id: string): HandleEntry | undefined {
    return this.#remembered.get(keyText(handleKey(id))) as HandleEntry | undefined;
  }

  forget(key: Key): void {
    this.#remembered.delete(keyText(key));
  }

  /** When nobody knows what became of a write. */
  forgetAll(): void {
    this.#remembered.clear();
  }

  /** All or nothing; on stores that are not transactional one operation at a time. */
  async commit(operations: readonly Operation[]): Promise<Commit> {
    const commit = await this.#store.commit(operations);
    if (!commit.ok) {
      this.#learn(commit.failed.key, commit.current);
      return commit;
    }
    let next = 0;
    for (const operation of operations) {
      if (operation.type === 'delete') this.forget(operation.key);
      if (operation.type !== 'put') continue;
      const { key, value } = operation;
      const revision = commit.entries[next++]?.revision;
      // What was written is known: reading it out of the answer again would cost more than the rest of the commit.
      if (revision !== undefined) this.#learn(key, { key, value, revision });
    }
    return commit;
  }

  #learn(key: Key, entry: Entry | undefined): void {
    if (key.kind !== 'IPAMBlock' && key.kind !== 'IPAMHandle') return;
    const id = keyText(key);
    this.#remembered.delete(id);
    if (entry === undefined) return;
    this.#remembered.set(id, entry);
    if (this.#remembered.size <= REMEMBERED) return;
    for (const oldest of this.#remembered.keys()) {
      this.#remembered.delete(oldest);
      break;
    }
  }

  async block(cidr: string): Promise<BlockEntry | undefined> {
    const entry = await this.#get<IPAMBlock>(blockKey(cidr));
    if (entry === undefined) return undefined;
    const [block] = await this.#rested([entry]);
    if (block !== undefined && block !== entry) this.#learn(entry.key, block);
    return block;
  }

  async blocks(): Promise<BlockEntry[]> {
    return this.#rested(await this.#list<IPAMBlock>('IPAMBlock'));
  }

  /** A block in which addresses have rested long enough and are not stored as free; undefined when there are none. */
  async restedBlock(cidr: string): Promise<BlockEntry | undefined> {
    const entry = await this.#get<IPAMBlock>(blockKey(cidr));
    const [block] = entry === undefined ? [] : await this.#rested([entry]);
    return block === entry ? undefined : block;
  }

  /** In most clusters nothing ever rests, and nobody is asked how long. */
  async #rested(entries: BlockEntry[]): Promise<BlockEntry[]> {
    if (this.#cooldown === undefined || !entries.some(({ value }) => hasResting(value))) return entries;
    const cooldown = await this.cooldown();
    return entries.map((entry) => {
      const value = hasResting(entry.value) ? rested(entry.value, cooldown) : entry.value;
      return value === entry.value ? entry : { ...entry, value };
    });
  }

  /** The CIDRs of all blocks. Where the engine can, without what is in them: of a large cluster that is a lot. */
  async blockNames(): Promise<string[]> {
    const selection = { kind: 'IPAMBlock' };
    const keys = (await this.#store.names?.(selection)) ?? (await this.blocks()).map(({ key }) => key);
    return keys.map(({ name }) => name);
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
    return (await this.commit([{ type: 'delete', key, expect: { revision } }])).ok;
  }

  async #put<T>(
    key: Key,
    value: T,
    expect: 'absent' | { readonly revision: string },
  ): Promise<Entry<T> | undefined> {
    const commit = await this.commit([{ type: 'put', key, value, expect }]);
    const revision = commit.ok ? commit.entries[0]?.revision : undefined;
    return revision === undefined ? undefined : { key, value, revision };
  }

  async #get<T>(key: Key): Promise<Entry<T> | undefined> {
    const entry = (await this.#store.get(key)) as Entry<T> | undefined;
    this.#learn(key, entry);
    return entry;
  }

  async #list<T>(kind: string, scope?: string): Promise<Entry<T>[]> {
    const { entries } = await this.#store.list(scope === undefined ? { kind } : { kind, scope });
    return entries as readonly Entry<T>[] as Entry<T>[];
  }
}
