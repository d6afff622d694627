/** A kernel's routing table for tests: one route per prefix, strangers, gateways without a way, failure. */
import type { Prefix } from '../../net/addr/index.ts';
import type {
  RouteOwner,
  RouteTable,
  TableChange,
  TableContents,
  TableOutcome,
  TableRoute,
} from './route-table.ts';
import type { TableEntry } from './table-entry.ts';
import type { Way } from './ways.ts';

export class SimulatedTable implements RouteTable {
  readonly routes = new Map<string, TableRoute>();
  readonly log: string[] = [];
  /** Gateways that the kernel says it has no way to. */
  readonly unreachable = new Set<string>();
  broken = false;
  lists = 0;
  #tail: Promise<unknown> = Promise.resolve();

  ways: readonly Way[] = [];

  list(): Promise<TableContents> {
    this.lists++;
    if (this.broken) return Promise.reject(new Error('netlink is gone'));
    return Promise.resolve({ routes: [...this.routes.values()], ways: this.ways });
  }

  /** In order, and not at once. */
  apply(changes: readonly TableChange[]): Promise<readonly TableOutcome[]> {
    const outcomes = this.#tail.then(() => {
      if (this.broken) throw new Error('netlink is gone');
      return changes.map((change) => this.#one(change));
    });
    this.#tail = outcomes.catch(() => undefined);
    return outcomes;
  }

  #one({ op, prefix, entry }: TableChange): TableOutcome {
    const key = prefix.toString();
    const there = this.routes.get(key);
    if (op === 'delete') {
      if (there?.owner !== 'ours') return { ok: false, cause: 'absent', reason: 'there is no such route' };
      this.routes.delete(key);
      this.log.push(`delete ${key}`);
      return { ok: true };
    }
    if (op === 'add' && there !== undefined) return { ok: false, cause: 'exists', reason: 'file exists' };
    if (
      entry.type === 'unicast' &&
      entry.gateways.some((gateway) => this.unreachable.has(gateway.toString()))
    )
      return { ok: false, cause: 'refused', reason: 'network is unreachable' };
    if (there?.owner === 'other') throw new Error(`replaced a stranger's route ${key}`);
    this.log.push(`${op} ${key} ${entryText(entry)}`);
    this.routes.set(key, { prefix, owner: 'ours', entry, text: key });
    return { ok: true };
  }

  ours(): Record<string, string> {
    const mine = [...this.routes.values()].filter((route) => route.owner === 'ours');
    return Object.fromEntries(mine.map(({ prefix, entry }) => [prefix.toString(), entryText(entry)]));
  }

  put(prefix: Prefix, owner: RouteOwner, entry?: TableEntry): void {
    this.routes.set(prefix.toString(), { prefix, owner, entry, text: `${prefix.toString()} proto static` });
  }
}

export function entryText(entry: TableEntry | undefined): string {
  if (entry?.type !== 'unicast') return entry?.type ?? 'none';
  const { gateways, tunnel } = entry;
  const through = (tunnel?.gateways ?? []).map((gateway) => `${gateway.toString()}@${tunnel?.device ?? ''}`);
  return [...gateways.map(String), ...through].join(' ');
}
