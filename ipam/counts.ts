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
import { type HandleEntry, handleKey, type Records } from './records.ts';
import { OUTRUN, type Retries } from './retry.ts';

/** A count raised for addresses that are about to be written into a block. */
export interface CountPromise {
  /** The handle as that left it. */
  readonly entry: HandleEntry;
  readonly cidr: string;
  readonly by: number;
  /** Counted by earlier attempts of the same writer that failed; undefined when others have written the handle since. */
  readonly wasted: number | undefined;
}

export class HandleCounts {
  readonly #records: Records;
  readonly #retries: Retries;

  constructor(records: Records, retries: Retries) {
    this.#records = records;
    this.#retries = retries;
  }

  /**
   * Step 2, before every attempt at step 3. It has to be a write each time, and one that changes the value: whoever is
   * about to lower the count must find the handle changed. A mere look at it after reading the block would not do.
   *
   * @param failed  the promise of the attempt before; it stays counted until {@link kept} or {@link takeBack}
   */
  async raise(handle: string, cidr: string, by: number, failed?: CountPromise): Promise<CountPromise> {
    return this.#retries.until(`handle ${handle}`, async () => {
      const before = await this.#records.handle(handle);
      const value = withCount(before?.value, cidr, countIn(before?.value, cidr) + by)!;
      const entry =
        before === undefined
          ? await this.#records.create(handleKey(handle), value)
          : await this.#records.replace(before, value);
      if (entry === undefined) return OUTRUN;
      if (failed === undefined) return { entry, cidr, by, wasted: 0 };
      const isOurs = failed.wasted !== undefined && before?.revision === failed.entry.revision;
      return { entry, cidr, by, wasted: isOurs ? failed.wasted + failed.by : undefined };
    });
  }

  /** The promised addresses are in the block: what earlier attempts left in the count is withdrawn. */
  async kept({ entry, cidr, wasted }: CountPromise): Promise<void> {
    if (wasted !== 0) await this.#withdraw(entry, cidr, wasted);
  }

  /** The promise will not be kept. */
  async takeBack({ entry, cidr, by, wasted }: CountPromise): Promise<void> {
    await this.#withdraw(entry, cidr, wasted === undefined ? undefined : wasted + by);
  }

  /** When nobody else has touched the handle, what we counted too much is ours alone to withdraw. */
  async #withdraw(entry: HandleEntry, cidr: string, by: number | undefined): Promise<void> {
    if (by !== undefined && (await this.write(entry, cidr, countIn(entry.value, cidr) - by))) return;
    await this.settle(entry.key.name, cidr);
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
