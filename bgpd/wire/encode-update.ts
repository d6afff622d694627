/**
 * UPDATE, meaning to octets: attributes once, then as many prefixes to a message as the session's limit allows.
 * Withdrawals first. IPv4 unicast travels in the classic fields, other families in MP_REACH_NLRI and MP_UNREACH_NLRI.
 */
import { needsAs4Path } from './attributes/as-path.ts';
import type { AttributeField, AttributeValues } from './attributes/codec.ts';
import { ATTRIBUTES, type AnyCodec } from './attributes/table.ts';
import { CLASS_FLAGS, FLAG } from './decode-attributes.ts';
import { HEADER_LENGTH, MAX_EXTENDED_LENGTH, MAX_LENGTH, MESSAGE_TYPE, putHeader } from './header.ts';
import { encodeNlri, nlriLength } from './nlri.ts';
import {
  FAMILIES,
  type Family,
  type Negotiated,
  type Nlri,
  type PathAttributes,
  type RawAttribute,
  type Reach,
  type Unreach,
  type UpdateMessage,
} from './types.ts';
import { Writer } from './writer.ts';

/** Withdrawn Routes Length and Total Attribute Length. */
const LENGTH_FIELDS = 4;
/** Flags, code and 2-octet length of MP_REACH_NLRI and MP_UNREACH_NLRI, which always use the extended length. */
const MP_HEADER = 4;
const AGGREGATOR = 7;

/** The longest message that may be sent on the session (RFC 8654 §3). */
export function maxMessageLength(session: Negotiated): number {
  return session.extendedMessages ? MAX_EXTENDED_LENGTH : MAX_LENGTH;
}

/**
 * Encodes an UPDATE of any size as messages that fit the session.
 *
 * Routes whose attributes leave no room for even one prefix are told without those that {@link lighter} leaves out; where
 * that does not help they are withdrawn, as the peer must not keep an older version of them. {@link fits} tells beforehand.
 */
export function encodeUpdates(update: UpdateMessage, session: Negotiated): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (const unreach of update.unreach) putUnreach(messages, unreach, session);
  const { attributes } = update;
  if (attributes === undefined) return messages;
  for (const reach of update.reach) {
    const encoded = encodeFitting(attributes, reach, session);
    if (encoded === undefined) putUnreach(messages, reach, session);
    else putReach(messages, reach, encoded, roomBeside(encoded, reach, session), session);
  }
  return messages;
}

/** Undefined: no prefix has room beside them, not even without what may be left out. */
function encodeFitting(
  attributes: PathAttributes,
  reach: NextHopOf,
  session: Negotiated,
): Uint8Array | undefined {
  const encoded = encodeReachAttributes(attributes, reach, session);
  if (roomBeside(encoded, reach, session) >= longestNlri(reach.family, session)) return encoded;
  const less = lighter(attributes);
  return less === undefined ? undefined : encodeFitting(less, reach, session);
}

/**
 * The attributes without those that have no say in which route is chosen or where packets go (RFC 8654 §4, RFC 7606 §2):
 * AGGREGATOR, and with it AS4_AGGREGATOR. ATOMIC_AGGREGATE shall stay (RFC 4271 §5.1.6), and of what we do not know nobody
 * can tell.
 *
 * @returns undefined where there is nothing to leave out
 */
export function lighter(attributes: PathAttributes): PathAttributes | undefined {
  const { aggregator, partial, ...rest } = attributes;
  if (aggregator === undefined) return undefined;
  const marked = partial?.filter((code) => code !== AGGREGATOR) ?? [];
  return { ...rest, ...(marked.length === 0 ? {} : { partial: marked }) };
}

/** End-of-RIB marker of the family (RFC 4724 §2). */
export function encodeEndOfRib(family: Family, session: Negotiated): Uint8Array {
  if (family === 'ipv4-unicast') return message(new Uint8Array(0), new Uint8Array(0), new Uint8Array(0));
  return message(
    new Uint8Array(0),
    mpAttribute({ mpUnreach: { family, nlri: [] } }, session),
    new Uint8Array(0),
  );
}

type NextHopOf = Pick<Reach, 'family' | 'nextHop'>;

/** Whether one prefix of the family, the longest there can be, has room in a message beside these attributes. */
export function fits(attributes: PathAttributes, reach: NextHopOf, session: Negotiated): boolean {
  return encodeFitting(attributes, reach, session) !== undefined;
}

/** All attributes but MP_REACH_NLRI: NEXT_HOP is among them where the family uses it. */
function encodeReachAttributes(
  attributes: PathAttributes,
  reach: NextHopOf,
  session: Negotiated,
): Uint8Array {
  if (reach.family !== 'ipv4-unicast') return encodeAttributes(attributes, session);
  return encodeAttributes({ ...attributes, nextHop: reach.nextHop.address }, session);
}

/** Octets left for NLRI in the longest message. */
function roomBeside(encoded: Uint8Array, { family, nextHop }: NextHopOf, session: Negotiated): number {
  const mp = family === 'ipv4-unicast' ? 0 : MP_HEADER + 5 + (nextHop.linkLocal === undefined ? 16 : 32);
  return maxMessageLength(session) - HEADER_LENGTH - LENGTH_FIELDS - encoded.length - mp;
}

function longestNlri(family: Family, session: Negotiated): number {
  return (session.addPathSend.includes(family) ? 5 : 1) + (FAMILIES[family].version === 4 ? 4 : 16);
}

function putUnreach(messages: Uint8Array[], { family, nlri }: Unreach, session: Negotiated): void {
  if (nlri.length === 0) {
    messages.push(encodeEndOfRib(family, session));
    return;
  }
  const none = new Uint8Array(0);
  const room = maxMessageLength(session) - HEADER_LENGTH - LENGTH_FIELDS;
  if (family === 'ipv4-unicast') {
    for (const part of split(nlri, room, family, session))
      messages.push(message(encodeList(part, family, session), none, none));
    return;
  }
  for (const part of split(nlri, room - MP_HEADER - 3, family, session))
    messages.push(message(none, mpAttribute({ mpUnreach: { family, nlri: part } }, session), none));
}

function putReach(
  messages: Uint8Array[],
  { family, nextHop, nlri }: Reach,
  encoded: Uint8Array,
  room: number,
  session: Negotiated,
): void {
  const none = new Uint8Array(0);
  for (const part of split(nlri, room, family, session)) {
    if (family === 'ipv4-unicast') {
      messages.push(message(none, encoded, encodeList(part, family, session)));
    } else {
      // RFC 7606 §5.1: MP_REACH_NLRI comes first, so that an error further on leaves the NLRI legible.
      const first = mpAttribute({ mpReach: { family, nextHop, nlri: part } }, session);
      messages.push(message(none, concat(first, encoded), none));
    }
  }
}

/** Cuts a list so that each part has at most `room` octets. */
function* split(
  nlri: readonly Nlri[],
  room: number,
  family: Family,
  session: Negotiated,
): Generator<readonly Nlri[], void, void> {
  const addPath = session.addPathSend.includes(family);
  let start = 0;
  let used = 0;
  for (let i = 0; i < nlri.length; i++) {
    const one = nlri[i];
    const length = one === undefined ? 0 : nlriLength(one, addPath);
    if (used + length > room) {
      yield nlri.slice(start, i);
      start = i;
      used = 0;
    }
    used += length;
  }
  if (start < nlri.length) yield start === 0 ? nlri : nlri.slice(start);
}

function encodeList(nlri: readonly Nlri[], family: Family, session: Negotiated): Uint8Array {
  const w = new Writer(nlri.length * 6);
  const addPath = session.addPathSend.includes(family);
  for (const one of nlri) encodeNlri(w, one, addPath);
  return w.finish();
}

function message(withdrawn: Uint8Array, attributes: Uint8Array, nlri: Uint8Array): Uint8Array {
  const length = HEADER_LENGTH + LENGTH_FIELDS + withdrawn.length + attributes.length + nlri.length;
  const w = new Writer(length);
  putHeader(w, MESSAGE_TYPE.update, length);
  return w.u16(withdrawn.length).put(withdrawn).u16(attributes.length).put(attributes).put(nlri).finish();
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/**
 * The Path Attributes field without MP_REACH_NLRI and MP_UNREACH_NLRI, in ascending order of type code
 * (RFC 4271 §5). Attributes that the peer's kind may not receive (LOCAL_PREF to an external one) are left out;
 * AS4_PATH and AS4_AGGREGATOR are added where a peer with 2-octet AS numbers would lose something.
 */
export function encodeAttributes(
  attributes: PathAttributes & Pick<AttributeValues, 'nextHop'>,
  session: Negotiated,
): Uint8Array {
  const w = new Writer(128);
  putAttributes(w, attributes, session);
  return w.finish();
}

/** As {@link encodeAttributes}, behind what the writer holds. */
export function putAttributes(
  w: Writer,
  attributes: PathAttributes & Pick<AttributeValues, 'nextHop'>,
  session: Negotiated,
): void {
  const values: AttributeValues = session.fourOctetAs
    ? attributes
    : { ...attributes, ...as4(attributes, session) };
  const unknown =
    attributes.unknown === undefined ? NONE : [...attributes.unknown].sort((a, b) => a.code - b.code);
  let next = 0;
  for (const codec of ATTRIBUTES) {
    for (let raw = unknown[next]; raw !== undefined && raw.code < codec.code; raw = unknown[++next])
      putRaw(w, raw);
    putKnown(w, codec, values, session);
  }
  for (; next < unknown.length; next++) putRaw(w, unknown[next] as RawAttribute);
}

const NONE: readonly RawAttribute[] = [];

/** RFC 6793 §4.2.2. */
function as4(attributes: PathAttributes, session: Negotiated): AttributeValues {
  if (session.fourOctetAs) return {};
  const values: AttributeValues = {};
  if (needsAs4Path(attributes.asPath)) values.as4Path = attributes.asPath;
  if ((attributes.aggregator?.asn ?? 0) > 0xffff && attributes.aggregator !== undefined)
    values.as4Aggregator = attributes.aggregator;
  return values;
}

function putKnown(w: Writer, codec: AnyCodec, values: AttributeValues, session: Negotiated): void {
  const value = values[codec.field satisfies AttributeField];
  if (value === undefined || (codec.only !== undefined && !codec.only.from(session))) return;
  if (codec.spoken?.(session) === false) return;
  const start = w.length;
  const partial = values.partial?.includes(codec.code) === true ? FLAG.partial : 0;
  const flags = CLASS_FLAGS[codec.class] | partial;
  w.u8(flags).u8(codec.code).u8(0);
  codec.encode(w, value as never, session);
  closeAttribute(w, start, flags);
}

function putRaw(w: Writer, { flags, code, value }: RawAttribute): void {
  const start = w.length;
  const kept = flags & (FLAG.optional | FLAG.transitive | FLAG.partial);
  w.u8(kept).u8(code).u8(0).put(value);
  closeAttribute(w, start, kept);
}

/** Fills in the length, making room for a second octet only where the value is that long. */
function closeAttribute(w: Writer, start: number, flags: number): void {
  const length = w.length - start - 3;
  if (length <= 255) {
    w.patch8(start + 2, length);
    return;
  }
  w.insert(start + 3, 1);
  w.patch8(start, flags | FLAG.extendedLength);
  w.patch16(start + 2, length);
}

function mpAttribute(
  values: Pick<AttributeValues, 'mpReach' | 'mpUnreach'>,
  session: Negotiated,
): Uint8Array {
  const w = new Writer(256);
  for (const codec of ATTRIBUTES) {
    const value = values[codec.field as 'mpReach' | 'mpUnreach'];
    if (value === undefined) continue;
    w.u8(CLASS_FLAGS[codec.class] | FLAG.extendedLength)
      .u8(codec.code)
      .u16(0);
    codec.encode(w, value as never, session);
    w.patch16(2, w.length - MP_HEADER);
  }
  return w.finish();
}
