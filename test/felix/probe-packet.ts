/**
 * Probes as octets: one IP packet that carries a number, so that whoever takes it in, and whoever hears the answer, can
 * tell which probe it was. TCP carries it as sequence number, SCTP as initiate tag, all others behind their header.
 */
import { Address } from '../../net/addr/index.ts';

export const TCP = 6;
export const UDP = 17;
export const SCTP = 132;
export const ICMP = 1;
export const ICMP6 = 58;
/** For experiments (RFC 3692): a protocol that nobody knows. */
export const UNKNOWN = 253;

/** The first packet of something new. */
export interface Probe {
  readonly source: string;
  readonly destination: string;
  /** As in the IP header. */
  readonly protocol: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
}

/** What was heard: a probe, what its destination answered, or an ICMP error about it. */
export interface Heard {
  readonly id: number;
  readonly what: 'probe' | 'answer' | 'error';
}

const ASKED = Buffer.from('poplin?!');
const ANSWERED = Buffer.from('poplin!!');

/** The whole packet. */
export function encodeProbe(probe: Probe, id: number): Buffer {
  return packet(probe, id, 'probe');
}

/** What the destination would say, where its kernel says nothing by itself; undefined: it does, or nobody would. */
export function encodeAnswer(probe: Probe, id: number): Buffer | undefined {
  const { protocol, source, destination, sourcePort = 0, destinationPort = 0 } = probe;
  if (protocol === TCP || protocol === ICMP || protocol === ICMP6) return undefined;
  const back = { source: destination, destination: source, protocol };
  return packet({ ...back, sourcePort: destinationPort, destinationPort: sourcePort }, id, 'answer');
}

/** Whether an answer is to be had: the kernel answers a SYN and an echo request, we answer datagrams. */
export function isAnswered({ protocol, icmpType = 0, icmpCode = 0 }: Probe): boolean {
  if (protocol === ICMP) return icmpType === 8 && icmpCode === 0;
  return protocol !== ICMP6 || (icmpType === 128 && icmpCode === 0);
}

/** @param payload  what follows the IP header */
export function decode(protocol: number, payload: Buffer): Heard | undefined {
  switch (protocol) {
    case TCP: {
      if (payload.length < 20) return undefined;
      const flags = payload.readUInt8(13);
      if ((flags & ACK) !== 0) return { id: (payload.readUInt32BE(8) - 1) >>> 0, what: 'answer' };
      return (flags & SYN) === 0 ? undefined : { id: payload.readUInt32BE(4), what: 'probe' };
    }
    case SCTP:
      if (payload.length < 20) return undefined;
      return payload.readUInt8(12) === INIT
        ? { id: payload.readUInt32BE(16), what: 'probe' }
        : { id: payload.readUInt32BE(4), what: 'answer' };
    case ICMP:
    case ICMP6: {
      if (payload[0] === (protocol === ICMP ? UNREACHABLE : UNREACHABLE6)) {
        const about = aboutUdp(protocol, payload.subarray(8));
        if (about !== undefined) return { ...about, what: 'error' };
      }
      const isReply = payload[0] === (protocol === ICMP ? 0 : 129);
      const heard = marked(payload.subarray(8));
      return heard === undefined || !isReply ? heard : { ...heard, what: 'answer' };
    }
    case UDP:
      return marked(payload.subarray(8));
    default:
      return marked(payload);
  }
}

const UNREACHABLE = 3;
const UNREACHABLE6 = 1;

/** @param quoted  the packet that an error is about, as far as it quotes it */
function aboutUdp(protocol: number, quoted: Buffer): Heard | undefined {
  const header = protocol === ICMP ? ((quoted[0] ?? 0) & 15) * 4 : 40;
  if (quoted[protocol === ICMP ? 9 : 6] !== UDP) return undefined;
  return marked(quoted.subarray(header + 8));
}

function marked(payload: Buffer): Heard | undefined {
  if (payload.length < 12) return undefined;
  const mark = payload.subarray(0, 8);
  const id = payload.readUInt32BE(8);
  if (mark.equals(ASKED)) return { id, what: 'probe' };
  return mark.equals(ANSWERED) ? { id, what: 'answer' } : undefined;
}

const SYN = 2;
const ACK = 16;
const INIT = 1;
const INIT_ACK = 2;

function packet(probe: Probe, id: number, what: 'probe' | 'answer'): Buffer {
  const source = octets(probe.source);
  const destination = octets(probe.destination);
  const payload = transport(probe, id, what);
  finish(probe.protocol, payload, source, destination);
  if (source.length === 16)
    return Buffer.concat([ipv6(payload.length, probe.protocol), source, destination, payload]);
  const header = Buffer.concat([ipv4(payload.length, probe.protocol), source, destination]);
  header.writeUInt16BE(onesComplement([header]), 10);
  return Buffer.concat([header, payload]);
}

/** Without options, and without addresses. */
function ipv4(length: number, protocol: number): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(20 + length, 2);
  header.writeUInt8(64, 8);
  header.writeUInt8(protocol, 9);
  return header;
}

function ipv6(length: number, protocol: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(length, 4);
  header.writeUInt8(protocol, 6);
  header.writeUInt8(64, 7);
  return header;
}

function transport(probe: Probe, id: number, what: 'probe' | 'answer'): Buffer {
  const { protocol, sourcePort = 0, destinationPort = 0 } = probe;
  const mark = Buffer.alloc(12);
  (what === 'probe' ? ASKED : ANSWERED).copy(mark);
  mark.writeUInt32BE(id, 8);
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(sourcePort, 0);
  ports.writeUInt16BE(destinationPort, 2);
  switch (protocol) {
    case TCP: {
      const rest = Buffer.alloc(16);
      rest.writeUInt32BE(id, 0);
      rest.writeUInt8(5 << 4, 8);
      rest.writeUInt8(SYN, 9);
      rest.writeUInt16BE(0xffff, 10);
      return Buffer.concat([ports, rest]);
    }
    case UDP: {
      const rest = Buffer.alloc(4);
      rest.writeUInt16BE(8 + mark.length, 0);
      return Buffer.concat([ports, rest, mark]);
    }
    case SCTP:
      return Buffer.concat([ports, sctp(id, what)]);
    case ICMP:
    case ICMP6: {
      const head = Buffer.alloc(8);
      head.writeUInt8(probe.icmpType ?? 0, 0);
      head.writeUInt8(probe.icmpCode ?? 0, 1);
      head.writeUInt16BE(id & 0xffff, 4);
      return Buffer.concat([head, mark]);
    }
    default:
      return mark;
  }
}

/** RFC 9260 §3.3.2, §3.3.3: an INIT has no verification tag, its acknowledgement that of the INIT. */
function sctp(id: number, what: 'probe' | 'answer'): Buffer {
  const rest = Buffer.alloc(8 + 20);
  const chunk = rest.subarray(8);
  if (what === 'answer') rest.writeUInt32BE(id, 0);
  chunk.writeUInt8(what === 'probe' ? INIT : INIT_ACK, 0);
  chunk.writeUInt16BE(20, 2);
  chunk.writeUInt32BE(what === 'probe' ? id : ~id >>> 0, 4);
  chunk.writeUInt32BE(0xffff, 8);
  chunk.writeUInt16BE(1, 12);
  chunk.writeUInt16BE(1, 14);
  return rest;
}

/** Puts the checksum in: connection tracking takes none that is wrong. */
function finish(protocol: number, payload: Buffer, source: Buffer, destination: Buffer): void {
  if (protocol === SCTP) {
    payload.writeUInt32LE(crc32c(payload), 8);
    return;
  }
  const at = CHECKSUM_AT.get(protocol);
  if (at === undefined) return;
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(payload.length, 0);
  pseudo.writeUInt32BE(protocol, 4);
  const parts = protocol === ICMP ? [payload] : [source, destination, pseudo, payload];
  const sum = onesComplement(parts);
  payload.writeUInt16BE(sum === 0 ? 0xffff : sum, at);
}

const CHECKSUM_AT: ReadonlyMap<number, number> = new Map([
  [TCP, 16],
  [UDP, 6],
  [ICMP, 2],
  [ICMP6, 2],
]);

/** RFC 1071, over parts of an even number of octets each. */
function onesComplement(parts: readonly Buffer[]): number {
  let sum = 0;
  for (const part of parts) for (let at = 0; at < part.length; at += 2) sum += part.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

const CASTAGNOLI = 0x82f63b78;
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ CASTAGNOLI;
  return value;
});

/** RFC 9260, appendix A. */
export function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const octet of bytes) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ octet) & 255] ?? 0);
  return ~crc >>> 0;
}

const known = new Map<string, Buffer>();

function octets(text: string): Buffer {
  let bytes = known.get(text);
  if (bytes === undefined) {
    const address = Address.parse(text);
    if (address === undefined) throw new Error(`no address: ${text}`);
    bytes = Buffer.from(address.toBytes());
    known.set(text, bytes);
  }
  return bytes;
}
