/** Gives addresses out of one block, by the order that `counts.ts` explains. */
import type { Address } from '../net/addr/index.ts';
import { allocate, allocateOrdinal, type IPAMBlock, type Owner, ordinalOf, prefixOf } from './block.ts';
import type { CountPromise, HandleCounts } from './counts.ts';
import type { BlockEntry, Records } from './records.ts';
import type { Reservations } from './settings.ts';
import { OUTRUN, type Retries } from './retry.ts';

/** The block as it is now, or undefined when it may no longer be used. Asked anew before every attempt. */
export type ReadBlock = () => Promise<BlockEntry | undefined>;

type Allocated = { readonly block: IPAMBlock; readonly ordinals: readonly number[] } | undefined;

export class Assigner {
  readonly #records: Records;
  readonly #retries: Retries;
  readonly #counts: HandleCounts;

  constructor(records: Records, counts: HandleCounts, retries: Retries) {
    this.#records = records;
    this.#retries = retries;
    this.#counts = counts;
  }

  /** @returns up to `count` addresses; none when the block is full or not to be used */
  async some(read: ReadBlock, count: number, owner: Owner, reservations: Reservations): Promise<Address[]> {
    return this.#assign(read, owner, (block) => {
      const prefix = prefixOf(block.cidr);
      return allocate(block, count, owner, (ordinal) => reservations.has(prefix.nth(ordinal)));
    });
  }

  /** @returns false when the address is taken, or the block not to be used */
  async one(read: ReadBlock, address: Address, owner: Owner): Promise<boolean> {
    const assigned = await this.#assign(read, owner, (block) => {
      const ordinal = ordinalOf(prefixOf(block.cidr), address);
      const after = allocateOrdinal(block, ordinal, owner);
      return after && { block: after, ordinals: [ordinal] };
    });
    return assigned.length > 0;
  }

  async #assign(
    read: ReadBlock,
    { handle }: Owner,
    allocated: (block: IPAMBlock) => Allocated,
  ): Promise<Address[]> {
    let promise: CountPromise | undefined;
    return this.#retries.until(`handle ${handle}`, async () => {
      const before = await read();
      const after = before && allocated(before.value);
      if (before === undefined || after === undefined) {
        if (promise !== undefined) await this.#counts.takeBack(promise);
        return [];
      }
      const { cidr } = before.value;
      promise = await this.#counts.raise(handle, cidr, after.ordinals.length, promise);
      if ((await this.#records.replace(before, after.block)) === undefined) return OUTRUN;
      await this.#counts.kept(promise);
      const prefix = prefixOf(cidr);
      return after.ordinals.map((ordinal) => prefix.nth(ordinal));
    });
  }
}
