/**
 * UPDATEs for many routes, one message behind the other in one buffer. The same octets as `encodeUpdates` makes, for
 * callers that hold routes as numbers: attributes are encoded once for all prefixes that share them
 * ({@link encodeRoute}), and adding a prefix allocates nothing.
 *
 * Hot: a million prefixes to a new peer pass through here.
 */
import { CLASS_FLAGS, FLAG } from './decode-attributes.ts';
import { HEADER_LENGTH, MESSAGE_TYPE } from './header.ts';
import { lighter, maxMessageLength, putAttributes } from './encode-update.ts';
import { FAMILIES, type Family, type Negotiated, type NextHop, type PathAttributes } from './types.ts';
import { Writer } from './writer.ts';

/** Withdrawn Routes Length and Total Attribute Length. */
const LENGTH_FIELDS = 4;
/** Flags, code, 2 octets of length; address family, subsequent family. */
const MP_UNREACH_HEAD = 7;
/** The same and the length of the next hop; behind the next hop comes a reserved octet. */
const MP_REACH_HEAD = 8;
const MP_FLAGS = CLASS_FLAGS['optional-non-transitive'] | FLAG.extendedLength;
const MP_REACH = 14;
const MP_UNREACH = 15;
const INITIAL_CAPACITY = 65_536;

/**
 * What all prefixes of a route set share, as octets: the Path Attributes field, in families other than IPv4 unicast
 * behind the head of its MP_REACH_NLRI. Where they leave no room for a prefix, without what {@link lighter} leaves out.
 *
 * @returns how many octets were written behind what `w` held; -1 where no prefix would fit beside them in a message
 */
export function encodeRoute(
  w: Writer,
  family: Family,
  attributes: PathAttributes,
  nextHop: NextHop,
  session: Negotiated,
): number {
  const start = w.length;
  if (family === 'ipv4-unicast') {
    putAttributes(w, { ...attributes, nextHop: nextHop.address }, session);
  } else {
    putMpReachHead(w, family, nextHop);
    putAttributes(w, attributes, session);
  }
  const length = w.length - start;
  if (fitsMessage(length, family, session)) return length;
  const less = lighter(attributes);
  return less === undefined ? -1 : encodeRoute(w.truncate(start), family, less, nextHop, session);
}

/** Whether a prefix, the longest there can be, has room beside a route of so many octets. */
export function fitsMessage(length: number, family: Family, session: Negotiated): boolean {
  const longest = (session.addPathSend.includes(family) ? 5 : 1) + (FAMILIES[family].version === 4 ? 4 : 16);
  return HEADER_LENGTH + LENGTH_FIELDS + length + longest <= maxMessageLength(session);
}

/** What a route of {@link encodeRoute} begins with in families other than IPv4 unicast. */
export function putMpReachHead(w: Writer, family: Family, { address, linkLocal }: NextHop): void {
  const { afi, safi } = FAMILIES[family];
  const global = address.toBytes();
  w.u8(MP_FLAGS).u8(MP_REACH).u16(0).u16(afi).u8(safi);
  w.u8(global.length + (linkLocal === undefined ? 0 : 16)).put(global);
  if (linkLocal !== undefined) w.put(linkLocal.toBytes());
  w.u8(0);
}

export class UpdatePacker {
  readonly #classic: boolean;
  readonly #addPath: boolean;
  readonly #limit: number;
  /** A whole message up to its NLRI, and what comes behind them. */
  readonly #withdrawHead: Uint8Array;
  readonly #withdrawTail: Uint8Array;
  #octets = new Uint8Array(INITIAL_CAPACITY);
  #length = 0;
  #messages = 0;
  /** Where the open message starts; -1 where none is open. */
  #start = -1;
  /** No NLRI of the open message may pass this. */
  #end = 0;
  #withdrawing = false;
  #route: Uint8Array;
  #routeAt = 0;
  #routeHead = 0;
  #routeLength = 0;

  constructor(family: Family, session: Negotiated) {
    this.#classic = family === 'ipv4-unicast';
    this.#addPath = session.addPathSend.includes(family);
    this.#limit = maxMessageLength(session);
    const { afi, safi } = FAMILIES[family];
    this.#withdrawHead = this.#classic
      ? new Uint8Array(0)
      : Uint8Array.of(MP_FLAGS, MP_UNREACH, 0, 0, afi >>> 8, afi, safi);
    this.#withdrawTail = this.#classic ? new Uint8Array(2) : new Uint8Array(0);
    this.#route = this.#withdrawHead;
  }

  /** Octets packed since {@link take}. */
  get length(): number {
    return this.#length;
  }

  get messages(): number {
    return this.#messages;
  }

  /** Prefixes that are added now are withdrawn. */
  withdraw(): void {
    this.#close();
    this.#withdrawing = true;
  }

  /** Prefixes that are added now are announced with the octets of {@link encodeRoute}, which must stay until {@link end}. */
  announce(octets: Uint8Array, at: number, length: number): void {
    this.#close();
    this.#withdrawing = false;
    this.#route = octets;
    this.#routeAt = at;
    this.#routeLength = length;
    this.#routeHead = this.#classic ? length : MP_REACH_HEAD + (octets[at + MP_REACH_HEAD - 1] ?? 0) + 1;
  }

  /** @param length of the prefix, in bits; its address as words in network order, IPv4 in the first */
  add(length: number, w0: number, w1: number, w2: number, w3: number): void {
    const octets = (length + 7) >>> 3;
    const size = octets + (this.#addPath ? 5 : 1);
    if (this.#start >= 0 && this.#length + size > this.#end) this.#close();
    if (this.#start < 0) this.#open();
    const bytes = this.#octets;
    let at = this.#length;
    if (this.#addPath) at += 4; // One path per prefix is told, under path id 0; the buffer may hold older octets.
    if (this.#addPath) bytes.fill(0, at - 4, at);
    bytes[at++] = length;
    for (let i = 0; i < octets; i++) {
      const word = i < 4 ? w0 : i < 8 ? w1 : i < 12 ? w2 : w3;
      bytes[at++] = word >>> (24 - 8 * (i & 3));
    }
    this.#length = at;
  }

  /** The last message is whole. */
  end(): void {
    this.#close();
  }

  /** All messages, in an array of their own; the packer is empty again. */
  take(): Uint8Array {
    this.#close();
    const taken = this.#octets.slice(0, this.#length);
    this.#length = 0;
    this.#messages = 0;
    return taken;
  }

  #open(): void {
    const at = this.#length;
    if (at + this.#limit > this.#octets.length) {
      const bigger = new Uint8Array(this.#octets.length * 2 + this.#limit);
      bigger.set(this.#octets);
      this.#octets = bigger;
    }
    const bytes = this.#octets;
    bytes.fill(0xff, at, at + 16);
    bytes[at + 18] = MESSAGE_TYPE.update;
    bytes[at + 19] = 0;
    bytes[at + 20] = 0;
    this.#start = at;
    if (this.#withdrawing) {
      const head = this.#withdrawHead;
      // Withdrawn routes of IPv4 unicast come before the length of the attributes, others are an attribute.
      const nlri = at + HEADER_LENGTH + (this.#classic ? 2 : LENGTH_FIELDS + head.length);
      if (!this.#classic) bytes.set(head, at + HEADER_LENGTH + LENGTH_FIELDS);
      this.#length = nlri;
      this.#end = at + this.#limit - this.#withdrawTail.length;
      return;
    }
    const nlri = at + HEADER_LENGTH + LENGTH_FIELDS;
    copy(this.#route, this.#routeAt, this.#routeHead, bytes, nlri);
    this.#length = nlri + this.#routeHead;
    this.#end = at + this.#limit - (this.#routeLength - this.#routeHead);
  }

  #close(): void {
    const start = this.#start;
    if (start < 0) return;
    const bytes = this.#octets;
    if (this.#withdrawing) this.#closeWithdrawal(start);
    else {
      const tail = this.#routeLength - this.#routeHead;
      const nlri = start + HEADER_LENGTH + LENGTH_FIELDS;
      if (!this.#classic) put16(bytes, nlri + 2, this.#length - nlri - 4);
      copy(this.#route, this.#routeAt + this.#routeHead, tail, bytes, this.#length);
      this.#length += tail;
      const attributes = this.#classic ? this.#routeLength : this.#length - nlri;
      put16(bytes, start + HEADER_LENGTH + 2, attributes);
    }
    put16(bytes, start + 16, this.#length - start);
    this.#messages++;
    this.#start = -1;
  }

  #closeWithdrawal(start: number): void {
    const bytes = this.#octets;
    if (this.#classic) {
      put16(bytes, start + HEADER_LENGTH, this.#length - start - HEADER_LENGTH - 2);
      put16(bytes, this.#length, 0);
      this.#length += 2;
      return;
    }
    const field = this.#length - start - HEADER_LENGTH - LENGTH_FIELDS;
    put16(bytes, start + HEADER_LENGTH + 2, field);
    put16(bytes, start + HEADER_LENGTH + LENGTH_FIELDS + 2, field - (MP_UNREACH_HEAD - 3));
  }
}

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** A loop beats `set` of a `subarray` at the length of usual attributes. */
function copy(from: Uint8Array, at: number, length: number, to: Uint8Array, toAt: number): void {
  if (length > 256) to.set(from.subarray(at, at + length), toAt);
  else for (let i = 0; i < length; i++) to[toAt + i] = from[at + i] as number;
}
