/** Gives addresses out of one block, by the order that `counts.ts` explains. */
import type { Address } from '../net/addr/index.ts';
import { allocate, allocateOrdinal, type IPAMBlock, type Owner, ordinalOf, prefixOf } from './block.ts';
import type { HandleCounts } from './counts.ts';
import type { BlockEntry, Records } from './records.ts';
import type { Reservations } from './settings.ts';
import { OUTRUN, untilThrough } from './retry.ts';

/** The block as it is now, or undefined when it may no longer be used. Asked anew before every attempt. */
export type ReadBlock = () => Promise<BlockEntry | undefined>;

type Allocated = { readonly block: IPAMBlock; readonly ordinals: readonly number[] } | undefined;

export class Assigner {
  readonly #records: Records;
  readonly #counts: HandleCounts;

  constructor(records: Records, counts: HandleCounts) {
    this.#records = records;
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
    return untilThrough(`handle ${handle}`, async () => {
      const before = await read();
      const after = before && allocated(before.value);
      if (before === undefined || after === undefined) return [];
      const { cidr } = before.value;
      const raised = await this.#counts.raise(handle, cidr, after.ordinals.length);
      if ((await this.#records.replace(before, after.block)) !== undefined) {
        const prefix = prefixOf(cidr);
        return after.ordinals.map((ordinal) => prefix.nth(ordinal));
      }
      await this.#counts.takeBack(handle, cidr, after.ordinals.length, raised);
      return OUTRUN;
    });
  }
}
