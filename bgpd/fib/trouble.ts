/** What stands in the way of one route, which few have. */
import type { TableEntry } from './table-entry.ts';

export interface Trouble {
  /** Somebody else's route in the place of ours, in words. */
  foreign: string | undefined;
  /** {@link foreign} is felix-lite's, of this type. */
  kin: TableEntry['type'] | undefined;
  /** How often the kernel has refused since the route was wanted or last tried anew; see `goalOf` in plan.ts. */
  refusals: number;
  /** Why the kernel does not have what is wanted. */
  obstacle: { readonly state: 'refused' | 'yielded'; readonly reason: string } | undefined;
  /** The reason last told; the same one again, retry after retry, is no news. */
  told: string | undefined;
}

export function newTrouble(): Trouble {
  return { foreign: undefined, kin: undefined, refusals: 0, obstacle: undefined, told: undefined };
}

export function isOver({ foreign, refusals, obstacle, told }: Trouble): boolean {
  return foreign === undefined && refusals === 0 && obstacle === undefined && told === undefined;
}
