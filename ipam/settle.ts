/** Tells jobs what has become true. */
import { addressesOf, type Grant, type PlannedFree, type PlannedTake } from './batch.ts';

/** @param grants  those that are written */
export function settleTake({ job }: PlannedTake, grants: readonly Grant[]): void {
  for (const { want, draft, ordinals } of grants) {
    want.found.push(...addressesOf(draft, ordinals));
    if (want.block !== undefined) want.block.cidr = draft.cidr;
  }
  if (job.isComplete) job.complete();
}

export function settleFree({ job, parts, rest }: PlannedFree): void {
  for (const { draft, ordinals } of parts) job.freed.push(...addressesOf(draft, ordinals));
  if (rest === undefined) job.complete();
}
