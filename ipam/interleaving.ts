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
import type { Clock } from '../clock/clock.ts';
import type { Address } from '../net/addr/index.ts';
import { allocationsOf, type IPAMBlock, ordinalsOf, prefixOf } from './block.ts';
import { countIn, type IPAMHandle } from './handle.ts';

/** Which writer goes on, and for how many steps before it is put to sleep wherever it stands. */
export interface Burst {
  readonly writer: number;
  readonly steps: number;
}

/**
 * Runs writers one step at a time, in bursts. Long bursts matter: most faults need one writer asleep between two of its
 * steps while another finishes something whole. A writer that does several things at once sleeps at several places, and
 * goes on at the one where it has slept longest.
 */
export class Turns {
  readonly #onTurn: () => void;
  readonly #asleep = new Map<number, (() => void)[]>();
  readonly #alive = new Set<number>();

  /** @param onTurn  whatever passes with time */
  constructor(onTurn: () => void = () => {}) {
    this.#onTurn = onTurn;
  }

  /** Resolves when it is the writer's turn. */
  async wait(writer: number): Promise<void> {
    return new Promise((resolve) => {
      const places = this.#asleep.get(writer);
      if (places === undefined) this.#asleep.set(writer, [resolve]);
      else places.push(resolve);
    });
  }

  /** Runs all lives to their end: by the plan, and after it in turn. */
  async run(lives: readonly (() => Promise<void>)[], plan: readonly Burst[]): Promise<void> {
    const failures: unknown[] = [];
    for (const [i, live] of lives.entries()) {
      this.#alive.add(i);
      live()
        .catch((error: unknown) => failures.push(error))
        .finally(() => this.#alive.delete(i));
      await quiet();
    }
    for (const { writer, steps } of plan) {
      for (let step = 0; step < steps && this.#alive.has(writer); step++) await this.#wake(writer);
    }
    for (let next = 0; this.#alive.size > 0; next = (next + 1) % lives.length) {
      if (this.#alive.has(next)) await this.#wake(next);
    }
    if (failures.length > 0) throw failures[0];
  }

  async #wake(writer: number): Promise<void> {
    this.#onTurn();
    this.#asleep.get(writer)?.shift()?.();
    await quiet();
  }
}

/** Until all that goes on has come to a place where it sleeps: at most one turn of the event loop is waited for on the way. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** A writer's clock, on which a pause of a millisecond lasts one of its turns. */
export function turnsAsTime(clock: Clock, turn: () => Promise<void>): Clock {
  return {
    now: () => clock.now(),
    wall: () => clock.wall(),
    after: (delay, _name, fire) => {
      let cancelled = false;
      const pass = async (): Promise<void> => {
        for (let left = delay; left > 0; left--) await turn();
        if (!cancelled) fire();
      };
      void pass();
      return () => (cancelled = true);
    },
  };
}

/** Numbers from 0 to 1 that are the same in every run (a linear congruential generator, Knuth's MMIX). */
export function seeded(seed: number): () => number {
  let state = BigInt(seed + 1);
  return () => {
    state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
    return Number(state >> 11n) / 2 ** 53;
  };
}

/** One writer's view of the store: it waits its turn before and after every call, and after some calls it is dead. */
export class MortalStore implements Store {
  readonly transactional: boolean;
  readonly #store: Store;
  readonly #turn: () => Promise<void>;
  readonly #onDeath: () => void;
  #stepsLeft: number;

  /**
   * @param steps  before and after each call is one; Infinity for a writer that lives
   * @param transactional  what the writer takes the store for; side by side both must be right, as Calico is no user of
   *   transactions
   */
  constructor(
    store: Store,
    turn: () => Promise<void>,
    steps: number,
    onDeath: () => void,
    transactional = false,
  ) {
    this.transactional = transactional;
    this.#store = store;
    this.#onDeath = onDeath;
    this.#turn = turn;
    this.#stepsLeft = steps;
  }

  async get(key: Key): Promise<Entry | undefined> {
    return this.#step(async () => this.#store.get(key));
  }

  async list(selection: Selection): Promise<{ entries: readonly Entry[]; revision: Revision }> {
    return this.#step(async () => this.#store.list(selection));
  }

  async commit(operations: readonly Operation[]): Promise<Commit> {
    return this.#step(async () => this.#store.commit(operations));
  }

  watch(): AsyncIterable<WatchBatch> {
    throw new Error('IPAM watches nothing');
  }

  async revision(): Promise<Revision> {
    return this.#store.revision();
  }

  async compact(): Promise<void> {}

  async close(): Promise<void> {}

  async #step<T>(call: () => Promise<T>): Promise<T> {
    await this.#wait();
    const answer = await call();
    await this.#wait();
    return answer;
  }

  async #wait(): Promise<void> {
    if (this.#stepsLeft-- <= 0) {
      this.#onDeath();
      return new Promise(() => {});
    }
    return this.#turn();
  }
}

/** What callers were told: addresses that some handle holds for certain. */
export class Ledger {
  readonly #held = new Map<string, string>();
  readonly #assigning = new Map<string, Set<{ certain: boolean; readonly uncertain: Set<string> }>>();
  readonly #forgetting = new Map<string, number>();
  readonly #releasing = new Map<string, number>();
  /** Sentences; empty as long as the law holds. */
  readonly broken: string[] = [];

  /** Runs an assignment; what it gives is certain unless its handle is released at the same time. */
  async assigning(handle: string, assign: () => Promise<readonly Address[]>): Promise<void> {
    const forgetting = [...this.#forgetting].flatMap(([address, count]) => (count > 0 ? [address] : []));
    const mine = { certain: (this.#releasing.get(handle) ?? 0) === 0, uncertain: new Set(forgetting) };
    const others = this.#assigning.get(handle) ?? new Set();
    this.#assigning.set(handle, others.add(mine));
    const given = await assign();
    others.delete(mine);
    for (const address of given.map(String)) {
      // Freed again before the answer came, perhaps: whoever has it by now may well have it rightly.
      if (!mine.certain || mine.uncertain.has(address)) continue;
      const holder = this.#held.get(address);
      if (holder !== undefined) this.broken.push(`${address} was given to ${handle} while ${holder} held it`);
      this.#held.set(address, handle);
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

  /** Runs a release of one address, whoever has it by then: until it has ended, nobody holds that one for certain. */
  async forgetting(address: Address, release: () => Promise<unknown>): Promise<void> {
    const text = address.toString();
    this.#held.delete(text);
    this.#forgetting.set(text, (this.#forgetting.get(text) ?? 0) + 1);
    for (const all of this.#assigning.values()) for (const one of all) one.uncertain.add(text);
    await release();
    this.#forgetting.set(text, (this.#forgetting.get(text) ?? 0) - 1);
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
