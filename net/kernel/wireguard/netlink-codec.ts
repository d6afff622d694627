/**
 * The generic netlink family `wireguard` of the kernel's own implementation: bytes only. Pure.
 *
 * ```
 * message  struct genlmsghdr: command u8, version u8, reserved u16; then attributes
 * device   interface, private key, port, mark, list of peers
 * peer     public key, flags, endpoint (struct sockaddr_in or sockaddr_in6), keepalive, list of allowed prefixes
 * ```
 * A peer with many prefixes is dumped over several messages, and the parts follow one another.
 *
 * @see linux/wireguard.h, linux/genetlink.h
 */
import { AF_INET, AF_INET6, familyOf } from '../abi.ts';
import { Address, Prefix } from '../../addr/index.ts';
import { eachAttribute, type MessageWriter, NLM_F_DUMP } from '../netlink/message.ts';
import type { DeviceChange, DeviceState, Endpoint, PeerChange, PeerState } from './model.ts';

const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;
const CTRL_VERSION = 2;
const GENLMSGHDR = 4;

const WG_GENL_VERSION = 1;
const WG_CMD_GET_DEVICE = 0;
const WG_CMD_SET_DEVICE = 1;
const WGDEVICE_A_IFNAME = 2;
const WGDEVICE_A_PRIVATE_KEY = 3;
const WGDEVICE_A_LISTEN_PORT = 6;
const WGDEVICE_A_FWMARK = 7;
const WGDEVICE_A_PEERS = 8;
const WGPEER_A_PUBLIC_KEY = 1;
const WGPEER_A_FLAGS = 3;
const WGPEER_A_ENDPOINT = 4;
const WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL = 5;
const WGPEER_A_LAST_HANDSHAKE_TIME = 6;
const WGPEER_A_RX_BYTES = 7;
const WGPEER_A_TX_BYTES = 8;
const WGPEER_A_ALLOWEDIPS = 9;
const WGPEER_F_REMOVE_ME = 1;
const WGPEER_F_REPLACE_ALLOWEDIPS = 2;
const WGALLOWEDIP_A_FAMILY = 1;
const WGALLOWEDIP_A_IPADDR = 2;
const WGALLOWEDIP_A_CIDR_MASK = 3;

/** Lengths of attributes are 16 bits: so many prefixes in a message, in the 40 octets that each takes, stay far below. */
const PREFIXES = 500;

export function encodeFamilyGet(w: MessageWriter, name: string): void {
  w.begin(GENL_ID_CTRL, 0);
  header(w, CTRL_CMD_GETFAMILY, CTRL_VERSION);
  w.attributeString(CTRL_ATTR_FAMILY_NAME, name);
  w.end();
}

/** The number of the family that was asked for. */
export function decodeFamily(bytes: Buffer, start: number, end: number): number | undefined {
  let id: number | undefined;
  eachAttribute(bytes, start + GENLMSGHDR, end, (type, from) => {
    if (type === CTRL_ATTR_FAMILY_ID) id = bytes.readUInt16LE(from);
  });
  return id;
}

export function encodeDeviceGet(w: MessageWriter, family: number, device: string): void {
  w.begin(family, NLM_F_DUMP);
  header(w, WG_CMD_GET_DEVICE, WG_GENL_VERSION);
  w.attributeString(WGDEVICE_A_IFNAME, device);
  w.end();
}

/** As many messages as it takes; the kernel carries them out in order. */
export function encodeDeviceChange(
  w: MessageWriter,
  family: number,
  device: string,
  change: DeviceChange,
): void {
  const { privateKey, port, mark, peers } = change;
  const parts = split(peers);
  for (const [index, part] of (parts.length === 0 ? [[]] : parts).entries()) {
    w.begin(family, 0);
    header(w, WG_CMD_SET_DEVICE, WG_GENL_VERSION);
    w.attributeString(WGDEVICE_A_IFNAME, device);
    if (index === 0) {
      if (privateKey !== undefined) w.attribute(WGDEVICE_A_PRIVATE_KEY, Buffer.from(privateKey, 'base64'));
      if (port !== undefined) w.attribute(WGDEVICE_A_LISTEN_PORT, u16(port));
      if (mark !== undefined) w.attributeU32(WGDEVICE_A_FWMARK, mark);
    }
    w.nested(WGDEVICE_A_PEERS, () => {
      for (const peer of part) w.nested(0, () => encodePeer(w, peer));
    });
    w.end();
  }
}

type PeerPart = PeerChange & {
  /** What is allowed comes on top of what an earlier message said. */
  readonly more?: true;
};

function split(peers: readonly PeerChange[]): readonly (readonly PeerPart[])[] {
  const messages: PeerPart[][] = [];
  let room = 0;
  for (const peer of peers) {
    const { publicKey, allowed = [] } = peer;
    for (let at = 0; at === 0 || at < allowed.length; at += PREFIXES) {
      const part: PeerPart = at === 0 ? peer : { publicKey, more: true };
      const slice = allowed.slice(at, at + PREFIXES);
      // A peer without prefixes takes as much room as some of them.
      const size = slice.length + PEER_IN_PREFIXES;
      if (messages.length === 0 || room < size) {
        messages.push([]);
        room = PREFIXES + PEER_IN_PREFIXES;
      }
      room -= size;
      messages.at(-1)?.push(peer.allowed === undefined ? part : { ...part, allowed: slice });
    }
  }
  return messages;
}

const PEER_IN_PREFIXES = 4;

function encodePeer(
  w: MessageWriter,
  { publicKey, remove, endpoint, keepalive, allowed, more }: PeerPart,
): void {
  w.attribute(WGPEER_A_PUBLIC_KEY, Buffer.from(publicKey, 'base64'));
  const replaces = allowed !== undefined && more !== true;
  const flags = (remove === true ? WGPEER_F_REMOVE_ME : 0) | (replaces ? WGPEER_F_REPLACE_ALLOWEDIPS : 0);
  if (flags !== 0) w.attributeU32(WGPEER_A_FLAGS, flags);
  if (endpoint !== undefined) w.attribute(WGPEER_A_ENDPOINT, socketAddress(endpoint));
  if (keepalive !== undefined) w.attribute(WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, u16(keepalive));
  if (allowed !== undefined && allowed.length > 0)
    w.nested(WGPEER_A_ALLOWEDIPS, () => {
      for (const prefix of allowed)
        w.nested(0, () => {
          w.attribute(WGALLOWEDIP_A_FAMILY, u16(familyOf(prefix.version)));
          w.attribute(WGALLOWEDIP_A_IPADDR, prefix.nth(0).toBytes());
          w.attributeU8(WGALLOWEDIP_A_CIDR_MASK, prefix.length);
        });
    });
}

type Growing<T> = { -readonly [Name in keyof T]: T[Name] };
export type Part = Growing<DeviceState>;

/** One message of a dump. */
export function decodeDevice(bytes: Buffer, start: number, end: number): Part {
  const peers: PeerState[] = [];
  const part: Part = { privateKey: undefined, port: 0, mark: 0, peers };
  eachAttribute(bytes, start + GENLMSGHDR, end, (type, from, to) => {
    if (type === WGDEVICE_A_PRIVATE_KEY) part.privateKey = keyAt(bytes, from, to);
    else if (type === WGDEVICE_A_LISTEN_PORT) part.port = bytes.readUInt16LE(from);
    else if (type === WGDEVICE_A_FWMARK) part.mark = bytes.readUInt32LE(from);
    else if (type === WGDEVICE_A_PEERS)
      eachAttribute(bytes, from, to, (_, peerFrom, peerTo) =>
        peers.push(decodePeer(bytes, peerFrom, peerTo)),
      );
  });
  return part;
}

/** Puts the parts of a dump together. */
export function joinParts([first, ...rest]: readonly Part[]): DeviceState | undefined {
  if (first === undefined) return undefined;
  const peers: Growing<PeerState>[] = [];
  for (const peer of [first, ...rest].flatMap((part) => part.peers)) {
    const last = peers.at(-1);
    if (last?.publicKey === peer.publicKey) last.allowed = [...last.allowed, ...peer.allowed];
    else peers.push({ ...peer });
  }
  return { ...first, peers };
}

function decodePeer(bytes: Buffer, start: number, end: number): PeerState {
  const allowed: Prefix[] = [];
  const peer: Growing<PeerState> = {
    publicKey: '',
    endpoint: undefined,
    keepalive: 0,
    allowed,
    handshakeAt: 0,
    received: 0,
    sent: 0,
  };
  eachAttribute(bytes, start, end, (type, from, to) => {
    if (type === WGPEER_A_PUBLIC_KEY) peer.publicKey = keyAt(bytes, from, to) ?? '';
    else if (type === WGPEER_A_ENDPOINT) peer.endpoint = endpointAt(bytes, from, to);
    else if (type === WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL) peer.keepalive = bytes.readUInt16LE(from);
    else if (type === WGPEER_A_LAST_HANDSHAKE_TIME) peer.handshakeAt = Number(bytes.readBigInt64LE(from));
    else if (type === WGPEER_A_RX_BYTES) peer.received = Number(bytes.readBigUInt64LE(from));
    else if (type === WGPEER_A_TX_BYTES) peer.sent = Number(bytes.readBigUInt64LE(from));
    else if (type === WGPEER_A_ALLOWEDIPS)
      eachAttribute(bytes, from, to, (_, prefixFrom, prefixTo) => {
        const prefix = decodePrefix(bytes, prefixFrom, prefixTo);
        if (prefix !== undefined) allowed.push(prefix);
      });
  });
  return peer;
}

function decodePrefix(bytes: Buffer, start: number, end: number): Prefix | undefined {
  let address: Address | undefined;
  let length = 0;
  eachAttribute(bytes, start, end, (type, from, to) => {
    if (type === WGALLOWEDIP_A_IPADDR) address = Address.fromBytes(bytes.subarray(from, to));
    else if (type === WGALLOWEDIP_A_CIDR_MASK) length = bytes.readUInt8(from);
  });
  return address === undefined ? undefined : Prefix.of(address, length);
}

function keyAt(bytes: Buffer, start: number, end: number): string | undefined {
  const key = bytes.subarray(start, end);
  return key.every((octet) => octet === 0) ? undefined : key.toString('base64');
}

const SOCKADDR = { 4: 16, 6: 28 } as const;

/** struct sockaddr_in: family, port, address; struct sockaddr_in6: family, port, flow, address, scope. */
function socketAddress({ address, port }: Endpoint): Buffer {
  const bytes = Buffer.alloc(SOCKADDR[address.version]);
  bytes.writeUInt16LE(familyOf(address.version), 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(address.toBytes(), address.version === 4 ? 4 : 8);
  return bytes;
}

function endpointAt(bytes: Buffer, start: number, end: number): Endpoint | undefined {
  const family = end - start >= SOCKADDR[4] ? bytes.readUInt16LE(start) : 0;
  const at = family === AF_INET ? 4 : 8;
  if (family !== AF_INET && (family !== AF_INET6 || end - start < SOCKADDR[6])) return undefined;
  const address = Address.fromBytes(bytes.subarray(start + at, start + at + (family === AF_INET ? 4 : 16)));
  return { address, port: bytes.readUInt16BE(start + 2) };
}

function header(w: MessageWriter, command: number, version: number): void {
  w.u8(command);
  w.u8(version);
  w.u16(0);
}

function u16(value: number): Buffer {
  return Buffer.from([value & 0xff, value >>> 8]);
}
