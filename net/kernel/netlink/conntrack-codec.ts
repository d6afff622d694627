/** Entries of connection tracking as netlink messages. Pure. Numbers from linux/netfilter/nfnetlink_conntrack.h. */
import { Address, type IpVersion } from '../../addr/index.ts';
import { eachAttribute, type Message, type MessageWriter } from './message.ts';
import { beginNetfilter, messageType, NFGENMSG, protocolFamily, SUBSYSTEM } from './nfnetlink.ts';

const COMMAND = { new: 0, get: 1, delete: 2 } as const;
export const CONNTRACK_ENTRY = messageType(SUBSYSTEM.conntrack, COMMAND.new);
const NLM_F_DUMP = 0x300;

const ATTRIBUTE = { original: 1, reply: 2, id: 12, master: 14, zone: 18 } as const;
const TUPLE = { ip: 1, protocol: 2 } as const;
const IP = { source4: 1, destination4: 2, source6: 3, destination6: 4 } as const;
const PROTOCOL = {
  number: 1,
  sourcePort: 2,
  destinationPort: 3,
  icmpId: 4,
  icmpType: 5,
  icmpCode: 6,
  icmp6Id: 7,
  icmp6Type: 8,
  icmp6Code: 9,
} as const;

/** Packets of one direction. */
export interface Tuple {
  readonly source: Address;
  readonly destination: Address;
  /** IANA number. */
  readonly protocol: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly icmpId?: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
}

export interface Connection {
  /** As its first packet came. */
  readonly original: Tuple;
  /** As answers come: source and destination changed places, and address translation shows. */
  readonly reply: Tuple;
  /** Tells it from a later one with the same tuples. */
  readonly id: number;
  readonly zone: number;
  /** Expected by another connection (FTP data and the like). */
  readonly related: boolean;
}

export function encodeConnectionDump(w: MessageWriter, version: IpVersion): void {
  beginNetfilter(w, messageType(SUBSYSTEM.conntrack, COMMAND.get), NLM_F_DUMP, protocolFamily(version));
  w.end();
}

export function encodeConnectionDelete(w: MessageWriter, connection: Connection): void {
  const { original, id, zone } = connection;
  const family = protocolFamily(original.source.version);
  beginNetfilter(w, messageType(SUBSYSTEM.conntrack, COMMAND.delete), 0, family);
  w.nested(ATTRIBUTE.original, () => writeTuple(w, original));
  w.attributeBE32(ATTRIBUTE.id, id);
  if (zone !== 0) w.attributeBE16(ATTRIBUTE.zone, zone);
  w.end();
}

function writeTuple(w: MessageWriter, tuple: Tuple): void {
  const v4 = tuple.source.version === 4;
  w.nested(TUPLE.ip, () => {
    w.attribute(v4 ? IP.source4 : IP.source6, tuple.source.toBytes());
    w.attribute(v4 ? IP.destination4 : IP.destination6, tuple.destination.toBytes());
  });
  w.nested(TUPLE.protocol, () => {
    w.attributeU8(PROTOCOL.number, tuple.protocol);
    if (tuple.sourcePort !== undefined) w.attributeBE16(PROTOCOL.sourcePort, tuple.sourcePort);
    if (tuple.destinationPort !== undefined) w.attributeBE16(PROTOCOL.destinationPort, tuple.destinationPort);
    if (tuple.icmpId !== undefined) w.attributeBE16(v4 ? PROTOCOL.icmpId : PROTOCOL.icmp6Id, tuple.icmpId);
    if (tuple.icmpType !== undefined)
      w.attributeU8(v4 ? PROTOCOL.icmpType : PROTOCOL.icmp6Type, tuple.icmpType);
    if (tuple.icmpCode !== undefined)
      w.attributeU8(v4 ? PROTOCOL.icmpCode : PROTOCOL.icmp6Code, tuple.icmpCode);
  });
}

/** Undefined for an entry without addresses. */
export function decodeConnection(bytes: Buffer, { start, end }: Message): Connection | undefined {
  let original: Tuple | undefined;
  let reply: Tuple | undefined;
  let [id, zone, related] = [0, 0, false];
  eachAttribute(bytes, start + NFGENMSG, end, (type, from, to) => {
    if (type === ATTRIBUTE.original) original = readTuple(bytes, from, to);
    else if (type === ATTRIBUTE.reply) reply = readTuple(bytes, from, to);
    else if (type === ATTRIBUTE.id) id = bytes.readUInt32BE(from);
    else if (type === ATTRIBUTE.zone) zone = bytes.readUInt16BE(from);
    else if (type === ATTRIBUTE.master) related = true;
  });
  return original === undefined || reply === undefined ? undefined : { original, reply, id, zone, related };
}

type Ports = { -readonly [K in keyof Omit<Tuple, 'source' | 'destination' | 'protocol'>]: number };

function readTuple(bytes: Buffer, start: number, end: number): Tuple | undefined {
  let source: Address | undefined;
  let destination: Address | undefined;
  let protocol = 0;
  const ports: Ports = {};
  eachAttribute(bytes, start, end, (part, partStart, partEnd) => {
    eachAttribute(bytes, partStart, partEnd, (type, from, to) => {
      if (part === TUPLE.ip) {
        const address = Address.fromBytes(bytes.subarray(from, to));
        if (type === IP.source4 || type === IP.source6) source = address;
        else destination = address;
      } else if (part === TUPLE.protocol && type === PROTOCOL.number) protocol = bytes.readUInt8(from);
      else if (part === TUPLE.protocol) readPort(ports, bytes, type, from);
    });
  });
  if (source === undefined || destination === undefined) return undefined;
  return { source, destination, protocol, ...ports };
}

function readPort(into: Ports, bytes: Buffer, type: number, at: number): void {
  switch (type) {
    case PROTOCOL.sourcePort:
      into.sourcePort = bytes.readUInt16BE(at);
      return;
    case PROTOCOL.destinationPort:
      into.destinationPort = bytes.readUInt16BE(at);
      return;
    case PROTOCOL.icmpId:
    case PROTOCOL.icmp6Id:
      into.icmpId = bytes.readUInt16BE(at);
      return;
    case PROTOCOL.icmpType:
    case PROTOCOL.icmp6Type:
      into.icmpType = bytes.readUInt8(at);
      return;
    case PROTOCOL.icmpCode:
    case PROTOCOL.icmp6Code:
      into.icmpCode = bytes.readUInt8(at);
  }
}
