/** What one request counts in its handle on a store without transactions, by the rules that `counts.ts` explains. */
import type { HandleCounts } from './counts.ts';
import { withMore } from './handle.ts';
import { type HandleEntry, handleKey, type Records } from './records.ts';
import { OUTRUN, type Retries } from './retry.ts';

export class HandleDebt {
  readonly #handle: string;
  readonly #records: Records;
  readonly #counts: HandleCounts;
  readonly #retries: Retries;
  /** As our last write left it. */
  #entry: HandleEntry | undefined;
  /** By block: counted for addresses that could not be written after all. */
  readonly #wasted = new Map<string, number>();
  /** Nobody else has written the handle since our first write. */
  #isOursAlone = true;

  constructor(handle: string, records: Records, counts: HandleCounts, retries: Retries) {
    this.#handle = handle;
    this.#records = records;
    this.#counts = counts;
    this.#retries = retries;
  }

  /**
   * Counts addresses that are about to be written into blocks, of all blocks in one write. It has to be a write before
   * each attempt at the blocks, and one that changes the value: whoever is about to lower the count must find the handle
   * changed. It is tried on the handle as remembered; most are new.
   */
  async raise(counts: ReadonlyMap<string, number>): Promise<void> {
    let before = this.#entry ?? this.#records.rememberedHandle(this.#handle);
    await this.#retries.until(`handle ${this.#handle}`, async () => {
      const value = withMore(before?.value, counts);
      const entry =
        before === undefined
          ? await this.#records.create(handleKey(this.#handle), value)
          : await this.#records.replace(before, value);
      if (entry !== undefined) {
        if (this.#entry !== undefined && before?.revision !== this.#entry.revision) this.#isOursAlone = false;
        this.#entry = entry as HandleEntry;
        return undefined;
      }
      before = await this.#records.handle(this.#handle);
      return OUTRUN;
    });
  }

  /** Addresses that were counted are not in the block. */
  waste(cidr: string, count: number): void {
    this.#wasted.set(cidr, (this.#wasted.get(cidr) ?? 0) + count);
  }

  /** Withdraws what was counted in vain. When nobody else has touched the handle, that is ours alone to withdraw. */
  async settle(): Promise<void> {
    const entry = this.#entry;
    if (entry === undefined || this.#wasted.size === 0) return;
    const less = new Map([...this.#wasted].map(([cidr, count]) => [cidr, -count]));
    this.#wasted.clear();
    if (this.#isOursAlone && (await this.#counts.replace(entry, withMore(entry.value, less)))) return;
    for (const cidr of less.keys()) await this.#counts.settle(this.#handle, cidr);
  }
}
