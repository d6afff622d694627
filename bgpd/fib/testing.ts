/** A kernel's routing table for tests: one route per prefix, strangers, gateways without a way, failure. */
import { Address, Prefix } from '../../net/addr/index.ts';
import type {
  RouteOwner,
  RouteTable,
  TableBatch,
  TableContents,
  TableOperation,
  TableRefusal,
  TableRoute,
} from './route-table.ts';
import type { TableEntry } from './table-entry.ts';
import type { Way } from './ways.ts';

interface Change {
  readonly op: TableOperation;
  readonly prefix: Prefix;
  readonly entry: TableEntry;
}

export class SimulatedTable implements RouteTable {
  readonly routes = new Map<string, TableRoute>();
  readonly log: string[] = [];
  /** Gateways that the kernel says it has no way to. */
  readonly unreachable = new Set<string>();
  broken = false;
  /** Its answers can be seen before the event loop tells. */
  prompt = false;
  lists = 0;
  /** Changes of each batch that it was sent. */
  readonly batches: number[] = [];
  #tail: Promise<unknown> = Promise.resolve();

  ways: readonly Way[] = [];

  list(): Promise<TableContents> {
    this.lists++;
    if (this.broken) return Promise.reject(new Error('netlink is gone'));
    return Promise.resolve({ routes: [...this.routes.values()], ways: this.ways });
  }

  begin(): TableBatch {
    const changes: Change[] = [];
    let seen: readonly TableRefusal[] | undefined;
    return {
      add: (op, { version, length, w0, w1, w2, w3 }, entry) => {
        const address = version === 4 ? Address.v4(w0) : Address.v6(w0, w1, w2, w3);
        changes.push({ op, prefix: Prefix.of(address, length), entry });
      },
      send: () => {
        this.batches.push(changes.length);
        if (this.prompt) seen = this.#all(changes);
        return seen === undefined ? this.send(changes) : Promise.resolve(seen);
      },
      poll: () => seen,
    };
  }

  /** In order, and not at once. */
  send(changes: readonly Change[]): Promise<readonly TableRefusal[]> {
    const refusals = this.#tail.then(() => {
      if (this.broken) throw new Error('netlink is gone');
      return this.#all(changes);
    });
    this.#tail = refusals.catch(() => undefined);
    return refusals;
  }

  #all(changes: readonly Change[]): readonly TableRefusal[] {
    return changes.flatMap((change, index) => {
      const refusal = this.#one(change);
      return refusal === undefined ? [] : [{ index, ...refusal }];
    });
  }

  #one({ op, prefix, entry }: Change): Omit<TableRefusal, 'index'> | undefined {
    const key = prefix.toString();
    const there = this.routes.get(key);
    if (op === 'delete') {
      if (there?.owner !== 'ours') return { cause: 'absent', reason: 'there is no such route' };
      this.routes.delete(key);
      this.log.push(`delete ${key}`);
      return undefined;
    }
    if (op === 'add' && there !== undefined) return { cause: 'exists', reason: 'file exists' };
    if (
      entry.type === 'unicast' &&
      entry.gateways.some((gateway) => this.unreachable.has(gateway.toString()))
    )
      return { cause: 'refused', reason: 'network is unreachable' };
    if (there?.owner === 'other') throw new Error(`replaced a stranger's route ${key}`);
    this.log.push(`${op} ${key} ${entryText(entry)}`);
    this.routes.set(key, { prefix, owner: 'ours', entry, text: key });
    return undefined;
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
