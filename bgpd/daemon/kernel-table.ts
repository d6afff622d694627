/**
 * The kernel's main routing table, as the Fib sees it, over netlink.
 *
 * Whose is it? Protocol 80 in the main table is bgpd's, all of it (the agent's /32s of local workloads are protocol 3).
 * Only routes that stand where ours would (same prefix, and the metric that the kernel gives a route without one)
 * compete with us; others of the same prefix are no concern of ours.
 */
import type { Cancel } from '../../clock/clock.ts';
import { IPIP_DEVICE } from '../../api/encapsulation.ts';
import type { Prefix } from '../../net/addr/index.ts';
import {
  formatRoute,
  type KernelError,
  type KernelEvent,
  makeRoute,
  type Netlink,
  type Route,
  type RouteOutcome,
  routeKey,
  TABLE_MAIN,
} from '../../net/kernel/index.ts';
import type { RouteOwner, RouteTable, TableChange, TableContents, TableOutcome } from '../fib/route-table.ts';
import type { TableEntry } from '../fib/table-entry.ts';
import type { Way } from '../fib/ways.ts';

/** Calico's DeviceRouteProtocol for what is not a local workload (calico-data-model §18). */
export const PROTOCOL_BGPD = 80;
/** Routes that come from the datastore instead of BGP; `felix-lite/routing/` writes them. */
const PROTOCOL_FELIX = 81;

type RouteSocket = Pick<Netlink, 'listRoutes' | 'applyRoutes' | 'subscribe'>;

export interface TableWatcher {
  observe(prefix: Prefix, owner: RouteOwner, change: 'new' | 'deleted'): void;
  disturbed(): void;
}

export class KernelTable implements RouteTable {
  readonly #netlink: RouteSocket;

  constructor(netlink: RouteSocket) {
    this.#netlink = netlink;
  }

  async list(): Promise<TableContents> {
    const routes = await this.#netlink.listRoutes({ table: TABLE_MAIN });
    return {
      routes: routes.filter(inOurPlace).map((route) => ({
        prefix: route.destination,
        owner: ownerOf(route),
        entry: entryOf(route),
        text: formatRoute(route),
      })),
      ways: routes.flatMap(wayOf),
    };
  }

  async apply(changes: readonly TableChange[]): Promise<readonly TableOutcome[]> {
    const outcomes = await this.#netlink.applyRoutes(
      changes.map(({ op, prefix, entry }) => ({ op, route: routeOf(prefix, entry, op) })),
    );
    return outcomes.map(outcomeOf);
  }

  /** Tells the watcher what others do to the table, until cancelled. */
  watch(watcher: TableWatcher): Cancel {
    return this.#netlink.subscribe(['route', 'link', 'address'], (event) => tell(watcher, event));
  }
}

function tell(watcher: TableWatcher, event: KernelEvent): void {
  // IPv4 routes that go with their link or source address go without an event of their own.
  if (event.type !== 'route') return watcher.disturbed();
  const { route, change } = event;
  if (route.table !== TABLE_MAIN) return;
  // Others' routes of any metric matter: next hops are reached over them.
  if (ownerOf(route) !== 'ours' || inOurPlace(route))
    watcher.observe(route.destination, ownerOf(route), change);
}

function inOurPlace(route: Route): boolean {
  return routeKey(route) === routeKey({ ...route, metric: 0 });
}

function ownerOf(route: Route): RouteOwner {
  if (route.protocol === PROTOCOL_BGPD) return 'ours';
  return route.protocol === PROTOCOL_FELIX ? 'kin' : 'other';
}

function entryOf(route: Route): TableEntry | undefined {
  if (route.type === 'blackhole') return { type: 'blackhole' };
  const plain = route.type === 'unicast' && route.nextHops.every(({ gateway }) => gateway !== undefined);
  if (!plain || route.nextHops.length === 0) return undefined;
  const through = route.nextHops.filter((hop) => hop.interface === IPIP_DEVICE);
  const bare = route.nextHops.filter((hop) => hop.interface !== IPIP_DEVICE);
  return {
    type: 'unicast',
    gateways: bare.flatMap(({ gateway }) => gateway ?? []),
    ...(through.length === 0
      ? {}
      : { tunnel: { device: IPIP_DEVICE, gateways: through.flatMap(({ gateway }) => gateway ?? []) } }),
  };
}

/** A route that may lead to a next hop: a stranger's, that does not reject. */
function wayOf(route: Route): Way[] {
  if (route.type !== 'unicast' || ownerOf(route) !== 'other') return [];
  const alive = route.nextHops.filter(({ down }) => down !== true);
  if (alive.length === 0) return [];
  const gateways = alive.flatMap(({ gateway }) => gateway ?? []);
  // Listed routes name their links; see net/kernel.
  const [link] = alive.flatMap((hop) => (typeof hop.interface === 'string' ? [hop.interface] : []));
  return [{ prefix: route.destination, gateways, metric: route.metric, link }];
}

function routeOf(destination: Prefix, entry: TableEntry, op: TableChange['op']): Route {
  const ours = { destination, protocol: PROTOCOL_BGPD };
  if (entry.type === 'blackhole') return makeRoute({ ...ours, type: 'blackhole' });
  // To a deletion, no next hops means any: what we adopted may have lost a gateway since.
  if (op === 'delete') return bare(destination, []);
  const { gateways, tunnel } = entry;
  if (tunnel === undefined) {
    const [only] = gateways;
    return bare(
      destination,
      only !== undefined && gateways.length === 1
        ? [{ gateway: only }]
        : gateways.map((gateway) => ({ gateway })),
    );
  }
  // The far end of a tunnel is on no connected subnet; the device takes it as it is.
  const through = tunnel.gateways.map((gateway) => ({ gateway, interface: tunnel.device, onlink: true }));
  return makeRoute({ ...ours, nextHops: [...gateways.map((gateway) => ({ gateway })), ...through] });
}

/** Nearly all routes: written out, for this is asked of each (bench routes). */
function bare(destination: Prefix, nextHops: Route['nextHops']): Route {
  return {
    destination,
    table: TABLE_MAIN,
    protocol: PROTOCOL_BGPD,
    type: 'unicast',
    metric: 0,
    scope: 'universe',
    nextHops,
  };
}

const DONE: TableOutcome = { ok: true };

function outcomeOf({ errno, error }: RouteOutcome): TableOutcome {
  if (errno === 0) return DONE;
  return { ok: false, cause: causeOf(error), reason: reasonOf(error) };
}

function causeOf(error: KernelError | undefined): 'exists' | 'absent' | 'refused' {
  if (error?.code === 'EEXIST') return 'exists';
  return error?.code === 'ESRCH' || error?.code === 'ENOENT' ? 'absent' : 'refused';
}

function reasonOf(error: KernelError | undefined): string {
  return error?.problems[0]?.what ?? 'the kernel gave no reason';
}
