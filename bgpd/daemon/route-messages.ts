/**
 * What the kernel is told of routes, put into octets once for all that go the same way (bench routes).
 */
import { constants } from 'node:os';
import type { IpVersion } from '../../net/addr/index.ts';
import { KernelError, type Route, RouteTemplate, TABLE_MAIN } from '../../net/kernel/index.ts';
import type { TableOperation } from '../fib/route-table.ts';
import type { TableEntry } from '../fib/table-entry.ts';

/** Calico's DeviceRouteProtocol for what is not a local workload (calico-data-model §18). */
export const PROTOCOL_BGPD = 80;

/** No interface has it: the kernel says so of each route that we would have led over one that is not there. */
const NO_INTERFACE = 0x7fff_ffff;

type Templates = Record<TableOperation, WeakMap<TableEntry, RouteTemplate>>;

export class RouteMessages {
  #templates: Readonly<Record<IpVersion, Templates>> = { 4: none(), 6: none() };
  #tunnel = NO_INTERFACE;
  /** Routes of one path come one after the other. */
  #last: RouteTemplate | undefined;
  #lastOp: TableOperation | undefined;
  #lastEntry: TableEntry | undefined;

  /** The index of the tunnel device; undefined: it is not there. */
  tunnelIs(index = NO_INTERFACE): void {
    if (index === this.#tunnel) return;
    this.#tunnel = index;
    this.#templates = { 4: none(), 6: none() };
    this.#last = undefined;
  }

  /** @returns why there is none, for what no kernel could hold */
  templateFor(op: TableOperation, version: IpVersion, entry: TableEntry): RouteTemplate | KernelError {
    const last = this.#last;
    if (last?.version === version && this.#lastOp === op && this.#lastEntry === entry) return last;
    const templates = this.#templates[version][op];
    let template = templates.get(entry);
    if (template === undefined) {
      try {
        template = new RouteTemplate(op, version, routeOf(op, entry), () => this.#tunnel);
      } catch (error) {
        return new KernelError(constants.errno.EINVAL, `route ${op}`, String(error));
      }
      templates.set(entry, template);
    }
    this.#last = template;
    this.#lastOp = op;
    this.#lastEntry = entry;
    return template;
  }
}

function none(): Templates {
  return { add: new WeakMap(), replace: new WeakMap(), delete: new WeakMap() };
}

export function routeOf(op: TableOperation, entry: TableEntry): Omit<Route, 'destination'> {
  const ours = { table: TABLE_MAIN, protocol: PROTOCOL_BGPD, metric: 0, scope: 'universe' } as const;
  if (entry.type === 'blackhole') return { ...ours, type: 'blackhole', nextHops: [] };
  // To a deletion, no next hops means any: what we adopted may have lost a gateway since.
  if (op === 'delete') return { ...ours, type: 'unicast', nextHops: [] };
  const { gateways, tunnel } = entry;
  // The far end of a tunnel is on no connected subnet; the device takes it as it is.
  const through = (tunnel?.gateways ?? []).map((gateway) => ({
    gateway,
    interface: tunnel?.device ?? '',
    onlink: true,
  }));
  return { ...ours, type: 'unicast', nextHops: [...gateways.map((gateway) => ({ gateway })), ...through] };
}
