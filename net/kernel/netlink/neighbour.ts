/** Neighbour entries (ARP and NDP), and their bytes (struct ndmsg). Pure. */
import { familyOf, versionOf } from '../abi.ts';
import { Address } from '../../addr/index.ts';
import { formatMac, parseMac } from './link.ts';
import { eachAttribute, flagsOf, type MessageWriter, NLM_F_DUMP } from './message.ts';

const STATES = {
  incomplete: 0x01,
  reachable: 0x02,
  stale: 0x04,
  delay: 0x08,
  probe: 0x10,
  failed: 0x20,
  noarp: 0x40,
  permanent: 0x80,
} as const;
export type NeighbourState = keyof typeof STATES | 'none';

export interface Neighbour {
  /** Index of the interface. */
  readonly link: number;
  readonly address: Address;
  /** Absent while unknown. */
  readonly mac?: string;
  readonly state: NeighbourState;
}

export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;
const NDA_DST = 1;
const NDA_LLADDR = 2;

/** Sets the entry, permanent or to be confirmed by traffic (`stale`), or removes it. */
export function encodeNeighbour(
  w: MessageWriter,
  op: 'replace' | 'delete',
  link: number,
  address: Address,
  mac?: string,
  permanent = true,
): void {
  w.begin(op === 'replace' ? RTM_NEWNEIGH : RTM_DELNEIGH, flagsOf(op));
  encodeHeader(w, familyOf(address.version), link);
  w.u16(op === 'delete' ? 0 : permanent ? STATES.permanent : STATES.stale);
  w.u16(0);
  w.attribute(NDA_DST, address.toBytes());
  if (mac !== undefined) w.attribute(NDA_LLADDR, parseMac(mac));
  w.end();
}

export function encodeNeighbourDump(w: MessageWriter): void {
  w.begin(RTM_GETNEIGH, NLM_F_DUMP);
  encodeHeader(w, 0, 0);
  w.u32(0);
  w.end();
}

/** The first half of struct ndmsg: family u8, 3 octets of padding, ifindex u32. */
function encodeHeader(w: MessageWriter, family: number, link: number): void {
  w.u8(family);
  w.bytes(new Uint8Array(3));
  w.u32(link);
}

const NDMSG = 12;

/** Undefined for families other than IP (a bridge's forwarding entries). */
export function decodeNeighbour(bytes: Buffer, start: number, end: number): Neighbour | undefined {
  if (versionOf(bytes.readUInt8(start)) === undefined) return undefined;
  let address: Address | undefined;
  let mac: string | undefined;
  eachAttribute(bytes, start + NDMSG, end, (type, from, to) => {
    if (type === NDA_DST) address = Address.fromBytes(bytes.subarray(from, to));
    else if (type === NDA_LLADDR && to - from === 6) mac = formatMac(bytes.subarray(from, to));
  });
  if (address === undefined) return undefined;
  return {
    link: bytes.readUInt32LE(start + 4),
    address,
    state: stateName(bytes.readUInt16LE(start + 8)),
    ...(mac === undefined ? {} : { mac }),
  };
}

function stateName(bits: number): NeighbourState {
  for (const [name, bit] of Object.entries(STATES)) if ((bits & bit) !== 0) return name as NeighbourState;
  return 'none';
}
