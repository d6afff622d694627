/**
 * The kernel's main routing table as the Fib uses it: routes that compete with ours, and changes to ours. Whose a route
 * is, is told by its protocol number (80 = ours), which the implementation knows; see `bgpd/daemon/kernel-table.ts`.
 */
import type { Prefix } from '../../net/addr/index.ts';
import type { ForwardingEntry } from '../speaker/ports.ts';
import type { Way } from './ways.ts';

export interface TableRoute {
  readonly prefix: Prefix;
  /** Somebody else's route of the same prefix and metric leaves no room for ours. */
  readonly owner: 'ours' | 'other';
  /** Undefined where it is nothing we would ever write. */
  readonly entry: ForwardingEntry | undefined;
  /** The whole route in words, for messages. */
  readonly text: string;
}

export interface TableContents {
  readonly routes: readonly TableRoute[];
  /** Routes of others, over which next hops are reached. */
  readonly ways: readonly Way[];
}

export interface TableChange {
  /** `add` never takes the place of anything; `replace` is only used where ours stands; `delete` only takes ours. */
  readonly op: 'add' | 'replace' | 'delete';
  readonly prefix: Prefix;
  readonly entry: ForwardingEntry;
}

export type TableOutcome =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /** `exists`: an `add` met a route. `absent`: a `delete` met none. */
      readonly cause: 'exists' | 'absent' | 'refused';
      readonly reason: string;
    };

export interface RouteTable {
  list(): Promise<TableContents>;
  /**
   * Each change for itself, in order.
   * @returns one outcome per change
   * @throws when the table cannot be reached; the fate of the changes is then unknown
   */
  apply(changes: readonly TableChange[]): Promise<readonly TableOutcome[]>;
}

export function sameEntry(a: ForwardingEntry | undefined, b: ForwardingEntry | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.type === 'blackhole' || b.type === 'blackhole') return a.type === b.type;
  return (
    a.gateways.length === b.gateways.length &&
    a.gateways.every((gateway) => b.gateways.some((other) => other.equals(gateway)))
  );
}
