/**
 * For tests: several writers on one simulated store, each store call a point where any other may go first and where the
 * writer may die. Follows what the callers were told, and knows what must be true of the store at every moment.
 */
import { SimulatedStore } from '../datastore/simulated.ts';
import type {
  Commit,
  Entry,
  Key,
  Operation,
  Revision,
  Selection,
  Store,
  WatchBatch,
} from '../datastore/store.ts';
import type { Address } from '../net/addr/index.ts';
import { allocationsOf, type IPAMBlock, ordinalsOf, prefixOf } from './block.ts';
import { countIn, type IPAMHandle } from './handle.ts';

/** Resolves when it is the caller's turn. */
export type Turn = (label: string) => Promise<void>;

/** One writer's view of the store: it waits its turn before and after every call, and after some calls it is dead. */
export class MortalStore implements Store {
  readonly transactional = false;
  readonly #store: Store;
  readonly #turn: Turn;
  readonly #onDeath: () => void;
  #stepsLeft: number;

  /** @param steps  before and after each call is one; Infinity for a writer that lives */
  constructor(store: Store, turn: Turn, steps: number, onDeath: () => void) {
    this.#store = store;
    this.#onDeath = onDeath;
    this.#turn = turn;
    this.#stepsLeft = steps;
  }

  async get(key: Key): Promise<Entry | undefined> {
    return this.#step(`get ${key.kind}`, async () => this.#store.get(key));
  }

  async list(selection: Selection): Promise<{ entries: readonly Entry[]; revision: Revision }> {
    return this.#step(`list ${selection.kind}`, async () => this.#store.list(selection));
  }

  async commit(operations: readonly Operation[]): Promise<Commit> {
    const label = operations.map(({ type, key }) => `${type} ${key.kind}/${key.scope}/${key.name}`).join();
    return this.#step(label, async () => this.#store.commit(operations));
  }

  watch(): AsyncIterable<WatchBatch> {
    throw new Error('IPAM watches nothing');
  }

  async revision(): Promise<Revision> {
    return this.#store.revision();
  }

  async compact(): Promise<void> {}

  async close(): Promise<void> {}

  async #step<T>(label: string, call: () => Promise<T>): Promise<T> {
    await this.#wait(label);
    const answer = await call();
    await this.#wait(`${label}, answered`);
    return answer;
  }

  async #wait(label: string): Promise<void> {
    if (this.#stepsLeft-- <= 0) {
      this.#onDeath();
      return new Promise(() => {});
    }
    return this.#turn(label);
  }
}

/** What callers were told: addresses that some handle holds for certain. */
export class Ledger {
  readonly #held = new Map<string, string>();
  readonly #assigning = new Map<string, Set<{ certain: boolean }>>();
  readonly #releasing = new Map<string, number>();
  /** Sentences; empty as long as the law holds. */
  readonly broken: string[] = [];

  /** Runs an assignment; what it gives is certain unless its handle is released at the same time. */
  async assigning(handle: string, assign: () => Promise<readonly Address[]>): Promise<void> {
    const mine = { certain: (this.#releasing.get(handle) ?? 0) === 0 };
    const others = this.#assigning.get(handle) ?? new Set();
    this.#assigning.set(handle, others.add(mine));
    const given = await assign();
    others.delete(mine);
    for (const address of given.map(String)) {
      const holder = this.#held.get(address);
      if (holder !== undefined) this.broken.push(`${address} was given to ${handle} while ${holder} held it`);
      if (mine.certain) this.#held.set(address, handle);
    }
  }

  /** Runs a release of all that the handle holds. Even of one that dies it is not known what it did. */
  async releasing(handle: string, release: () => Promise<unknown>): Promise<void> {
    for (const one of this.#assigning.get(handle) ?? []) one.certain = false;
    for (const [address, holder] of this.#held) if (holder === handle) this.#held.delete(address);
    this.#releasing.set(handle, (this.#releasing.get(handle) ?? 0) + 1);
    await release();
    this.#releasing.set(handle, (this.#releasing.get(handle) ?? 0) - 1);
  }

  /** What is held for certain must be in its block. */
  check(blocks: readonly IPAMBlock[]): void {
    for (const [address, handle] of this.#held) {
      const found = blocks.some((block) => {
        const prefix = prefixOf(block.cidr);
        return ordinalsOf(block, handle).some((ordinal) => prefix.nth(ordinal).toString() === address);
      });
      if (!found) this.broken.push(`${address} was given to ${handle}, and no block says so`);
    }
  }
}

/** A simulated store that is examined after every write. */
export class ExaminedStore extends SimulatedStore {
  readonly broken: string[] = [];

  override async commit(operations: readonly Operation[]): Promise<Commit> {
    const answer = await super.commit(operations);
    if (answer.ok) await this.#examine();
    return answer;
  }

  async blocks(): Promise<IPAMBlock[]> {
    return (await this.list({ kind: 'IPAMBlock' })).entries.map(({ value }) => value as IPAMBlock);
  }

  async #examine(): Promise<void> {
    const handles = new Map(
      (await this.list({ kind: 'IPAMHandle' })).entries.map(({ key, value }) => [
        key.name,
        value as IPAMHandle,
      ]),
    );
    for (const block of await this.blocks()) {
      this.broken.push(...faultsOf(block));
      for (const { handle = '' } of allocationsOf(block)) {
        const held = ordinalsOf(block, handle).length;
        const count = countIn(handles.get(handle), block.cidr);
        if (count < held) this.broken.push(`${handle} counts ${count} in ${block.cidr} and holds ${held}`);
      }
    }
  }
}

/** What is wrong with a block by itself. */
export function faultsOf(block: IPAMBlock): string[] {
  const faults: string[] = [];
  const free = block.allocations.flatMap((index, ordinal) => (index === null ? [ordinal] : []));
  if (free.join() !== block.unallocated.toSorted((a, b) => a - b).join()) {
    faults.push(`${block.cidr}: free are ${free.join()}, unallocated says ${block.unallocated.join()}`);
  }
  const used = new Set(block.allocations.filter((index) => index !== null));
  if (
    used.size !== block.attributes.length ||
    [...used].some((index) => block.attributes[index] === undefined)
  ) {
    faults.push(`${block.cidr}: ${block.attributes.length} attributes, of which ${used.size} are used`);
  }
  const sequenced = Object.keys(block.sequenceNumberForAllocation ?? {}).map(Number);
  const taken = block.allocations.flatMap((index, ordinal) => (index === null ? [] : [ordinal]));
  if (sequenced.toSorted((a, b) => a - b).join() !== taken.join()) {
    faults.push(`${block.cidr}: taken are ${taken.join()}, sequence numbers have ${sequenced.join()}`);
  }
  return faults;
}
