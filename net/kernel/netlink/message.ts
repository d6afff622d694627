/**
 * Netlink messages as bytes: header, fixed part, attributes. Pure.
 *
 * ```
 * header     length u32 | type u16 | flags u16 | sequence u32 | port u32
 * attribute  length u16 | type u16 | value, padded to 4 octets; the length counts header and value, no padding
 * ```
 * Numbers are in the machine's byte order, and every machine that node:ffi serves with this code is
 * little-endian. Addresses and ports inside values are in network order.
 *
 * @see netlink(7), rtnetlink(7)
 */

import type { Address } from '../../addr/index.ts';

export const HEADER = 16;

/** Message types of netlink itself. */
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

/** Request flags. */
export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;

/** What a message asks the kernel to do with an object: to make it, to make it what it shall be, or to remove it. */
export type Operation = 'add' | 'replace' | 'delete';

/** The flags of each; the message's type says whether it makes or removes. */
export function flagsOf(op: Operation): number {
  if (op === 'delete') return 0;
  return NLM_F_CREATE | (op === 'add' ? NLM_F_EXCL : NLM_F_REPLACE);
}

/** Answer flags. */
export const NLM_F_DUMP_INTR = 0x10;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;

/** The two high bits of an attribute's type say nested and network order. */
const NLA_TYPE_MASK = 0x3fff;
const NLA_F_NESTED = 0x8000;
export const NLA_F_NET_BYTEORDER = 0x4000;

const align = (length: number) => (length + 3) & ~3;

/** Builds one or several messages after another in one growing buffer. */
export class MessageWriter {
  private buffer: Buffer;
  private at = 0;
  private readonly starts: number[] = [];

  constructor(capacity = 1024) {
    this.buffer = Buffer.alloc(capacity);
  }

  get count(): number {
    return this.starts.length;
  }

  /** Octets so far. */
  get length(): number {
    return this.at;
  }

  /** Starts a message; its length is set by {@link end}, its sequence number by {@link finish}. */
  begin(type: number, flags: number): void {
    this.starts.push(this.at);
    this.u32(0);
    this.u16(type);
    this.u16(flags | NLM_F_REQUEST);
    this.u32(0);
    this.u32(0);
  }

  end(): void {
    const start = this.starts.at(-1);
    if (start === undefined) throw new Error('netlink: end without begin');
    this.buffer.writeUInt32LE(this.at - start, start);
  }

  /** More flags for a message that is there already, by its place. */
  addFlags(index: number, flags: number): void {
    const start = this.starts[index];
    if (start === undefined) throw new RangeError(`netlink: there is no message ${index}`);
    this.buffer.writeUInt16LE(this.buffer.readUInt16LE(start + 6) | flags, start + 6);
  }

  /** Takes back the message begun last, whole or half. */
  discard(): void {
    const start = this.starts.pop();
    if (start === undefined) throw new Error('netlink: discard without begin');
    this.at = start;
  }

  /**
   * Numbers the messages from `firstSequence` on and asks for an acknowledgement of the last: the kernel answers in
   * order and reports failures unasked, so one acknowledgement tells the fate of all.
   */
  finish(firstSequence: number, acknowledge: boolean): Buffer {
    for (const [index, start] of this.starts.entries())
      this.buffer.writeUInt32LE((firstSequence + index) >>> 0, start + 8);
    const last = this.starts.at(-1);
    if (acknowledge && last !== undefined)
      this.buffer.writeUInt16LE(this.buffer.readUInt16LE(last + 6) | NLM_F_ACK, last + 6);
    return this.buffer.subarray(0, this.at);
  }

  u8(value: number): void {
    this.ensure(1);
    this.buffer[this.at++] = value;
  }

  /** What has been written since. */
  since(start: number): Uint8Array {
    return Uint8Array.from(this.buffer.subarray(start, this.at));
  }

  /** Changes an octet that is there already. */
  setU8(at: number, value: number): void {
    this.buffer[at] = value;
  }

  u16(value: number): void {
    this.ensure(2);
    const { buffer, at } = this;
    buffer[at] = value;
    buffer[at + 1] = value >>> 8;
    this.at = at + 2;
  }

  u32(value: number): void {
    this.ensure(4);
    const { buffer, at } = this;
    buffer[at] = value;
    buffer[at + 1] = value >>> 8;
    buffer[at + 2] = value >>> 16;
    buffer[at + 3] = value >>> 24;
    this.at = at + 4;
  }

  bytes(value: Uint8Array): void {
    this.ensure(value.length);
    this.buffer.set(value, this.at);
    this.at += value.length;
  }

  attribute(type: number, value: Uint8Array): void {
    const size = 4 + value.length;
    this.u16(size);
    this.u16(type);
    this.bytes(value);
    this.pad();
  }

  /** An IP address, in network order. */
  attributeAddress(type: number, address: Address): void {
    const size = address.version === 4 ? 8 : 20;
    this.u16(size);
    this.u16(type);
    this.be32(address.w0);
    if (size === 8) return;
    this.be32(address.w1);
    this.be32(address.w2);
    this.be32(address.w3);
  }

  attributeU32(type: number, value: number): void {
    this.u16(8);
    this.u16(type);
    this.u32(value);
  }

  attributeU8(type: number, value: number): void {
    this.u16(5);
    this.u16(type);
    this.u8(value);
    this.pad();
  }

  /**
   * Numbers in network order, as all of netfilter has them.
   *
   * @param flagged  says so in the attribute's type; ipset insists on it, nf_tables and conntrack do without
   */
  attributeBE16(type: number, value: number, flagged = false): void {
    this.u16(6);
    this.u16(flagged ? type | NLA_F_NET_BYTEORDER : type);
    this.u8(value >>> 8);
    this.u8(value & 0xff);
    this.pad();
  }

  /** See {@link attributeBE16}. */
  attributeBE32(type: number, value: number, flagged = false): void {
    this.u16(8);
    this.u16(flagged ? type | NLA_F_NET_BYTEORDER : type);
    this.be32(value);
  }

  attributeBE64(type: number, value: bigint): void {
    this.u16(12);
    this.u16(type);
    this.be32(Number(value >> 32n));
    this.be32(Number(value & 0xffff_ffffn));
  }

  be32(value: number): void {
    this.ensure(4);
    const { buffer, at } = this;
    buffer[at] = value >>> 24;
    buffer[at + 1] = value >>> 16;
    buffer[at + 2] = value >>> 8;
    buffer[at + 3] = value;
    this.at = at + 4;
  }

  /** NUL-terminated, as the kernel wants names. */
  attributeString(type: number, value: string): void {
    const start = this.openAttribute(type);
    this.text(value);
    this.u8(0);
    this.closeAttribute(start);
  }

  /** As UTF-8. */
  text(value: string): void {
    const { length } = value;
    this.ensure(length);
    const { buffer } = this;
    let { at } = this;
    // Letter by letter: for text as short as names are, a call of the runtime costs more than all of it.
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code >= 0x80) {
        this.bytes(Buffer.from(value));
        return;
      }
      buffer[at++] = code;
    }
    this.at = at;
  }

  /** Octets given as hexadecimal text. */
  hex(value: string): void {
    const size = value.length >>> 1;
    this.ensure(size);
    const { buffer, at } = this;
    for (let index = 0; index < size; index++)
      buffer[at + index] =
        (hexDigit(value.charCodeAt(2 * index)) << 4) | hexDigit(value.charCodeAt(2 * index + 1));
    this.at = at + size;
  }

  /** An attribute whose value `fill` writes: attributes again, possibly behind a fixed part. */
  nested(type: number, fill: () => void): void {
    const start = this.openNested(type);
    fill();
    this.closeAttribute(start);
  }

  /** As {@link nested}, for what is written ten thousand times: without a function for each. Ends with {@link closeAttribute}. */
  openNested(type: number): number {
    return this.openAttribute(type | NLA_F_NESTED);
  }

  /** @returns where it starts, for {@link closeAttribute} behind its value */
  openAttribute(type: number): number {
    const start = this.at;
    this.u16(0);
    this.u16(type);
    return start;
  }

  closeAttribute(start: number): void {
    const size = this.at - start;
    this.buffer[start] = size;
    this.buffer[start + 1] = size >>> 8;
    this.pad();
  }

  /** A list element with its own length in front (struct rtnexthop). `fill` writes what follows the length. */
  counted(fill: () => void): void {
    const start = this.at;
    this.u16(0);
    fill();
    this.buffer.writeUInt16LE(this.at - start, start);
    this.pad();
  }

  private pad(): void {
    while (this.at % 4 !== 0) this.u8(0);
  }

  private ensure(more: number): void {
    if (this.at + more <= this.buffer.length) return;
    // What is not written is never sent.
    const bigger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.at + more));
    this.buffer.copy(bigger, 0, 0, this.at);
    this.buffer = bigger;
  }
}

/** Value of a hexadecimal digit. */
function hexDigit(code: number): number {
  return code < 0x3a ? code - 0x30 : (code | 0x20) - 0x57;
}

/** One message inside a datagram. Positions are offsets into that datagram, which must not be kept. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Where what follows the header starts, and where it ends. */
  readonly start: number;
  readonly end: number;
}

/**
 * Splits a datagram into its messages.
 *
 * @param length  how much of `datagram` counts
 * @throws RangeError when a length leads outside: then the kernel and we do not speak the same language
 */
export function splitDatagram(datagram: Buffer, length: number): Message[] {
  const messages: Message[] = [];
  for (let at = 0; at < length; ) {
    const size = at + HEADER <= length ? datagram.readUInt32LE(at) : 0;
    if (size < HEADER || at + size > length)
      throw new RangeError(`netlink: a message of ${size} octets at ${at} of ${length}`);
    messages.push({
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      sequence: datagram.readUInt32LE(at + 8),
      start: at + HEADER,
      end: at + size,
    });
    at += align(size);
  }
  return messages;
}

/**
 * Calls `visit` with type and bounds of each attribute between two offsets.
 *
 * @throws RangeError when an attribute leads outside
 */
export function eachAttribute(
  bytes: Buffer,
  start: number,
  end: number,
  visit: (type: number, start: number, end: number) => void,
): void {
  for (let at = start; at + 4 <= end; ) {
    const size = bytes.readUInt16LE(at);
    if (size < 4 || at + size > end)
      throw new RangeError(`netlink: an attribute of ${size} octets at ${at} of ${end}`);
    visit(bytes.readUInt16LE(at + 2) & NLA_TYPE_MASK, at + 4, at + size);
    at += align(size);
  }
}

/** A NUL-terminated string. */
export function readString(bytes: Buffer, start: number, end: number): string {
  const nul = bytes.indexOf(0, start);
  return bytes.toString('utf8', start, nul < 0 || nul > end ? end : nul);
}

/** What an NLMSG_ERROR or NLMSG_DONE message tells. */
export interface Verdict {
  /** 0 is success; else positive, as in errno.h. */
  readonly errno: number;
  /** The kernel's own words, where it has some. */
  readonly text: string | undefined;
}

/** Reads an acknowledgement or error: errno, then the request's header (and the request, unless capped), then extras. */
export function readVerdict(bytes: Buffer, message: Message): Verdict {
  const { start, end } = message;
  if (start + 4 > end) return { errno: 0, text: undefined };
  const errno = Math.abs(bytes.readInt32LE(start));
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return { errno, text: undefined };
  let extras = start + 4;
  if (message.type === NLMSG_ERROR) {
    const request = (message.flags & NLM_F_CAPPED) === 0 ? bytes.readUInt32LE(start + 4) : HEADER;
    extras += align(request);
  }
  const NLMSGERR_ATTR_MSG = 1;
  let text: string | undefined;
  eachAttribute(bytes, extras, end, (type, from, to) => {
    if (type === NLMSGERR_ATTR_MSG) text = readString(bytes, from, to);
  });
  return { errno, text };
}

/** The index of an interface in the namespace of the socket, by its name; throws when there is none. */
export type IndexOf = (nameOrIndex: string | number) => number;
/** The name of an interface by its index, or undefined. */
export type NameOf = (index: number) => string | undefined;
