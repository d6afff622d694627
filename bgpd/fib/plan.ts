/** From what is wanted and what is there to the change for one prefix. Pure. */
import type { Prefix } from '../../net/addr/index.ts';
import type { TableChange } from './route-table.ts';
import { sameEntry, type TableEntry } from './table-entry.ts';

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

export interface Situation {
  readonly prefix: Prefix;
  /** Undefined: no route of ours. */
  readonly goal: TableEntry | undefined;
  /** Our route in the kernel. */
  readonly actual: TableEntry | undefined;
  /** Somebody else's route that stands where ours would. */
  readonly foreign: string | undefined;
  /** That route is a kin's, of the given type: ours takes its place in one step, so that no packet finds none. */
  readonly kin?: TableEntry['type'] | undefined;
  /**
   * False for what was adopted from the process before us while nobody has said that it is no longer true, and for what
   * somebody else is about to replace.
   */
  readonly mayRemove: boolean;
}

export type Plan =
  | { readonly type: 'nothing' }
  /** Leave the place to a stranger's route; never replace it. */
  | { readonly type: 'yield'; readonly to: string }
  | { readonly type: 'change'; readonly changes: readonly TableChange[] };

const NOTHING: Plan = { type: 'nothing' };

export function plan({ prefix, goal, actual, foreign, kin, mayRemove }: Situation): Plan {
  if (goal === undefined)
    return actual === undefined || !mayRemove ? NOTHING : change({ op: 'delete', prefix, entry: actual });
  if (actual === undefined && kin !== undefined && kin === goal.type)
    return change({ op: 'replace', prefix, entry: goal });
  if (actual === undefined)
    return foreign === undefined
      ? change({ op: 'add', prefix, entry: goal })
      : { type: 'yield', to: foreign };
  if (sameEntry(goal, actual)) return NOTHING;
  if (goal.type === actual.type) return change({ op: 'replace', prefix, entry: goal });
  // IPv6 does not replace a rejecting route by one with a gateway, nor the other way round: it keeps both.
  return change({ op: 'delete', prefix, entry: actual }, { op: 'add', prefix, entry: goal });
}

function change(...changes: readonly TableChange[]): Plan {
  return { type: 'change', changes };
}
