/** From what is wanted and what is there to the change for one prefix. Pure. */
import type { TableOperation } from './route-table.ts';
import { sameEntry, type TableEntry } from './table-entry.ts';
import type { Trouble } from './trouble.ts';

/**
 * What to aim at after the kernel has refused so many times.
 *
 * It refuses a route with several gateways when it has no way to one of them, and does not say to which. A router whose
 * link has gone must not take the others with it: so the gateways are tried alone, one after the other, before the
 * prefix is given up until the next retry.
 */
export function goalOf(wanted: TableEntry | undefined, refusals: number): TableEntry | undefined {
  if (wanted === undefined || refusals === 0) return wanted;
  if (wanted.type === 'blackhole') return undefined;
  const { gateways, tunnel } = wanted;
  const choices: readonly TableEntry[] = [
    ...gateways.map((gateway) => ({ type: 'unicast' as const, gateways: [gateway] })),
    ...(tunnel?.gateways ?? []).map((gateway) => ({
      type: 'unicast' as const,
      gateways: [],
      tunnel: { device: tunnel?.device ?? '', gateways: [gateway] },
    })),
  ];
  return choices.length < 2 ? undefined : choices[refusals - 1];
}

/**
 * What to do with a prefix: nothing; leave its place to a stranger's route, which is never replaced; one operation; or, in
 * `exchange`, to delete what is there and then add what shall be.
 */
export type Step = 'nothing' | 'yield' | 'exchange' | TableOperation;

/**
 * Hot: asked of each route.
 *
 * @param goal  undefined: no route of ours
 * @param actual  our route in the kernel
 * @param trouble  somebody else's route that stands where ours would; that of a kin of the same type gives way to ours in one
 *   step, so that no packet finds none
 * @param mayRemove  false for what was adopted from the process before us while nobody has said that it is no longer true,
 *   and for what somebody else is about to replace
 */
export function plan(
  goal: TableEntry | undefined,
  actual: TableEntry | undefined,
  trouble: Pick<Trouble, 'foreign' | 'kin'> | undefined,
  mayRemove: boolean,
): Step {
  if (goal === undefined) return actual === undefined || !mayRemove ? 'nothing' : 'delete';
  if (actual === undefined) {
    if (trouble === undefined) return 'add';
    if (trouble.kin !== undefined && trouble.kin === goal.type) return 'replace';
    return trouble.foreign === undefined ? 'add' : 'yield';
  }
  if (sameEntry(goal, actual)) return 'nothing';
  // IPv6 does not replace a rejecting route by one with a gateway, nor the other way round: it keeps both.
  return goal.type === actual.type ? 'replace' : 'exchange';
}
