/**
 * The kernel's main routing table as the Fib uses it: routes that compete with ours, and changes to ours. Whose a route
 * is, is told by its protocol number (80 = ours), which the implementation knows; see `bgpd/daemon/kernel-table.ts`.
 */
import type { Prefix } from '../../net/addr/index.ts';
import type { PrefixWords } from '../rib/prefix-index.ts';
import type { TableEntry } from './table-entry.ts';
import type { Way } from './ways.ts';

/** `kin`: felix-lite's, which steps back for ours as ours does for its when a pool's mode changes. */
export type RouteOwner = 'ours' | 'kin' | 'other';

export interface TableRoute {
  readonly prefix: Prefix;
  /** Another's route of the same prefix and metric leaves no room for ours; a kin's can be replaced. */
  readonly owner: RouteOwner;
  /** Undefined where it is nothing we would ever write. */
  readonly entry: TableEntry | undefined;
  /** The whole route in words, for messages; worked out when it is asked for. */
  readonly text: string;
}

export interface TableContents {
  readonly routes: readonly TableRoute[];
  /** Routes of others, over which next hops are reached. */
  readonly ways: readonly Way[];
}

/** Each change for itself: `add` never takes the place of anything; `replace` is only used where ours or a kin's stands; `delete` only takes ours. */
export type TableOperation = 'add' | 'replace' | 'delete';

export interface TableRefusal {
  /** Which change of the batch, from 0. */
  readonly index: number;
  /** `exists`: an `add` met a route. `absent`: a `delete` met none. */
  readonly cause: 'exists' | 'absent' | 'refused';
  readonly reason: string;
}

/**
 * Changes that are sent together and carried out in order. To be filled, sent, and not used again: a table may hand it out anew.
 *
 * Hot (bench routes): nothing here makes an object for a route.
 */
export interface TableBatch {
  /** @param prefix  not kept */
  add(op: TableOperation, prefix: PrefixWords, entry: TableEntry): void;
  /**
   * @returns what failed, in order of the changes; all others are done
   * @throws when the table cannot be reached; the fate of the changes is then unknown
   */
  send(): Promise<readonly TableRefusal[]>;
  /** What {@link send} will return, where that is known already; asked only after it. */
  poll(): readonly TableRefusal[] | undefined;
}

export interface RouteTable {
  list(): Promise<TableContents>;
  begin(): TableBatch;
}
