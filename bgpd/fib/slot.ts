/** What the Fib knows of one prefix. */
import type { Prefix } from '../../net/addr/index.ts';
import type { ForwardingEntry } from '../speaker/ports.ts';
import type { TableEntry } from './table-entry.ts';

export interface Slot {
  /** The prefix as text. */
  readonly key: string;
  readonly prefix: Prefix;
  wanted: ForwardingEntry | undefined;
  actual: TableEntry | undefined;
  foreign: string | undefined;
  /** {@link foreign} is felix-lite's. */
  kin: TableEntry['type'] | undefined;
  /** How often the kernel has refused since `wanted` was set or last tried anew; see `goalOf` in plan.ts. */
  refusals: number;
  /** What to aim at, as it was found in the epoch {@link goalOf}. */
  goal: TableEntry | undefined;
  goalOf: number;
  /** A change has been sent off whose outcome is not known yet. */
  underWay: boolean;
  /** Why the kernel does not have what is wanted. */
  obstacle: { readonly state: 'refused' | 'yielded'; readonly reason: string } | undefined;
  /** The reason last told; the same one again, retry after retry, is no news. */
  told: string | undefined;
}

export function newSlot(key: string, prefix: Prefix): Slot {
  return {
    key,
    prefix,
    wanted: undefined,
    actual: undefined,
    foreign: undefined,
    kin: undefined,
    refusals: 0,
    goal: undefined,
    goalOf: -1,
    underWay: false,
    obstacle: undefined,
    told: undefined,
  };
}
