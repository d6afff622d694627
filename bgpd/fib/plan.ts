/** From what is wanted and what is there to the change for one prefix. Pure. */
import type { Prefix } from '../../net/addr/index.ts';
import type { ForwardingEntry } from '../speaker/ports.ts';
import { sameEntry, type TableChange } from './route-table.ts';

export interface Situation {
  readonly prefix: Prefix;
  readonly wanted: ForwardingEntry | undefined;
  /** Our route in the kernel. */
  readonly actual: ForwardingEntry | undefined;
  /** Somebody else's route that stands where ours would. */
  readonly foreign: string | undefined;
  /** The kernel has refused `wanted` and has not been asked again since. */
  readonly refused: boolean;
  /** What is not wanted may go: every route of the family has been set since the start. */
  readonly complete: boolean;
}

export type Plan =
  | { readonly type: 'nothing' }
  /** Leave the place to a stranger's route; never replace it. */
  | { readonly type: 'yield'; readonly to: string }
  | { readonly type: 'change'; readonly changes: readonly TableChange[] };

const NOTHING: Plan = { type: 'nothing' };

export function plan(situation: Situation): Plan {
  const { prefix, wanted, actual, foreign, refused, complete } = situation;
  if (wanted === undefined) {
    // Adopted from the process before us, and nobody has said yet that it is no longer true.
    if (actual === undefined || !complete) return NOTHING;
    return change({ op: 'delete', prefix, entry: actual });
  }
  if (actual !== undefined) {
    if (sameEntry(wanted, actual)) return NOTHING;
    // The way that stands is not the chosen one any more, and the chosen one cannot be had: no way is better than a wrong one.
    if (refused) return change({ op: 'delete', prefix, entry: actual });
    if (wanted.type === actual.type) return change({ op: 'replace', prefix, entry: wanted });
    // IPv6 does not replace a rejecting route by one with a gateway, nor the other way round: it keeps both.
    return change({ op: 'delete', prefix, entry: actual }, { op: 'add', prefix, entry: wanted });
  }
  if (refused) return NOTHING;
  return foreign === undefined
    ? change({ op: 'add', prefix, entry: wanted })
    : { type: 'yield', to: foreign };
}

function change(...changes: readonly TableChange[]): Plan {
  return { type: 'change', changes };
}
