/**
 * Keeps handles in step with blocks, though the two cannot be written in one go on every engine.
 *
 * The order that makes it safe, for anyone who gives out an address:
 *   1. read the block, 2. raise the handle's count, 3. write the block by compare-and-swap on what 1 read.
 * A count may therefore promise an address that is still on its way. Whoever lowers a count to what the block says
 * must first make sure that no such address can still land: it writes the block (with a change, or unchanged), and
 * every writer that had read the block before fails at step 3. Only then is the handle written, by compare-and-swap
 * on the handle as it was before the block was looked at, so that a promise made in between is not lost either.
 */
import { bumped, ordinalsOf } from './block.ts';
import { countIn, withCount } from './handle.ts';
import { type HandleEntry, handleKey, type Records } from './records.ts';
import { OUTRUN, untilThrough } from './retry.ts';

export class HandleCounts {
  readonly #records: Records;

  constructor(records: Records) {
    this.#records = records;
  }

  /** Step 2. The entry is what {@link takeBack} needs when step 3 fails. */
  async raise(handle: string, cidr: string, by: number): Promise<HandleEntry> {
    return untilThrough(`handle ${handle}`, async () => {
      const before = await this.#records.handle(handle);
      const value = withCount(before?.value, cidr, countIn(before?.value, cidr) + by)!;
      const written =
        before === undefined
          ? await this.#records.create(handleKey(handle), value)
          : await this.#records.replace(before, value);
      return written ?? OUTRUN;
    });
  }

  /** After a failed step 3. */
  async takeBack(handle: string, cidr: string, by: number, raised: HandleEntry): Promise<void> {
    const count = countIn(raised.value, cidr) - by;
    // Nobody has touched the handle since: the promise is ours alone to withdraw.
    if (await this.write(raised, cidr, count)) return;
    await this.settle(handle, cidr);
  }

  /** Sets the count in one block to what the block says. */
  async settle(handle: string, cidr: string): Promise<void> {
    await untilThrough(`handle ${handle}`, async () => {
      const entry = await this.#records.handle(handle);
      if (entry === undefined) return undefined;
      const block = await this.#records.block(cidr);
      const held = block === undefined ? 0 : ordinalsOf(block.value, handle).length;
      if (countIn(entry.value, cidr) === held) return undefined;
      if (block !== undefined && (await this.#records.replace(block, bumped(block.value))) === undefined)
        return OUTRUN;
      return (await this.write(entry, cidr, held)) ? undefined : OUTRUN;
    });
  }

  /** Sets the count by compare-and-swap; a handle without counts is deleted. @returns false when others were quicker */
  async write(entry: HandleEntry, cidr: string, count: number): Promise<boolean> {
    const value = withCount(entry.value, cidr, count);
    if (value === undefined) return this.#records.remove(entry);
    return (await this.#records.replace(entry, value)) !== undefined;
  }
}
