/** Addresses on interfaces, and their bytes (struct ifaddrmsg). Pure. */
import { familyOf, versionOf } from '../abi.ts';
import { Address } from '../../addr/index.ts';
import { eachAttribute, flagsOf, type MessageWriter, NLM_F_DUMP } from './message.ts';

export interface LinkAddress {
  /** Index of the interface. */
  readonly link: number;
  readonly address: Address;
  /** Of the on-link prefix. */
  readonly prefixLength: number;
  /** 0 universe, 253 link, 254 host. */
  readonly scope: number;
  /** Not learned from router advertisements or given a lifetime. */
  readonly permanent: boolean;
  /** IPv6: duplicate address detection is still under way, or has failed; the address cannot be used. */
  readonly tentative: boolean;
}

export interface AddressOptions {
  /** IPv6: usable at once, without duplicate address detection. */
  readonly noDuplicateDetection?: boolean;
  /** Do not create the route to the on-link prefix. */
  readonly noPrefixRoute?: boolean;
}

export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
const RTM_GETADDR = 22;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
const IFA_F_NODAD = 0x02;
const IFA_F_DADFAILED = 0x08;
const IFA_F_TENTATIVE = 0x40;
const IFA_F_PERMANENT = 0x80;
const IFA_F_NOPREFIXROUTE = 0x200;

const SCOPE_LINK = 253;
const SCOPE_HOST = 254;

export function encodeAddress(
  w: MessageWriter,
  op: 'add' | 'delete',
  link: number,
  address: Address,
  prefixLength: number,
  options: AddressOptions = {},
): void {
  if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > address.bits)
    throw new RangeError(`${address.toString()}/${prefixLength}: the length is 0 to ${address.bits}`);
  const flags =
    (options.noDuplicateDetection === true ? IFA_F_NODAD : 0) |
    (options.noPrefixRoute === true ? IFA_F_NOPREFIXROUTE : 0);
  w.begin(op === 'add' ? RTM_NEWADDR : RTM_DELADDR, flagsOf(op));
  w.u8(familyOf(address.version));
  w.u8(prefixLength);
  w.u8(flags & 0xff);
  w.u8(scopeOf(address));
  w.u32(link);
  w.attribute(IFA_LOCAL, address.toBytes());
  w.attribute(IFA_ADDRESS, address.toBytes());
  if (flags !== 0) w.attributeU32(IFA_FLAGS, flags);
  w.end();
}

/** As iproute2 chooses; IPv6 derives it from the address whatever we say. */
function scopeOf(address: Address): number {
  if (address.isLoopback) return SCOPE_HOST;
  return address.version === 4 && address.isLinkLocal ? SCOPE_LINK : 0;
}

export function encodeAddressDump(w: MessageWriter): void {
  w.begin(RTM_GETADDR, NLM_F_DUMP);
  w.bytes(new Uint8Array(8));
  w.end();
}

const IFADDRMSG = 8;

/** Undefined for families other than IP. */
export function decodeAddress(bytes: Buffer, start: number, end: number): LinkAddress | undefined {
  if (versionOf(bytes.readUInt8(start)) === undefined) return undefined;
  let flags = bytes.readUInt8(start + 2);
  let local: Address | undefined;
  let peer: Address | undefined;
  eachAttribute(bytes, start + IFADDRMSG, end, (type, from, to) => {
    if (type === IFA_LOCAL) local = Address.fromBytes(bytes.subarray(from, to));
    else if (type === IFA_ADDRESS) peer = Address.fromBytes(bytes.subarray(from, to));
    else if (type === IFA_FLAGS) flags = bytes.readUInt32LE(from);
  });
  // On point-to-point links IFA_ADDRESS is the far end; IPv6 leaves IFA_LOCAL out elsewhere.
  const address = local ?? peer;
  if (address === undefined) return undefined;
  return {
    link: bytes.readUInt32LE(start + 4),
    address,
    prefixLength: bytes.readUInt8(start + 1),
    scope: bytes.readUInt8(start + 3),
    permanent: (flags & IFA_F_PERMANENT) !== 0,
    tentative: (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) !== 0,
  };
}
