/** The bytes of routes (struct rtmsg). Pure. */
import { AF_INET6, familyOf, versionOf } from '../abi.ts';
import { Address, type IpVersion, Prefix } from '../../addr/index.ts';
import {
  eachAttribute,
  flagsOf,
  type IndexOf,
  type MessageWriter,
  type NameOf,
  NLM_F_DUMP,
} from './message.ts';
import {
  type NextHop,
  ROUTE_SCOPES,
  ROUTE_TYPES,
  type Route,
  type RouteFilter,
  type RouteOperation,
  type RouteScope,
  type RouteType,
} from './route.ts';

const SCOPE_NAMES = new Map<number, RouteScope>(
  Object.entries(ROUTE_SCOPES).map(([name, number]) => [number, name as RouteScope]),
);

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

/** @throws RangeError on what no kernel could hold; whatever `indexOf` throws */
export function encodeRoute(w: MessageWriter, op: RouteOperation, route: Route, indexOf: IndexOf): void {
  const { destination, nextHops } = route;
  const single = nextHops.length === 1 ? nextHops[0] : undefined;
  w.begin(op === 'delete' ? RTM_DELROUTE : RTM_NEWROUTE, flagsOf(op));
  w.u8(familyOf(destination.version));
  w.u8(destination.length);
  w.u8(0);
  w.u8(0);
  w.u8(route.table < 256 ? route.table : 0);
  w.u8(route.protocol);
  // To a deletion, "nowhere" is any scope.
  w.u8(op === 'delete' ? ROUTE_SCOPES.nowhere : ROUTE_SCOPES[route.scope]);
  w.u8(ROUTE_TYPES.indexOf(route.type) + 1);
  w.u32(single === undefined ? 0 : hopFlags(single));
  w.attributeAddress(RTA_DST, destination.address);
  w.attributeU32(RTA_TABLE, route.table);
  if (route.metric !== 0) w.attributeU32(RTA_PRIORITY, route.metric);
  if (route.source !== undefined) w.attributeAddress(RTA_PREFSRC, route.source);
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
  if (gateway.version === version) w.attributeAddress(RTA_GATEWAY, gateway);
  else if (gateway.version === 6)
    w.attribute(RTA_VIA, Buffer.concat([Buffer.from([AF_INET6, 0]), gateway.toBytes()]));
  else throw new RangeError(`an IPv6 destination cannot have the IPv4 gateway ${gateway.toString()}`);
}

/** Asks for all routes of one IP version. Kernels with strict checking (4.20) apply the filter themselves. */
export function encodeRouteDump(w: MessageWriter, version: IpVersion, filter: RouteFilter): void {
  w.begin(RTM_GETROUTE, NLM_F_DUMP);
  w.u8(familyOf(version));
  w.bytes(new Uint8Array(4));
  w.u8(filter.protocol ?? 0);
  w.bytes(new Uint8Array(6));
  if (filter.table !== undefined) w.attributeU32(RTA_TABLE, filter.table);
  w.end();
}

const RTM_F_FIB_MATCH = 0x2000;

/** Asks for the way to one address. @param whole  the entry of the table, in place of the way that one packet would take */
export function encodeRouteLookup(w: MessageWriter, address: Address, whole: boolean): void {
  w.begin(RTM_GETROUTE, 0);
  w.u8(familyOf(address.version));
  w.u8(address.bits);
  w.bytes(new Uint8Array(6));
  w.u32(whole ? RTM_F_FIB_MATCH : 0);
  w.attributeAddress(RTA_DST, address);
  w.end();
}

/** An answer to a lookup; the way of one packet says that it is no entry of the table. */
export function decodeLookup(bytes: Buffer, start: number, end: number, nameOf: NameOf): Route | undefined {
  const flags = bytes.readUInt32LE(start + 8);
  bytes.writeUInt32LE((flags & ~RTM_F_CLONED) >>> 0, start + 8);
  return decodeRoute(bytes, start, end, nameOf);
}

const RTMSG = 12;
const RTM_F_CLONED = 0x200;
const UNSPECIFIED = { 4: Address.v4(0), 6: Address.v6(0, 0, 0, 0) } as const;

/** Reads an RTM_NEWROUTE or RTM_DELROUTE; undefined for what is no unicast forwarding entry (other families, caches). */
export function decodeRoute(bytes: Buffer, start: number, end: number, nameOf: NameOf): Route | undefined {
  const version = versionOf(bytes.readUInt8(start));
  const type = ROUTE_TYPES[bytes.readUInt8(start + 7) - 1];
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
  return versionOf(bytes.readUInt16LE(start)) !== undefined
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
