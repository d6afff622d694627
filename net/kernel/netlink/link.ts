/** Network interfaces, and their bytes (struct ifinfomsg). Pure. */
import { AF_INET } from '../abi.ts';
import { eachAttribute, flagsOf, type MessageWriter, NLM_F_DUMP, readString } from './message.ts';
import { decodeVxlan, type VxlanInfo } from './vxlan.ts';

export interface Link {
  readonly index: number;
  readonly name: string;
  /** `veth`, `bridge`, `ipip`, ...; absent for hardware and loopback. */
  readonly kind?: string;
  /** `ee:ee:ee:ee:ee:ee`; absent where there is no link layer address. */
  readonly mac?: string;
  /** Octets. */
  readonly mtu: number;
  /** Switched on by the administrator. */
  readonly up: boolean;
  /** Has a carrier: for a veth, that both ends are up. */
  readonly carrier: boolean;
  readonly loopback: boolean;
  /** Index of the other end of a veth, valid in the namespace of that end; or of the interface underneath. */
  readonly peerIndex?: number;
  /** The kernel's number of the namespace of that other end; absent when it is this one. */
  readonly peerNamespaceId?: number;
  /** Index of the bridge or VRF that this interface is part of. */
  readonly master?: number;
  /** Free text that `ip link set alias` sets. */
  readonly alias?: string;
  /** Of a VXLAN device. */
  readonly vxlan?: VxlanInfo;
}

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;

const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
const IFF_LOWER_UP = 0x10000;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_AF_SPEC = 26;
const IFLA_GROUP = 27;
const IFLA_NET_NS_FD = 28;
const IFLA_EXT_MASK = 29;
const IFLA_LINK_NETNSID = 37;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
/** Statistics are most of a link's bytes and none of our business. */
const RTEXT_FILTER_SKIP_STATS = 1 << 3;

/** A link as it shall be made: one end of a veth pair, or a tunnel. */
export interface VethEnd {
  readonly name: string;
  readonly mtu?: number | undefined;
  readonly mac?: string | undefined;
}

/**
 * @param up  switch the near end on at once; the kernel refuses that for the peer (ENOTCONN), which it configures
 *   before it ties the two together
 * @param peerNetnsFd  open file of the namespace in which the peer is to be born */
export function encodeVeth(
  w: MessageWriter,
  end: VethEnd,
  peer: VethEnd,
  up?: boolean,
  peerNetnsFd?: number,
): void {
  w.begin(RTM_NEWLINK, flagsOf('add'));
  encodeEnd(w, end, up);
  w.nested(IFLA_LINKINFO, () => {
    w.attributeString(IFLA_INFO_KIND, 'veth');
    w.nested(IFLA_INFO_DATA, () =>
      w.nested(VETH_INFO_PEER, () => {
        encodeEnd(w, peer);
        if (peerNetnsFd !== undefined) w.attributeU32(IFLA_NET_NS_FD, peerNetnsFd);
      }),
    );
  });
  w.end();
}

/** A device of a kind, with what the kind wants to know. EEXIST where the name is taken. */
export function encodeNewLink(w: MessageWriter, end: VethEnd, kind: string, data: () => void): void {
  w.begin(RTM_NEWLINK, flagsOf('add'));
  encodeEnd(w, end);
  w.nested(IFLA_LINKINFO, () => {
    w.attributeString(IFLA_INFO_KIND, kind);
    w.nested(IFLA_INFO_DATA, data);
  });
  w.end();
}

function encodeEnd(w: MessageWriter, end: VethEnd, up?: boolean): void {
  encodeInfo(w, 0, up);
  w.attributeString(IFLA_IFNAME, interfaceName(end.name));
  if (end.mtu !== undefined) w.attributeU32(IFLA_MTU, end.mtu);
  if (end.mac !== undefined) w.attribute(IFLA_ADDRESS, parseMac(end.mac));
}

/** struct ifinfomsg: family u8, pad, type u16, index u32, flags u32, change u32. */
function encodeInfo(w: MessageWriter, index: number, up?: boolean): void {
  w.u8(0);
  w.u8(0);
  w.u16(0);
  w.u32(index);
  w.u32(up === true ? IFF_UP : 0);
  w.u32(up === undefined ? 0 : IFF_UP);
}

export interface LinkChange {
  readonly up?: boolean | undefined;
  readonly mtu?: number | undefined;
  readonly mac?: string | undefined;
  readonly name?: string | undefined;
  readonly alias?: string | undefined;
  /** The number under which a group of interfaces is addressed; 0 at first. */
  readonly group?: number | undefined;
  /** Settings under net/ipv4/conf/, without the locks that a write to each of these files takes. */
  readonly ipv4?: Ipv4Settings | undefined;
}

/** By their number in linux/ip.h (IPV4_DEVCONF_*). */
const IPV4_SETTINGS = { forwarding: 1, proxy_arp: 3, rp_filter: 8, route_localnet: 26 } as const;

export type Ipv4Settings = Partial<Readonly<Record<keyof typeof IPV4_SETTINGS, number>>>;

const IFLA_INET_CONF = 1;

/** @param link  a name is possible where `change` gives no new one */
export function encodeLinkChange(
  w: MessageWriter,
  link: string | number,
  change: LinkChange,
  netnsFd?: number,
): void {
  w.begin(RTM_SETLINK, 0);
  encodeInfo(w, typeof link === 'number' ? link : 0, change.up);
  if (typeof link === 'string') w.attributeString(IFLA_IFNAME, interfaceName(link));
  else if (change.name !== undefined) w.attributeString(IFLA_IFNAME, interfaceName(change.name));
  if (change.mtu !== undefined) w.attributeU32(IFLA_MTU, change.mtu);
  if (change.mac !== undefined) w.attribute(IFLA_ADDRESS, parseMac(change.mac));
  if (change.alias !== undefined) w.attribute(IFLA_IFALIAS, Buffer.from(change.alias));
  if (change.group !== undefined) w.attributeU32(IFLA_GROUP, change.group);
  const { ipv4 } = change;
  if (ipv4 !== undefined)
    w.nested(IFLA_AF_SPEC, () =>
      w.nested(AF_INET, () =>
        w.nested(IFLA_INET_CONF, () => {
          for (const [name, value] of Object.entries(ipv4))
            w.attributeU32(IPV4_SETTINGS[name as keyof typeof IPV4_SETTINGS], value);
        }),
      ),
    );
  if (netnsFd !== undefined) w.attributeU32(IFLA_NET_NS_FD, netnsFd);
  w.end();
}

/** All interfaces of a group, in one stroke; ENODEV when it has none. */
export function encodeGroupDelete(w: MessageWriter, group: number): void {
  w.begin(RTM_DELLINK, 0);
  encodeInfo(w, 0);
  w.attributeU32(IFLA_GROUP, group);
  w.end();
}

export function encodeLinkDelete(w: MessageWriter, nameOrIndex: string | number): void {
  w.begin(RTM_DELLINK, 0);
  encodeWhich(w, nameOrIndex);
  w.end();
}

/** Asks for one link. */
export function encodeLinkGet(w: MessageWriter, nameOrIndex: string | number): void {
  w.begin(RTM_GETLINK, 0);
  encodeWhich(w, nameOrIndex);
  w.attributeU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  w.end();
}

function encodeWhich(w: MessageWriter, nameOrIndex: string | number): void {
  encodeInfo(w, typeof nameOrIndex === 'number' ? nameOrIndex : 0);
  if (typeof nameOrIndex === 'string') w.attributeString(IFLA_IFNAME, interfaceName(nameOrIndex));
}

export function encodeLinkDump(w: MessageWriter): void {
  w.begin(RTM_GETLINK, NLM_F_DUMP);
  encodeInfo(w, 0);
  w.attributeU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  w.end();
}

const IFINFOMSG = 16;

export function decodeLink(bytes: Buffer, start: number, end: number): Link {
  const flags = bytes.readUInt32LE(start + 8);
  let name = '';
  let mtu = 0;
  let kind: string | undefined;
  let mac: string | undefined;
  let peerIndex: number | undefined;
  let peerNamespaceId: number | undefined;
  let master: number | undefined;
  let alias: string | undefined;
  let vxlan: VxlanInfo | undefined;
  eachAttribute(bytes, start + IFINFOMSG, end, (type, from, to) => {
    if (type === IFLA_IFNAME) name = readString(bytes, from, to);
    else if (type === IFLA_MTU) mtu = bytes.readUInt32LE(from);
    else if (type === IFLA_ADDRESS) mac = to - from === 6 ? formatMac(bytes.subarray(from, to)) : undefined;
    else if (type === IFLA_LINK) peerIndex = bytes.readUInt32LE(from);
    else if (type === IFLA_LINK_NETNSID) peerNamespaceId = bytes.readInt32LE(from);
    else if (type === IFLA_MASTER) master = bytes.readUInt32LE(from);
    else if (type === IFLA_IFALIAS) alias = readString(bytes, from, to);
    else if (type === IFLA_LINKINFO)
      eachAttribute(bytes, from, to, (info, infoFrom, infoTo) => {
        if (info === IFLA_INFO_KIND) kind = readString(bytes, infoFrom, infoTo);
        // The kind comes first.
        else if (info === IFLA_INFO_DATA && kind === 'vxlan') vxlan = decodeVxlan(bytes, infoFrom, infoTo);
      });
  });
  return {
    index: bytes.readInt32LE(start + 4),
    name,
    mtu,
    up: (flags & IFF_UP) !== 0,
    carrier: (flags & IFF_LOWER_UP) !== 0,
    loopback: (flags & IFF_LOOPBACK) !== 0,
    ...(kind === undefined ? {} : { kind }),
    ...(mac === undefined ? {} : { mac }),
    // 0 once the other end is gone.
    ...(peerIndex === undefined || peerIndex === 0 ? {} : { peerIndex }),
    ...(peerNamespaceId === undefined ? {} : { peerNamespaceId }),
    ...(master === undefined ? {} : { master }),
    ...(alias === undefined ? {} : { alias }),
    ...(vxlan === undefined ? {} : { vxlan }),
  };
}

/** IFNAMSIZ is 16 with the final NUL. */
function interfaceName(name: string): string {
  if (!/^[^\s/:\0]{1,15}$/.test(name) || name === '.' || name === '..' || Buffer.byteLength(name) > 15)
    throw new RangeError(
      `not the name of an interface (1 to 15 octets, no space, slash or colon): ${JSON.stringify(name)}`,
    );
  return name;
}

export function parseMac(text: string): Buffer {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text))
    throw new RangeError(`not a MAC address like ee:ee:ee:ee:ee:ee: ${JSON.stringify(text)}`);
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

export function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, (octet) => octet.toString(16).padStart(2, '0')).join(':');
}
