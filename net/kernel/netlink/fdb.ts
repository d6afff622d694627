/**
 * Forwarding entries of a VXLAN device, and their bytes (struct ndmsg, AF_BRIDGE): behind which outer address a MAC
 * address is. Pure.
 */
import { Address } from '../../addr/index.ts';
import { formatMac, parseMac } from './link.ts';
import { eachAttribute, flagsOf, type MessageWriter, NLM_F_DUMP } from './message.ts';
import { RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH } from './neighbour.ts';

export interface ForwardingEntry {
  /** Index of the VXLAN interface. */
  readonly link: number;
  readonly mac: string;
  /** Outer address of the far end. */
  readonly remote: Address;
}

const AF_BRIDGE = 7;
const NTF_SELF = 2;
const NUD_PERMANENT = 0x80;
const NDA_DST = 1;
const NDA_LLADDR = 2;

export function encodeForwarding(w: MessageWriter, op: 'replace' | 'delete', entry: ForwardingEntry): void {
  w.begin(op === 'replace' ? RTM_NEWNEIGH : RTM_DELNEIGH, flagsOf(op));
  encodeHeader(w, entry.link, NUD_PERMANENT, NTF_SELF);
  w.attribute(NDA_LLADDR, parseMac(entry.mac));
  w.attribute(NDA_DST, entry.remote.toBytes());
  w.end();
}

export function encodeForwardingDump(w: MessageWriter, link: number): void {
  w.begin(RTM_GETNEIGH, NLM_F_DUMP);
  encodeHeader(w, link, 0, 0);
  w.end();
}

/** struct ndmsg: family u8, 3 octets of padding, ifindex u32, state u16, flags u8, type u8. */
function encodeHeader(w: MessageWriter, link: number, state: number, flags: number): void {
  w.u8(AF_BRIDGE);
  w.bytes(new Uint8Array(3));
  w.u32(link);
  w.u16(state);
  w.u8(flags);
  w.u8(0);
}

const NDMSG = 12;

/** Undefined for what is no entry of a tunnel: those of bridges have no outer address. */
export function decodeForwarding(bytes: Buffer, start: number, end: number): ForwardingEntry | undefined {
  if (bytes.readUInt8(start) !== AF_BRIDGE) return undefined;
  let remote: Address | undefined;
  let mac: string | undefined;
  eachAttribute(bytes, start + NDMSG, end, (type, from, to) => {
    if (type === NDA_DST) remote = Address.fromBytes(bytes.subarray(from, to));
    else if (type === NDA_LLADDR && to - from === 6) mac = formatMac(bytes.subarray(from, to));
  });
  if (remote === undefined || mac === undefined) return undefined;
  return { link: bytes.readUInt32LE(start + 4), mac, remote };
}
