/**
 * Writes a batch on a store that commits several keys at once: blocks, affinities and handles are never seen out of step,
 * not even by a reader of Calico's in between.
 */
import type { Key, Operation } from '../datastore/index.ts';
import { type Batch, countsOf, type PlannedFree, type PlannedTake } from './batch.ts';
import type { BlockDraft } from './draft.ts';
import { withMore } from './handle.ts';
import type { Homes } from './homes.ts';
import { type AffinityEntry, affinityKey, blockKey, handleKey, type Records } from './records.ts';
import { settleFree, settleTake } from './settle.ts';

/** @returns false when others were quicker: nothing was written */
export async function writeTogether(batch: Batch, records: Records, homes: Homes): Promise<boolean> {
  const { touched } = batch;
  const operations = [
    ...touched.flatMap((draft) => [...affinityOperation(batch, draft), blockOperation(draft)]),
    ...batch.takes.flatMap((take) => takeOperation(take, records)),
    ...batch.frees.map(freeOperation),
  ];
  if (operations.length > 0) {
    const commit = await records.commit(operations);
    if (!commit.ok) {
      homes.doubt(commit.failed.key);
      return false;
    }
    for (const entry of commit.entries) {
      if (entry.key.kind === 'BlockAffinity') homes.of(entry.key.scope).add(entry as AffinityEntry);
    }
  }
  for (const take of batch.takes) settleTake(take, take.grants);
  for (const free of batch.frees) settleFree(free);
  for (const { job, problems } of batch.refused) job.refuse(problems);
  return true;
}

/**
 * A claim is one write, straight to `confirmed`. Addresses are given only while the affinity is what it was: a host that
 * is about to lose a block, by a mark that Calico set, must see that and finish or revoke it first.
 */
function affinityOperation(batch: Batch, draft: BlockDraft): Operation[] {
  const owner = batch.ownerOf(draft);
  if (owner === undefined || (draft.entry !== undefined && !draft.givesAny)) return [];
  const key: Key = affinityKey(owner.claimant, draft.name);
  if (owner.own !== undefined)
    return [{ type: 'check', key, expect: { revision: owner.own.affinity.revision } }];
  return [{ type: 'put', key, value: { state: 'confirmed', deleted: false }, expect: 'absent' }];
}

function blockOperation({ name, entry, after }: BlockDraft): Operation {
  const key = blockKey(name);
  const expect = entry === undefined ? 'absent' : { revision: entry.revision };
  return after === undefined ? { type: 'delete', key, expect } : { type: 'put', key, value: after, expect };
}

function takeOperation(take: PlannedTake, records: Records): Operation[] {
  const counts = countsOf(take);
  if (counts.size === 0) return [];
  const { handle } = take.job;
  // Most handles are new: that it does not exist is tried without asking.
  const before = records.rememberedHandle(handle);
  const value = withMore(before?.value, counts);
  return [
    {
      type: 'put',
      key: handleKey(handle),
      value,
      expect: before === undefined ? 'absent' : { revision: before.revision },
    },
  ];
}

/** Every block that the handle does not count in any more was looked at and is written. */
function freeOperation({ handle: { key, revision }, rest }: PlannedFree): Operation {
  return rest === undefined
    ? { type: 'delete', key, expect: { revision } }
    : { type: 'put', key, value: rest, expect: { revision } };
}
