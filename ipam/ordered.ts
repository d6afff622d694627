/**
 * Writes a batch on a store that takes one key at a time, in the order that `counts.ts` explains: all handles that will
 * hold more, side by side; then the blocks; then the handles that hold nothing any more. A writer that dies in between
 * leaves counts that are too large, never one that is too small.
 */
import { type Batch, countsOf, type PlannedFree, type PlannedTake } from './batch.ts';
import { isConfirmed } from './claims.ts';
import type { HandleCounts } from './counts.ts';
import { HandleDebt } from './debt.ts';
import type { BlockDraft } from './draft.ts';
import type { Homes } from './homes.ts';
import type { TakeJob } from './jobs.ts';
import type { Records } from './records.ts';
import type { Retries } from './retry.ts';
import { settleFree, settleTake } from './settle.ts';

export class OrderedWriter {
  readonly #records: Records;
  readonly #homes: Homes;
  readonly #counts: HandleCounts;
  readonly #retries: Retries;
  readonly #debts = new WeakMap<TakeJob, HandleDebt>();

  constructor(records: Records, homes: Homes, counts: HandleCounts, retries: Retries) {
    this.#records = records;
    this.#homes = homes;
    this.#counts = counts;
    this.#retries = retries;
  }

  /**
   * @returns false when others were quicker: no job has come any further. A block that was written is no progress by
   *   itself: two writers that each undo the other's look would go on with that for ever, and without a pause
   */
  async write(batch: Batch): Promise<boolean> {
    const { touched } = batch;
    const [usable] = await Promise.all([
      this.#usable(batch, touched),
      ...batch.takes.map(async (take) => this.#raise(take)),
    ]);
    const written = new Set<BlockDraft>();
    await Promise.all(
      usable.map(async (draft) => {
        if (await this.#writeBlock(draft)) written.add(draft);
      }),
    );
    const ended = await Promise.all([
      ...batch.takes.map(async (take) => this.#endTake(take, written)),
      ...batch.frees.map(async (free) => this.#endFree(free, written)),
      ...batch.refused.map(async ({ job, problems }) => {
        await this.#debts.get(job)?.settle();
        job.refuse(problems);
        return true;
      }),
    ]);
    return ended.includes(true);
  }

  async #raise(take: PlannedTake): Promise<void> {
    const counts = countsOf(take);
    if (counts.size > 0) await this.#debt(take.job).raise(counts);
  }

  #debt(job: TakeJob): HandleDebt {
    const known = this.#debts.get(job);
    if (known !== undefined) return known;
    const debt = new HandleDebt(job.handle, this.#records, this.#counts, this.#retries);
    this.#debts.set(job, debt);
    return debt;
  }

  /** An affinity may have been marked by a release since it was seen; what is written then is the block without it. */
  async #usable(batch: Batch, touched: readonly BlockDraft[]): Promise<BlockDraft[]> {
    const checked = await Promise.all(
      touched.map(async (draft) => {
        const owner = draft.givesAny ? batch.ownerOf(draft) : undefined;
        if (owner === undefined) return true;
        const affinity = await this.#records.affinity(owner.claimant, draft.name);
        if (affinity !== undefined && isConfirmed(affinity.value)) return true;
        this.#homes.of(owner.claimant).doubt();
        return false;
      }),
    );
    return touched.filter((_, i) => checked[i]);
  }

  async #writeBlock({ entry, after }: BlockDraft): Promise<boolean> {
    if (entry === undefined) throw new Error('a block is claimed before addresses are planned in it');
    if (after === undefined) return this.#records.remove(entry);
    return (await this.#records.replace(entry, after)) !== undefined;
  }

  async #endTake(take: PlannedTake, written: ReadonlySet<BlockDraft>): Promise<boolean> {
    const isWritten = ({ draft, ordinals }: PlannedTake['grants'][number]): boolean =>
      written.has(draft) || ordinals.length === 0;
    for (const { draft, ordinals } of take.grants.filter((grant) => !isWritten(grant)))
      this.#debt(take.job).waste(draft.name, ordinals.length);
    const grants = take.grants.filter(isWritten);
    const isLast = take.job.wants.every(
      (want) =>
        want.count - want.found.length ===
        grants.reduce((sum, grant) => sum + (grant.want === want ? grant.ordinals.length : 0), 0),
    );
    if (isLast) await this.#debts.get(take.job)?.settle();
    settleTake(take, grants);
    return isLast || grants.length > 0;
  }

  async #endFree(free: PlannedFree, written: ReadonlySet<BlockDraft>): Promise<boolean> {
    if (!free.parts.every(({ draft }) => written.has(draft))) return false;
    const { handle, rest } = free;
    const isDone =
      rest === undefined
        ? await this.#records.remove(handle)
        : (await this.#records.replace(handle, rest)) !== undefined;
    if (!isDone) return false;
    settleFree(free);
    return true;
  }
}
