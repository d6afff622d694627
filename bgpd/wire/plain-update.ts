/**
 * The fast way in for UPDATEs without any fault, which is nearly all of them: recognised by one walk over the octets
 * and handed on as positions, so that neither attributes nor prefixes become objects. Hot (bench/micro/bgp-inbound.ts).
 *
 * It only ever says "plain" or nothing. What is not plain in any way, be it malformed, unusual or merely in another
 * order, goes to `decode-update.ts`, which alone knows what RFC 7606 makes of an error. A property test holds the two
 * equal on everything that is plain.
 */
import { Address } from '../../net/addr/index.ts';
import { decodeUpdate } from './decode-update.ts';
import { HEADER_LENGTH } from './header.ts';
import { FLAG } from './decode-attributes.ts';
import { NlriCursor, isReadableNlri } from './nlri-cursor.ts';
import { decodeNextHop, isUsableNextHop } from './attributes/14-mp-reach-nlri.ts';
import { Reader } from './reader.ts';
import {
  familyOf,
  type Family,
  type Negotiated,
  type NextHop,
  type PathAttributes,
  type Reach,
  type Unreach,
  type UpdateMessage,
} from './types.ts';

/** NLRI that can be read: where they stand in the message. */
interface Field {
  readonly family: Family;
  readonly at: number;
  readonly end: number;
}

/** The octets of the Path Attributes field; in canonical form but for NEXT_HOP, MP_REACH_NLRI and MP_UNREACH_NLRI. */
export interface AttributeField {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly end: number;
}

const CODE = { origin: 1, asPath: 2, nextHop: 3, localPref: 5, mpReach: 14, mpUnreach: 15 } as const;
/** Two that say where to; which of them counts is for the decoder to tell. */
const NEXT_HOPS = (1 << CODE.nextHop) | (1 << CODE.mpReach);
const MANDATORY = (1 << CODE.origin) | (1 << CODE.asPath);

/**
 * A plain UPDATE. Valid while the message's octets are, which is until whoever it was handed to returns; reading
 * `reach`, `unreach` or `attributes` decodes it into values that stay.
 */
export class PlainUpdate implements UpdateMessage {
  readonly type = 'update';
  readonly nextHop: NextHop | undefined;
  readonly #bytes: Uint8Array;
  readonly #session: Negotiated;
  readonly #withdrawn: Field | undefined;
  readonly #announced: Field | undefined;
  readonly #attributes: { readonly at: number; readonly end: number };
  #decoded: UpdateMessage | undefined;

  constructor(bytes: Uint8Array, session: Negotiated, { at, end, withdrawn, announced, nextHop }: Found) {
    this.#bytes = bytes;
    this.#session = session;
    this.#attributes = { at, end };
    this.#withdrawn = withdrawn;
    this.#announced = announced;
    this.nextHop = nextHop;
  }

  get announcedFamily(): Family | undefined {
    return this.#announced?.family;
  }

  get withdrawnFamily(): Family | undefined {
    return this.#withdrawn?.family;
  }

  announcedNlri(): NlriCursor | undefined {
    return this.#cursor(this.#announced);
  }

  withdrawnNlri(): NlriCursor | undefined {
    return this.#cursor(this.#withdrawn);
  }

  get attributeField(): AttributeField {
    return { bytes: this.#bytes, ...this.#attributes };
  }

  /** The same as values, which stay. */
  values(): UpdateMessage {
    return this.#message;
  }

  get reach(): readonly Reach[] {
    return this.#message.reach;
  }

  get unreach(): readonly Unreach[] {
    return this.#message.unreach;
  }

  get attributes(): PathAttributes | undefined {
    return this.#message.attributes;
  }

  get #message(): UpdateMessage {
    if (this.#decoded !== undefined) return this.#decoded;
    const decoded = decodeUpdate(this.#bytes, this.#session);
    if (!decoded.ok)
      throw new Error('an UPDATE that was plain cannot be decoded: its octets were used again');
    this.#decoded = decoded.message;
    return decoded.message;
  }

  #cursor(field: Field | undefined): NlriCursor | undefined {
    return field === undefined ? undefined : new NlriCursor(this.#bytes, field, this.#session);
  }
}

/** What the walk finds. */
interface Found {
  at: number;
  end: number;
  withdrawn: Field | undefined;
  announced: Field | undefined;
  nextHop: NextHop | undefined;
  /** A bit per code up to 31. */
  seen: number;
}

/** @param bytes  an UPDATE whose header is sound */
export function readPlainUpdate(bytes: Uint8Array, session: Negotiated): PlainUpdate | undefined {
  const found: Found = {
    at: 0,
    end: 0,
    withdrawn: undefined,
    announced: undefined,
    nextHop: undefined,
    seen: 0,
  };
  return session.fourOctetAs && walk(bytes, session, found)
    ? new PlainUpdate(bytes, session, found)
    : undefined;
}

function walk(bytes: Uint8Array, session: Negotiated, found: Found): boolean {
  const withdrawnAt = HEADER_LENGTH + 2;
  const withdrawnEnd = withdrawnAt + u16(bytes, HEADER_LENGTH);
  if (withdrawnEnd + 2 > bytes.length) return false;
  found.at = withdrawnEnd + 2;
  found.end = found.at + u16(bytes, withdrawnEnd);
  if (found.end > bytes.length) return false;
  if (!walkAttributes(bytes, session, found)) return false;
  if (withdrawnEnd > withdrawnAt) {
    if (found.withdrawn !== undefined) return false;
    found.withdrawn = { family: 'ipv4-unicast', at: withdrawnAt, end: withdrawnEnd };
    if (!isReadable(bytes, found.withdrawn, session)) return false;
  }
  if (found.end < bytes.length) {
    if (found.announced !== undefined || found.nextHop === undefined) return false;
    found.announced = { family: 'ipv4-unicast', at: found.end, end: bytes.length };
    if (!isReadable(bytes, found.announced, session)) return false;
  }
  return (found.seen & NEXT_HOPS) !== NEXT_HOPS && isWhole(found, session);
}

function isReadable(bytes: Uint8Array, field: Field, session: Negotiated): boolean {
  return session.families.includes(field.family) && isReadableNlri(bytes, field, session);
}

/** Something is announced with all that RFC 4271 §5 asks for, or nothing but withdrawals are there. */
function isWhole({ announced, withdrawn, seen }: Found, session: Negotiated): boolean {
  if (announced === undefined) return withdrawn !== undefined && (seen & ~(1 << CODE.mpUnreach)) === 0;
  const needed = session.internal ? MANDATORY | (1 << CODE.localPref) : MANDATORY;
  return (seen & needed) === needed;
}

function walkAttributes(bytes: Uint8Array, session: Negotiated, found: Found): boolean {
  let last = 0;
  let at = found.at;
  while (at < found.end) {
    const flags = octet(bytes, at);
    const code = octet(bytes, at + 1);
    const extended = (flags & FLAG.extendedLength) !== 0;
    if (found.end - at < (extended ? 4 : 3)) return false;
    const length = extended ? u16(bytes, at + 2) : octet(bytes, at + 2);
    const value = at + (extended ? 4 : 3);
    const end = value + length;
    if (end > found.end) return false;
    if (code === CODE.mpReach || code === CODE.mpUnreach) {
      if ((flags & ~FLAG.extendedLength) !== FLAG.optional || (found.seen & (1 << code)) !== 0) return false;
      if (!walkMp(bytes, code, value, end, session, found)) return false;
    } else {
      if (code <= last || (extended && length <= 255)) return false;
      if (!isPlainAttribute(bytes, flags & ~FLAG.extendedLength, code, value, end, session)) return false;
      if (code === CODE.nextHop) found.nextHop = { address: Address.v4(u32(bytes, value)) };
      last = code;
    }
    if (code < 32) found.seen |= 1 << code;
    at = end;
  }
  return true;
}

function walkMp(
  bytes: Uint8Array,
  code: number,
  value: number,
  end: number,
  session: Negotiated,
  found: Found,
): boolean {
  if (end - value < 3) return false;
  const family = familyOf(u16(bytes, value), octet(bytes, value + 2));
  if (family === undefined) return false;
  if (code === CODE.mpUnreach) {
    found.withdrawn = { family, at: value + 3, end };
    return end > value + 3 && isReadable(bytes, found.withdrawn, session);
  }
  const nextHopAt = value + 4;
  const at = nextHopAt + octet(bytes, value + 3) + 1;
  if (at >= end) return false;
  const nextHop = decodeNextHop(new Reader(bytes, nextHopAt, at - 1), family);
  if (nextHop === undefined || !isUsableNextHop(nextHop)) return false;
  found.nextHop = nextHop;
  found.announced = { family, at, end };
  return isReadable(bytes, found.announced, session);
}

const WELL_KNOWN = FLAG.transitive;
const TRANSITIVE = FLAG.optional | FLAG.transitive;
const NON_TRANSITIVE = FLAG.optional;

/** Known, from whom it may come, with exactly the flags of its class and a value without fault. */
function isPlainAttribute(
  bytes: Uint8Array,
  flags: number,
  code: number,
  at: number,
  end: number,
  session: Negotiated,
): boolean {
  const length = end - at;
  switch (code) {
    case 1: // ORIGIN
      return flags === WELL_KNOWN && length === 1 && octet(bytes, at) <= 2;
    case 2: // AS_PATH
      return flags === WELL_KNOWN && isPlainAsPath(bytes, at, end, session);
    case 3: // NEXT_HOP
      return flags === WELL_KNOWN && length === 4 && isHostOctet(octet(bytes, at));
    case 4: // MULTI_EXIT_DISC
      return flags === NON_TRANSITIVE && length === 4;
    case 5: // LOCAL_PREF
      return flags === WELL_KNOWN && length === 4 && session.internal;
    case 6: // ATOMIC_AGGREGATE
      return flags === WELL_KNOWN && length === 0;
    case 7: // AGGREGATOR
      return flags === TRANSITIVE && length === 8 && u32(bytes, at) !== 0;
    case 8: // COMMUNITIES
      return flags === TRANSITIVE && length > 0 && length % 4 === 0;
    case 9: // ORIGINATOR_ID
      return flags === NON_TRANSITIVE && length === 4 && session.internal;
    case 10: // CLUSTER_LIST
      return flags === NON_TRANSITIVE && length > 0 && length % 4 === 0 && session.internal;
    case 16: // EXTENDED_COMMUNITIES
      return flags === TRANSITIVE && length > 0 && length % 8 === 0;
    case 32: // LARGE_COMMUNITY: several may repeat one another, which the decoder mends
      return flags === TRANSITIVE && length === 12;
    default:
      return false;
  }
}

/** RFC 4271 §6.3: the first octet of an address that packets can be sent to. */
function isHostOctet(first: number): boolean {
  return first !== 0 && first !== 127 && first < 224;
}

function isPlainAsPath(bytes: Uint8Array, start: number, end: number, session: Negotiated): boolean {
  let at = start;
  while (at < end) {
    const type = octet(bytes, at);
    const next = at + 2 + octet(bytes, at + 1) * 4;
    if (at + 2 >= end || next > end || next === at + 2) return false;
    if (type < 1 || type > (session.internal ? 4 : 2)) return false;
    for (let asn = at + 2; asn < next; asn += 4) if (u32(bytes, asn) === 0) return false;
    at = next;
  }
  return session.internal || end > start;
}

function octet(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

function u16(bytes: Uint8Array, at: number): number {
  return (octet(bytes, at) << 8) | octet(bytes, at + 1);
}

function u32(bytes: Uint8Array, at: number): number {
  return (u16(bytes, at) << 16) | u16(bytes, at + 2);
}
