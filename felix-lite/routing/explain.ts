/**
 * Why a packet to an address leaves as it does: what the datastore says of the address, what felix-lite wants for it, and
 * what the kernel does. A difference is an alarm.
 */
import type { PoolRouting, Problem } from '../../api/index.ts';
import type { Address, Prefix } from '../../net/addr/index.ts';
import {
  formatRoute,
  type Netlink,
  PROTOCOL_KERNEL,
  type Route,
  TABLE_MAIN,
} from '../../net/kernel/index.ts';
import type { Facts } from './facts.ts';
import { PROTOCOL_FELIX, routeOf } from './kernel.ts';
import type { RouteWish, RoutingPlan } from './plan.ts';
import type { RoutingSettings } from './settings.ts';
import { type WorkloadRouteWish, workloadRoute } from './workload-routes.ts';

export interface KernelWay {
  /** As `ip route` would say it. */
  readonly route: string;
  readonly destination: string;
  /** Whose the route is: `bgpd`, `felix-lite`, `workload`, `kernel`, or by its protocol. */
  readonly owner: string;
  /** That a packet of this machine's own would be sent from. */
  readonly source?: string;
}

export interface RouteExplanation {
  readonly to: string;
  readonly node: string;
  readonly pool?: Omit<PoolRouting, 'cidr'> & { readonly cidr: string };
  readonly block?: { readonly cidr: string; readonly node: string };
  readonly workload?: { readonly name: string; readonly node: string };
  /** By felix-lite; other routes are bgpd's to want. */
  readonly wanted?: { readonly route: string; readonly because: string };
  readonly kernel?: KernelWay;
  /** Of the route that is wanted. */
  readonly problems: readonly Problem[];
  readonly alarms: readonly string[];
}

export interface Asked {
  readonly to: Address;
  readonly node: string;
  readonly facts: Facts;
  readonly settings: RoutingSettings;
  readonly plan: RoutingPlan;
  readonly wishes: readonly WorkloadRouteWish[];
  readonly problems: readonly Problem[];
  /** Undefined: none. */
  readonly way: { readonly route: Route; readonly source: Address | undefined } | undefined;
}

/** Also where the kernel rejects: it answers as if there were no route, and its table has one. */
export async function wayTo(netlink: Netlink, to: Address): Promise<Asked['way']> {
  const way = await netlink.routeTo(to);
  if (way !== undefined) return way;
  const routes = await netlink.listRoutes({ table: TABLE_MAIN, version: to.version });
  const found = longest(
    routes.map((route) => ({ prefix: route.destination, route })),
    to,
  );
  return found === undefined ? undefined : { route: found.route, source: undefined };
}

export function explainRoute({
  to,
  node,
  facts,
  settings,
  plan,
  wishes,
  problems,
  way,
}: Asked): RouteExplanation {
  const pool = plan.pools.find(({ cidr }) => cidr.contains(to));
  const block = longest(facts.blocks, to);
  const workload = workloadOf(to, facts, settings);
  const here = longest(wishes, to);
  const between = longest(plan.routes, to);
  const wanted =
    here === undefined ? between && betweenNodes(between, pool, block) : toWorkload(here, settings);
  const kernel = way === undefined ? undefined : wayOf(way, settings);
  const concerned = problems.filter(({ value }) => value === wanted?.prefix.toString());
  return {
    to: to.toString(),
    node,
    ...(pool === undefined ? {} : { pool: { ...pool, cidr: pool.cidr.toString() } }),
    ...(block === undefined ? {} : { block: { cidr: block.prefix.toString(), node: block.node } }),
    ...(workload === undefined ? {} : { workload }),
    ...(wanted === undefined ? {} : { wanted: { route: wanted.route, because: wanted.because } }),
    ...(kernel === undefined ? {} : { kernel }),
    problems: concerned,
    alarms: settings.sync ? alarmsOf(to, wanted, kernel) : [],
  };
}

interface Wanted {
  readonly prefix: Prefix;
  readonly route: string;
  readonly owner: string;
  readonly because: string;
}

function longest<T extends { readonly prefix: Prefix }>(all: readonly T[], to: Address): T | undefined {
  let best: T | undefined;
  for (const each of all)
    if (each.prefix.contains(to) && (best === undefined || each.prefix.length > best.prefix.length))
      best = each;
  return best;
}

function workloadOf(
  to: Address,
  facts: Facts,
  { floatingIps }: RoutingSettings,
): RouteExplanation['workload'] {
  for (const { name, node, addresses, floating } of facts.endpoints)
    for (const { prefix } of [...addresses, ...(floatingIps ? floating : [])])
      if (prefix.contains(to)) return { name, node };
  return undefined;
}

function toWorkload(wish: WorkloadRouteWish, settings: RoutingSettings): Wanted {
  return {
    prefix: wish.prefix,
    route: formatRoute(workloadRoute(wish, settings.workloads)),
    owner: 'workload',
    because: `a workload of this node has the address, behind ${wish.device}`,
  };
}

function betweenNodes(
  wish: RouteWish,
  pool: PoolRouting | undefined,
  block: { readonly prefix: Prefix; readonly node: string } | undefined,
): Wanted {
  const mode =
    pool === undefined
      ? ''
      : `; IPPool ${pool.pool} is ${pool.encapsulation === 'none' ? 'unencapsulated' : pool.encapsulation}${pool.crossSubnet ? ' between subnets' : ''}`;
  const whose = block === undefined ? 'no block holds the address' : `the block is node ${block.node}'s`;
  return {
    prefix: wish.prefix,
    route: formatRoute(routeOf(wish)),
    owner: 'felix-lite',
    because:
      wish.gateway === undefined
        ? 'the block is this node’s own, and no workload of it has the address'
        : `${whose}${mode}`,
  };
}

function wayOf({ route, source }: NonNullable<Asked['way']>, settings: RoutingSettings): KernelWay {
  return {
    route: formatRoute(route),
    destination: route.destination.toString(),
    owner: ownerOf(route, settings),
    ...(source === undefined ? {} : { source: source.toString() }),
  };
}

const OWNERS: Readonly<Record<number, string>> = {
  [PROTOCOL_KERNEL]: 'kernel',
  4: 'static',
  12: 'BIRD',
  80: 'bgpd',
  [PROTOCOL_FELIX]: 'felix-lite',
};

function ownerOf({ protocol, nextHops }: Route, { workloads, interfacePrefixes }: RoutingSettings): string {
  const device = nextHops[0]?.interface;
  const isWorkloads =
    typeof device === 'string' && interfacePrefixes.some((prefix) => device.startsWith(prefix));
  if (isWorkloads && protocol === workloads.protocol) return 'workload';
  return OWNERS[protocol] ?? `protocol ${protocol}`;
}

function alarmsOf(to: Address, wanted: Wanted | undefined, kernel: KernelWay | undefined): readonly string[] {
  if (wanted === undefined) return [];
  if (kernel === undefined)
    return [`the kernel has no way to ${to.toString()}, and felix-lite wants ${wanted.route}`];
  if (kernel.destination === wanted.prefix.toString() && kernel.owner === wanted.owner) return [];
  return [
    `the kernel sends packets to ${to.toString()} by ${kernel.route} (${kernel.owner}), and felix-lite wants ${wanted.route}`,
  ];
}
