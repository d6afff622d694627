/** Routes of the kernel as values. Their bytes are in route-codec.ts. Pure. */
import type { Address, IpVersion, Prefix } from '../../addr/index.ts';

/** In the kernel's numbering, from 1. */
export const ROUTE_TYPES = [
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
] as const;
export type RouteType = (typeof ROUTE_TYPES)[number];

export const ROUTE_SCOPES = { universe: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const;
export type RouteScope = keyof typeof ROUTE_SCOPES;

export interface NextHop {
  /** May be of the other IP version under an IPv4 destination (RFC 8950). Absent: the destination is on the link. */
  readonly gateway?: Address;
  /** What the kernel chooses from the gateway when absent. Listed routes carry the name, events the index. */
  readonly interface?: string | number;
  /** Believe that the gateway is on the link although no route says so. */
  readonly onlink?: boolean;
  /** 1 to 256, the share among several next hops. Absent: 1. */
  readonly weight?: number;
  /** Only in what the kernel reports: dead, or its link is down. */
  readonly down?: boolean;
}

export interface Route {
  readonly destination: Prefix;
  /** 254 is main. */
  readonly table: number;
  /** Who installed it: 2 kernel, 3 boot, 4 static, 80 bgpd. */
  readonly protocol: number;
  readonly type: RouteType;
  /** Lower wins. 0 means the kernel's default: 0 in IPv4, 1024 in IPv6. */
  readonly metric: number;
  /** IPv4 only; the kernel ignores it in IPv6 and reports `universe`. */
  readonly scope: RouteScope;
  readonly nextHops: readonly NextHop[];
  /** The address that this machine sends from. */
  readonly source?: Address;
  readonly mtu?: number;
}

export const TABLE_MAIN = 254;
export const PROTOCOL_KERNEL = 2;
export const PROTOCOL_BOOT = 3;

/** A route with iproute2's defaults for what is left out: main table, unicast, scope by gateway. */
export function makeRoute(
  route: Pick<Route, 'destination' | 'protocol'> & Partial<Omit<Route, 'destination' | 'protocol'>>,
): Route {
  const type = route.type ?? 'unicast';
  const nextHops = route.nextHops ?? [];
  return {
    table: TABLE_MAIN,
    metric: 0,
    scope: defaultScope(route.destination, type, nextHops),
    ...route,
    type,
    nextHops,
  };
}

function defaultScope(destination: Prefix, type: RouteType, nextHops: readonly NextHop[]): RouteScope {
  if (destination.version === 6) return 'universe';
  if (type === 'local') return 'host';
  if (type === 'broadcast' || type === 'multicast' || type === 'anycast') return 'link';
  const direct =
    type === 'unicast' && nextHops.length > 0 && nextHops.every(({ gateway }) => gateway === undefined);
  return direct ? 'link' : 'universe';
}

/** Equal for routes of which the kernel holds at most one: table, destination and metric. */
export function routeKey(route: Route): string {
  return `${route.table} ${route.destination.toString()} ${effectiveMetric(route)}`;
}

const IP6_RT_PRIO_USER = 1024;

/** It has the metric that the kernel gives a route without one, and so stands where such a one would. */
export function hasDefaultMetric({ metric, destination }: Route): boolean {
  return metric === 0 || (metric === IP6_RT_PRIO_USER && destination.version === 6);
}

function effectiveMetric(route: Route): number {
  return route.metric === 0 && route.destination.version === 6 ? IP6_RT_PRIO_USER : route.metric;
}

/**
 * Whether the kernel's route is the one that is wanted. Not symmetric: an interface that `wanted` leaves out is the
 * kernel's choice, and so matches any. Next hops compare as a set, for IPv6 keeps its own order.
 */
export function sameRoute(wanted: Route, actual: Route): boolean {
  return (
    wanted.destination.equals(actual.destination) &&
    wanted.table === actual.table &&
    wanted.protocol === actual.protocol &&
    wanted.type === actual.type &&
    effectiveMetric(wanted) === effectiveMetric(actual) &&
    (wanted.destination.version === 6 || wanted.scope === actual.scope) &&
    sameAddress(wanted.source, actual.source) &&
    wanted.mtu === actual.mtu &&
    sameNextHops(wanted.nextHops, actual.nextHops)
  );
}

function sameNextHops(wanted: readonly NextHop[], actual: readonly NextHop[]): boolean {
  if (wanted.length !== actual.length) return false;
  const left = [...actual];
  return wanted.every((hop) => {
    const at = left.findIndex((other) => sameNextHop(hop, other));
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}

function sameNextHop(wanted: NextHop, actual: NextHop): boolean {
  return (
    sameAddress(wanted.gateway, actual.gateway) &&
    (wanted.interface === undefined || wanted.interface === actual.interface) &&
    (wanted.onlink ?? false) === (actual.onlink ?? false) &&
    (wanted.weight ?? 1) === (actual.weight ?? 1)
  );
}

function sameAddress(a: Address | undefined, b: Address | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}

/** `10.244.1.0/26 via 10.0.1.1 dev eth1 proto 80 metric 32`, as `ip route` would say it. */
export function formatRoute(route: Route): string {
  const hop = ({ gateway, interface: name, onlink, weight }: NextHop) =>
    [
      gateway === undefined
        ? ''
        : ` via ${gateway.version === route.destination.version ? '' : 'inet6 '}${gateway.toString()}`,
      name === undefined ? '' : ` dev ${name}`,
      onlink === true ? ' onlink' : '',
      weight === undefined || weight === 1 ? '' : ` weight ${weight}`,
    ].join('');
  return [
    route.type === 'unicast' ? '' : `${route.type} `,
    route.destination.toString(),
    ...(route.nextHops.length > 1
      ? route.nextHops.map((one) => ` nexthop${hop(one)}`)
      : route.nextHops.map(hop)),
    route.table === TABLE_MAIN ? '' : ` table ${route.table}`,
    ` proto ${route.protocol}`,
    route.metric === 0 ? '' : ` metric ${route.metric}`,
    route.source === undefined ? '' : ` src ${route.source.toString()}`,
    route.mtu === undefined ? '' : ` mtu ${route.mtu}`,
  ].join('');
}

/**
 * What to do with a route.
 *
 * - `add`: EEXIST when the kernel has one with the same {@link routeKey}, whoever's it is.
 * - `replace`: takes the place of the one with the same key, **whoever's it is**.
 * - `delete`: ESRCH unless the kernel has one that matches in all that is given: protocol, type, and next hops,
 *   where no next hops means any.
 */
export type RouteOperation = 'add' | 'replace' | 'delete';

export interface RouteFilter {
  readonly version?: IpVersion;
  readonly table?: number;
  readonly protocol?: number;
}

export function matchesFilter(route: Route, filter: RouteFilter): boolean {
  return (
    (filter.version === undefined || route.destination.version === filter.version) &&
    (filter.table === undefined || route.table === filter.table) &&
    (filter.protocol === undefined || route.protocol === filter.protocol)
  );
}
