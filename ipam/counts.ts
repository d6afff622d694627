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
import { countIn, type IPAMHandle, withCount } from './handle.ts';
import type { HandleEntry, Records } from './records.ts';
import { OUTRUN, type Retries } from './retry.ts';

export class HandleCounts {
  readonly #records: Records;
  readonly #retries: Retries;

  constructor(records: Records, retries: Retries) {
    this.#records = records;
    this.#retries = retries;
  }

  /** Sets the count in one block to what the block says. */
  async settle(handle: string, cidr: string): Promise<void> {
    await this.#retries.until(`handle ${handle}`, async () => {
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

  /** Sets the count in one block. @returns false when others were quicker */
  async write(entry: HandleEntry, cidr: string, count: number): Promise<boolean> {
    return this.replace(entry, withCount(entry.value, cidr, count));
  }

  /** Replaces the handle by compare-and-swap; one without counts is deleted. @returns false when others were quicker */
  async replace(entry: HandleEntry, value: IPAMHandle | undefined): Promise<boolean> {
    if (value === undefined) return this.#records.remove(entry);
    return (await this.#records.replace(entry, value)) !== undefined;
  }
}
