/**
 * The short answer of export: octets from octets, for paths that go out without a policy having looked at them. They
 * are never decoded, which was half of what a full table cost. Hot: once for each path and group.
 *
 * Writes only what {@link exportPath} and the encoder would come to; a property test holds it to them. What it cannot
 * tell (attributes it does not know, confederations, well-known communities) is asked there.
 */
import type { Path } from '../rib/path.ts';
import { fitsMessage, putMpReachHead } from '../wire/update-packer.ts';
import { FAMILIES, type Family, type Negotiated, type NextHop } from '../wire/types.ts';
import type { Writer } from '../wire/writer.ts';
import { clustersPassed, nextHopFor, type ExportContext } from './export.ts';
import { acceptsEverything } from './unread.ts';

/**
 * As `encodeRoute` of what export makes of the path, behind what the writer holds; -1 where that has to be asked, with
 * octets of no use behind what the writer held.
 */
export type UnreadExport = (path: Path, w: Writer) => number;

const CODE = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  med: 4,
  localPref: 5,
  atomicAggregate: 6,
  aggregator: 7,
  communities: 8,
  originatorId: 9,
  clusterList: 10,
  extendedCommunities: 16,
  largeCommunities: 32,
} as const;
/** Behind all of them. */
const END = 256;
/** Well-known communities (RFC 1997) begin here; some of them hold a route back. */
const WELL_KNOWN_COMMUNITIES = 0xffff0000;
const EXTENDED_LENGTH = 0x10;
const WELL_KNOWN = 0x40;
const OPTIONAL = 0x80;
const SEQUENCE = 2;
const LONGEST_SEGMENT = 255;

/** Made once for a group; undefined where every path has to be asked for. */
export function unreadExport(
  context: ExportContext,
  family: Family,
  session: Negotiated,
): UnreadExport | undefined {
  if (!acceptsEverything(context) || !session.fourOctetAs) return undefined;
  if (session.internal !== (context.peerKind === 'internal')) return undefined;
  const { version } = FAMILIES[family];
  return (path, w) => {
    const nextHop = nextHopFor(version, path, context, undefined);
    if (nextHop === undefined) return -1;
    const start = w.length;
    if (family !== 'ipv4-unicast') putMpReachHead(w, family, nextHop);
    const classic = family === 'ipv4-unicast' ? nextHop : undefined;
    const sound = path.attributes.readOctets((bytes, at, end) =>
      context.peerKind === 'external'
        ? putLeaving(w, bytes, at, end, path, classic, context)
        : putStaying(w, bytes, at, end, path, classic, context),
    );
    const length = w.length - start;
    return sound && fitsMessage(length, family, session) ? length : -1;
  };
}

/** Towards eBGP. */
function putLeaving(
  w: Writer,
  bytes: Uint8Array,
  from: number,
  to: number,
  path: Path,
  classic: NextHop | undefined,
  { localAsn }: ExportContext,
): boolean {
  let last = 0;
  for (let at = from; at < to; ) {
    const code = bytes[at + 1] as number;
    const end = endOf(bytes, at);
    if (classic !== undefined && last < CODE.nextHop && code > CODE.nextHop) putNextHop(w, classic);
    switch (code) {
      case CODE.asPath:
        if (!putPrepended(w, bytes, at, end, localAsn)) return false;
        break;
      case CODE.med:
        if (path.source.kind === 'local') w.copy(bytes, at, end);
        break;
      case CODE.localPref:
      case CODE.originatorId:
      case CODE.clusterList:
        break;
      case CODE.communities:
        if (hasWellKnown(bytes, at, end)) return false;
        w.copy(bytes, at, end);
        break;
      case CODE.origin:
      case CODE.atomicAggregate:
      case CODE.aggregator:
      case CODE.largeCommunities:
        w.copy(bytes, at, end);
        break;
      default:
        return false;
    }
    last = code;
    at = end;
  }
  if (classic !== undefined && last < CODE.nextHop) putNextHop(w, classic);
  return true;
}

/** Towards iBGP. */
function putStaying(
  w: Writer,
  bytes: Uint8Array,
  from: number,
  to: number,
  path: Path,
  classic: NextHop | undefined,
  context: ExportContext,
): boolean {
  const reflected = path.source.kind === 'internal';
  if (reflected && !path.source.reflectorClient && !context.reflectorClient) return false;
  let last = 0;
  /** What has to be there and is not, if its place is before this code. */
  const fill = (code: number): void => {
    if (classic !== undefined && last < CODE.nextHop && code > CODE.nextHop) putNextHop(w, classic);
    if (last < CODE.localPref && code > CODE.localPref)
      w.u8(WELL_KNOWN).u8(CODE.localPref).u8(4).u32(path.attributes.localPref);
    if (!reflected) return;
    if (last < CODE.originatorId && code > CODE.originatorId)
      w.u8(OPTIONAL).u8(CODE.originatorId).u8(4).u32(path.source.routerId);
    if (last < CODE.clusterList && code > CODE.clusterList) {
      const clusters = clustersPassed(path.source, context);
      w.u8(OPTIONAL)
        .u8(CODE.clusterList)
        .u8(clusters.length * 4);
      for (const cluster of clusters) w.u32(cluster);
    }
  };
  for (let at = from; at < to; ) {
    const code = bytes[at + 1] as number;
    const end = endOf(bytes, at);
    fill(code);
    switch (code) {
      case CODE.communities:
        if (hasWellKnown(bytes, at, end)) return false;
        w.copy(bytes, at, end);
        break;
      case CODE.clusterList:
        if (!reflected) w.copy(bytes, at, end);
        else if (!putPassed(w, bytes, at, end, clustersPassed(path.source, context))) return false;
        break;
      case CODE.origin:
      case CODE.asPath:
      case CODE.med:
      case CODE.localPref:
      case CODE.atomicAggregate:
      case CODE.aggregator:
      case CODE.originatorId:
      case CODE.extendedCommunities:
      case CODE.largeCommunities:
        w.copy(bytes, at, end);
        break;
      default:
        return false;
    }
    last = code;
    at = end;
  }
  fill(END);
  return true;
}

function putNextHop(w: Writer, { address }: NextHop): void {
  w.u8(WELL_KNOWN).u8(CODE.nextHop).u8(4).u32(address.w0);
}

/** RFC 4271 §5.1.2 b, where the AS fits into the sequence that the path begins with, or is the only one. */
function putPrepended(w: Writer, bytes: Uint8Array, at: number, end: number, asn: number): boolean {
  if ((octet(bytes, at) & EXTENDED_LENGTH) !== 0) return false;
  const value = at + 3;
  const length = end - value;
  if (length === 0) {
    w.u8(WELL_KNOWN).u8(CODE.asPath).u8(6).u8(SEQUENCE).u8(1).u32(asn);
    return true;
  }
  const asns = octet(bytes, value + 1);
  if (octet(bytes, value) !== SEQUENCE || asns >= LONGEST_SEGMENT || length + 4 > 255) return false;
  for (let segment = value; segment < end; segment += 2 + octet(bytes, segment + 1) * 4)
    if (octet(bytes, segment) > SEQUENCE) return false;
  w.u8(WELL_KNOWN)
    .u8(CODE.asPath)
    .u8(length + 4)
    .u8(SEQUENCE)
    .u8(asns + 1)
    .u32(asn)
    .copy(bytes, value + 2, end);
  return true;
}

/** A CLUSTER_LIST with ours in front. */
function putPassed(
  w: Writer,
  bytes: Uint8Array,
  at: number,
  end: number,
  clusters: readonly number[],
): boolean {
  const length = end - at - 3 + clusters.length * 4;
  if ((octet(bytes, at) & EXTENDED_LENGTH) !== 0 || length > 255) return false;
  w.u8(OPTIONAL).u8(CODE.clusterList).u8(length);
  for (const cluster of clusters) w.u32(cluster);
  w.copy(bytes, at + 3, end);
  return true;
}

function hasWellKnown(bytes: Uint8Array, at: number, end: number): boolean {
  const value = at + ((octet(bytes, at) & EXTENDED_LENGTH) === 0 ? 3 : 4);
  for (let each = value; each < end; each += 4)
    if (((octet(bytes, each) << 24) | (octet(bytes, each + 1) << 16)) >>> 0 === WELL_KNOWN_COMMUNITIES)
      return true;
  return false;
}

function endOf(bytes: Uint8Array, at: number): number {
  return (octet(bytes, at) & EXTENDED_LENGTH) === 0
    ? at + 3 + octet(bytes, at + 2)
    : at + 4 + ((octet(bytes, at + 2) << 8) | octet(bytes, at + 3));
}

function octet(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}
