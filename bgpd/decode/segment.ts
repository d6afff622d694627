/**
 * From a captured frame to the TCP segment in it: Ethernet with VLAN tags, Linux cooked captures (SLL, SLL2), BSD
 * loopback, raw IP; IPv4 and IPv6 with extension headers. Anything else, fragments included, is no segment.
 */
import { Address } from '../../net/addr/index.ts';
import type { Frame } from './capture.ts';

export interface Segment {
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly syn: boolean;
  /** FIN or RST: nothing follows. */
  readonly last: boolean;
  /** A view of the frame. */
  readonly payload: Uint8Array;
  /** Octets of the payload that the capture has cut off. */
  readonly cut: number;
}

const ETHERTYPE = { ipv4: 0x0800, ipv6: 0x86dd } as const;
const VLAN_TAGS: readonly number[] = [0x8100, 0x88a8, 0x9100];
const TCP = 6;

/** Octets before the network packet, and where the EtherType is; by LINKTYPE_. */
const COOKED: Readonly<Record<number, { readonly header: number; readonly type: number }>> = {
  1: { header: 14, type: 12 },
  113: { header: 16, type: 14 },
  276: { header: 20, type: 0 },
};

/** Octets before a packet that tells its IP version itself: loopbacks with an address family, and raw IP. */
const RAW: Readonly<Record<number, number>> = { 0: 4, 108: 4, 12: 0, 14: 0, 101: 0, 228: 0, 229: 0 };

/** Whether frames of this LINKTYPE_ can be read at all. */
export function knowsLink(link: number): boolean {
  return link in COOKED || link in RAW;
}

export function segmentOf({ link, bytes, cut }: Frame): Segment | undefined {
  const at = networkOffset(link, bytes);
  if (at === undefined || at >= bytes.length) return undefined;
  const version = (bytes[at] ?? 0) >>> 4;
  const packet = bytes.subarray(at);
  if (version === 4) return ipv4(packet, cut);
  return version === 6 ? ipv6(packet, cut) : undefined;
}

function networkOffset(link: number, bytes: Uint8Array): number | undefined {
  const raw = RAW[link];
  if (raw !== undefined) return raw;
  const cooked = COOKED[link];
  if (cooked === undefined) return undefined;
  let at = cooked.header;
  let type = u16(bytes, cooked.type);
  while (VLAN_TAGS.includes(type)) {
    type = u16(bytes, at + 2);
    at += 4;
  }
  return type === ETHERTYPE.ipv4 || type === ETHERTYPE.ipv6 ? at : undefined;
}

function ipv4(packet: Uint8Array, cut: number): Segment | undefined {
  const header = ((packet[0] ?? 0) & 15) * 4;
  if (header < 20 || packet.length < header || packet[9] !== TCP) return undefined;
  const fragment = (u16(packet, 6) & 0x3fff) !== 0;
  if (fragment) return undefined;
  // 0 where the network card would have cut the packet into segments (TSO).
  const total = u16(packet, 2) === 0 ? packet.length + cut : u16(packet, 2);
  return tcp(packet, header, total, packet.subarray(12, 16), packet.subarray(16, 20));
}

/** RFC 8200 §4: hop-by-hop, routing, destination options; RFC 4302: authentication. A fragment ends the walk. */
function ipv6(packet: Uint8Array, cut: number): Segment | undefined {
  if (packet.length < 40) return undefined;
  const total = u16(packet, 4) === 0 ? packet.length + cut : u16(packet, 4) + 40;
  let next = packet[6] ?? 0;
  let at = 40;
  while (next === 0 || next === 43 || next === 60 || next === 51) {
    if (at + 2 > packet.length) return undefined;
    const following = packet[at] ?? 0;
    const length = packet[at + 1] ?? 0;
    at += next === 51 ? (length + 2) * 4 : (length + 1) * 8;
    next = following;
  }
  if (next !== TCP) return undefined;
  return tcp(packet, at, total, packet.subarray(8, 24), packet.subarray(24, 40));
}

/** @param total octets of the whole IP packet, its header included: what lies behind is Ethernet's padding */
function tcp(
  packet: Uint8Array,
  at: number,
  total: number,
  source: Uint8Array,
  destination: Uint8Array,
): Segment | undefined {
  if (packet.length < at + 20) return undefined;
  const start = at + ((packet[at + 12] ?? 0) >>> 4) * 4;
  if (start < at + 20 || start > total) return undefined;
  const flags = packet[at + 13] ?? 0;
  const payload = packet.subarray(Math.min(start, packet.length), Math.min(total, packet.length));
  return {
    source: Address.fromBytes(source).toString(),
    sourcePort: u16(packet, at),
    destination: Address.fromBytes(destination).toString(),
    destinationPort: u16(packet, at + 2),
    sequence: (u16(packet, at + 4) << 16) | u16(packet, at + 6),
    syn: (flags & 0x02) !== 0,
    last: (flags & 0x05) !== 0,
    payload,
    cut: total - start - payload.length,
  };
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
