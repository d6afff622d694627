/** Routes of the kernel, and their bytes (struct rtmsg). Pure. */
import { Address, type IpVersion, Prefix } from '../../addr/index.ts';
import {
  AF_INET,
  AF_INET6,
  eachAttribute,
  type IndexOf,
  type MessageWriter,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  type NameOf,
} from './message.ts';

/** In the kernel's numbering, from 1. */
const TYPES = [
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
export type RouteType = (typeof TYPES)[number];

const SCOPES = { universe: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const;
export type RouteScope = keyof typeof SCOPES;
const SCOPE_NAMES = new Map<number, RouteScope>(
  Object.entries(SCOPES).map(([name, number]) => [number, name as RouteScope]),
);

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
  /** Who installed it: 2 kernel, 3 boot, 4 static, 80 bgpd (as Calico's BIRD does not say, but its users expect). */
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

function effectiveMetric(route: Route): number {
  const IP6_RT_PRIO_USER = 1024;
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

export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTAX_MTU = 2;

const RTNH_F_DEAD = 1;
const RTNH_F_ONLINK = 4;
const RTNH_F_LINKDOWN = 16;

/**
 * What to do with a route.
 *
 * - `add`: EEXIST when the kernel has one with the same {@link routeKey}, whoever's it is.
 * - `replace`: takes the place of the one with the same key, **whoever's it is**.
 * - `delete`: ESRCH unless the kernel has one that matches in all that is given: protocol, type, and next hops,
 *   where no next hops means any.
 */
export type RouteOperation = 'add' | 'replace' | 'delete';

/** @throws RangeError on what no kernel could hold; whatever `indexOf` throws */
export function encodeRoute(w: MessageWriter, op: RouteOperation, route: Route, indexOf: IndexOf): void {
  const { destination, nextHops } = route;
  const single = nextHops.length === 1 ? nextHops[0] : undefined;
  const flags = op === 'delete' ? 0 : NLM_F_CREATE | (op === 'add' ? NLM_F_EXCL : NLM_F_REPLACE);
  w.begin(op === 'delete' ? RTM_DELROUTE : RTM_NEWROUTE, flags);
  w.u8(destination.version === 4 ? AF_INET : AF_INET6);
  w.u8(destination.length);
  w.u8(0);
  w.u8(0);
  w.u8(route.table < 256 ? route.table : 0);
  w.u8(route.protocol);
  // To a deletion, "nowhere" is any scope.
  w.u8(op === 'delete' ? SCOPES.nowhere : SCOPES[route.scope]);
  w.u8(TYPES.indexOf(route.type) + 1);
  w.u32(single === undefined ? 0 : hopFlags(single));
  w.attribute(RTA_DST, destination.toBytes());
  w.attributeU32(RTA_TABLE, route.table);
  if (route.metric !== 0) w.attributeU32(RTA_PRIORITY, route.metric);
  if (route.source !== undefined) w.attribute(RTA_PREFSRC, route.source.toBytes());
  const { mtu } = route;
  if (mtu !== undefined) w.nested(RTA_METRICS, () => w.attributeU32(RTAX_MTU, mtu));
  if (single !== undefined) {
    encodeGateway(w, destination.version, single.gateway);
    if (single.interface !== undefined) w.attributeU32(RTA_OIF, indexOf(single.interface));
  } else if (nextHops.length > 1)
    w.nested(RTA_MULTIPATH, () => {
      for (const hop of nextHops) encodeNextHop(w, destination.version, hop, indexOf);
    });
  w.end();
}

/** struct rtnexthop: length u16, flags u8, hops u8 (weight less one), ifindex u32, attributes. */
function encodeNextHop(w: MessageWriter, version: IpVersion, hop: NextHop, indexOf: IndexOf): void {
  const weight = hop.weight ?? 1;
  if (!Number.isInteger(weight) || weight < 1 || weight > 256)
    throw new RangeError(`the weight of a next hop is 1 to 256, got ${weight}`);
  w.counted(() => {
    w.u8(hopFlags(hop));
    w.u8(weight - 1);
    w.u32(hop.interface === undefined ? 0 : indexOf(hop.interface));
    encodeGateway(w, version, hop.gateway);
  });
}

function hopFlags(hop: NextHop): number {
  return hop.onlink === true ? RTNH_F_ONLINK : 0;
}

function encodeGateway(w: MessageWriter, version: IpVersion, gateway: Address | undefined): void {
  if (gateway === undefined) return;
  if (gateway.version === version) w.attribute(RTA_GATEWAY, gateway.toBytes());
  else if (gateway.version === 6)
    w.attribute(RTA_VIA, Buffer.concat([Buffer.from([AF_INET6, 0]), gateway.toBytes()]));
  else throw new RangeError(`an IPv6 destination cannot have the IPv4 gateway ${gateway.toString()}`);
}

export interface RouteFilter {
  readonly version?: IpVersion;
  readonly table?: number;
  readonly protocol?: number;
}

/** Asks for all routes of one IP version. Kernels with strict checking (4.20) apply the filter themselves. */
export function encodeRouteDump(w: MessageWriter, version: IpVersion, filter: RouteFilter): void {
  w.begin(RTM_GETROUTE, NLM_F_DUMP);
  w.u8(version === 4 ? AF_INET : AF_INET6);
  w.bytes(new Uint8Array(4));
  w.u8(filter.protocol ?? 0);
  w.bytes(new Uint8Array(6));
  if (filter.table !== undefined) w.attributeU32(RTA_TABLE, filter.table);
  w.end();
}

export function matchesFilter(route: Route, filter: RouteFilter): boolean {
  return (
    (filter.version === undefined || route.destination.version === filter.version) &&
    (filter.table === undefined || route.table === filter.table) &&
    (filter.protocol === undefined || route.protocol === filter.protocol)
  );
}

const RTMSG = 12;
const RTM_F_CLONED = 0x200;
const UNSPECIFIED = { 4: Address.v4(0), 6: Address.v6(0, 0, 0, 0) } as const;

/** Reads an RTM_NEWROUTE or RTM_DELROUTE; undefined for what is no unicast forwarding entry (other families, caches). */
export function decodeRoute(bytes: Buffer, start: number, end: number, nameOf: NameOf): Route | undefined {
  const family = bytes.readUInt8(start);
  const version = family === AF_INET ? 4 : family === AF_INET6 ? 6 : undefined;
  const type = TYPES[bytes.readUInt8(start + 7) - 1];
  const flags = bytes.readUInt32LE(start + 8);
  if (version === undefined || type === undefined || (flags & RTM_F_CLONED) !== 0) return undefined;
  const length = bytes.readUInt8(start + 1);
  let destination = UNSPECIFIED[version];
  let table = bytes.readUInt8(start + 4);
  let metric = 0;
  let source: Address | undefined;
  let mtu: number | undefined;
  let gateway: Address | undefined;
  let oif: number | undefined;
  let multipath: NextHop[] | undefined;
  eachAttribute(bytes, start + RTMSG, end, (attribute, from, to) => {
    if (attribute === RTA_DST) destination = Address.fromBytes(bytes.subarray(from, to));
    else if (attribute === RTA_GATEWAY) gateway = Address.fromBytes(bytes.subarray(from, to));
    else if (attribute === RTA_OIF) oif = bytes.readUInt32LE(from);
    else if (attribute === RTA_TABLE) table = bytes.readUInt32LE(from);
    else if (attribute === RTA_PRIORITY) metric = bytes.readUInt32LE(from);
    else if (attribute === RTA_PREFSRC) source = Address.fromBytes(bytes.subarray(from, to));
    else if (attribute === RTA_VIA) gateway = readVia(bytes, from, to);
    else if (attribute === RTA_METRICS) mtu = readMtu(bytes, from, to);
    else if (attribute === RTA_MULTIPATH) multipath = readMultipath(bytes, from, to, nameOf);
  });
  return {
    destination: Prefix.of(destination, length),
    table,
    protocol: bytes.readUInt8(start + 5),
    type,
    metric,
    scope: SCOPE_NAMES.get(bytes.readUInt8(start + 6)) ?? 'universe',
    nextHops: multipath ?? singleHop(type, gateway, oif, flags, nameOf),
    ...(source === undefined ? {} : { source }),
    ...(mtu === undefined ? {} : { mtu }),
  };
}

function singleHop(
  type: RouteType,
  gateway: Address | undefined,
  oif: number | undefined,
  flags: number,
  nameOf: NameOf,
): readonly NextHop[] {
  // IPv6 hangs its rejecting routes on the loopback interface; nobody asked for that next hop.
  if (type === 'blackhole' || type === 'unreachable' || type === 'prohibit' || type === 'throw') return [];
  if (gateway === undefined && oif === undefined) return [];
  return [readHop(gateway, oif, flags, 1, nameOf)];
}

function readHop(
  gateway: Address | undefined,
  oif: number | undefined,
  flags: number,
  weight: number,
  nameOf: NameOf,
): NextHop {
  return {
    ...(gateway === undefined ? {} : { gateway }),
    ...(oif === undefined || oif === 0 ? {} : { interface: nameOf(oif) ?? oif }),
    ...((flags & RTNH_F_ONLINK) === 0 ? {} : { onlink: true }),
    ...(weight === 1 ? {} : { weight }),
    ...((flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) === 0 ? {} : { down: true }),
  };
}

function readMultipath(bytes: Buffer, start: number, end: number, nameOf: NameOf): NextHop[] {
  const RTNEXTHOP = 8;
  const hops: NextHop[] = [];
  for (let at = start; at + RTNEXTHOP <= end; ) {
    const size = bytes.readUInt16LE(at);
    if (size < RTNEXTHOP || at + size > end)
      throw new RangeError(`netlink: a next hop of ${size} octets at ${at} of ${end}`);
    let gateway: Address | undefined;
    eachAttribute(bytes, at + RTNEXTHOP, at + size, (type, from, to) => {
      if (type === RTA_GATEWAY) gateway = Address.fromBytes(bytes.subarray(from, to));
      else if (type === RTA_VIA) gateway = readVia(bytes, from, to);
    });
    hops.push(
      readHop(
        gateway,
        bytes.readUInt32LE(at + 4),
        bytes.readUInt8(at + 2),
        bytes.readUInt8(at + 3) + 1,
        nameOf,
      ),
    );
    at += (size + 3) & ~3;
  }
  return hops;
}

/** struct rtvia: family u16, address. */
function readVia(bytes: Buffer, start: number, end: number): Address | undefined {
  const family = bytes.readUInt16LE(start);
  return family === AF_INET || family === AF_INET6
    ? Address.fromBytes(bytes.subarray(start + 2, end))
    : undefined;
}

function readMtu(bytes: Buffer, start: number, end: number): number | undefined {
  let mtu: number | undefined;
  eachAttribute(bytes, start, end, (type, from) => {
    if (type === RTAX_MTU) mtu = bytes.readUInt32LE(from);
  });
  return mtu;
}
