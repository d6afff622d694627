/**
 * Splits the Path Attributes field of one UPDATE into values and faults: framing, flags, repetition, and who may
 * send what. The values' own checks are their codecs'. RFC 4271 §4.3 (layout), RFC 7606 §3 and §4 (errors).
 */
import { Mended, Refusal, SUBCODE, type AttributeValues, type Check } from './attributes/codec.ts';
import { UPDATE_CHECKS, codecOf, type AnyCodec } from './attributes/table.ts';
import type { Fault } from './fault.ts';
import { Reader } from './reader.ts';
import type { Negotiated, RawAttribute } from './types.ts';

export const FLAG = { optional: 0x80, transitive: 0x40, partial: 0x20, extendedLength: 0x10 } as const;

export const CLASS_FLAGS = {
  'well-known': FLAG.transitive,
  'optional-transitive': FLAG.optional | FLAG.transitive,
  'optional-non-transitive': FLAG.optional,
} as const;

const NO_DATA = new Uint8Array(0);

export interface DecodedAttributes {
  readonly values: AttributeValues;
  /** In the order met. */
  readonly faults: Fault[];
  /** Type codes on the wire, those with faults too, and the offset of each. */
  readonly seen: ReadonlyMap<number, number>;
}

/** MP_REACH_NLRI and MP_UNREACH_NLRI: the two that carry NLRI, without which nothing can be withdrawn. */
function isMp(code: number): boolean {
  return code === 14 || code === 15;
}

interface Header {
  readonly flags: number;
  readonly code: number;
  readonly start: number;
}

/** @param r the field alone, without its 2-octet length; opaque values are copied out of it, the rest is converted */
export function decodeAttributes(r: Reader, session: Negotiated): DecodedAttributes {
  const values: AttributeValues = {};
  const faults: Fault[] = [];
  const seen = new Map<number, number>();
  const unknown: RawAttribute[] = [];

  while (r.remaining > 0) {
    const start = r.at;
    const flags = r.u8();
    const code = r.u8();
    const length = (flags & FLAG.extendedLength) === 0 ? r.u8() : r.u16();
    if (r.overrun) {
      faults.push({
        check: UPDATE_CHECKS.attributeHeader,
        attribute: undefined,
        offset: start,
        data: NO_DATA,
      });
      break;
    }
    const value = r.slice(length);
    if (r.overrun) {
      const check = isMp(code) ? UPDATE_CHECKS.mpLength : UPDATE_CHECKS.attributeLength;
      faults.push({ check, attribute: code, offset: start, data: NO_DATA });
      break;
    }
    const header = { flags, code, start };
    const fault = (check: Check, offset = start): void => {
      faults.push({
        check,
        attribute: code,
        offset,
        data: dataFor(check, r.bytes.subarray(start, value.end)),
      });
    };
    if (seen.has(code)) {
      fault(isMp(code) ? UPDATE_CHECKS.repeatedMp : UPDATE_CHECKS.repeated);
      continue;
    }
    seen.set(code, start);
    const codec = codecOf(code);
    if (codec === undefined) decodeUnknown(header, value, unknown, fault);
    else if (codec.spoken?.(session) === false) ignoreUnspoken(header, fault);
    else decodeKnown(codec, header, value, session, values, fault);
  }
  if (unknown.length > 0) values.unknown = unknown;
  return { values, faults, seen };
}

function decodeKnown(
  codec: AnyCodec,
  { flags }: Header,
  value: Reader,
  session: Negotiated,
  values: AttributeValues,
  fault: (check: Check, offset?: number) => void,
): void {
  if (codec.only !== undefined && !codec.only.from(session)) {
    fault(codec.only.else);
    return;
  }
  const conflict = (flags ^ CLASS_FLAGS[codec.class]) & (FLAG.optional | FLAG.transitive);
  if (conflict !== 0) {
    fault(flagsCheck(codec, conflict));
    return;
  }
  const decoded = codec.decode(value, session);
  if (decoded instanceof Refusal) {
    fault(decoded.check, decoded.offset);
    return;
  }
  if (decoded instanceof Mended) fault(decoded.check, decoded.offset);
  (values as Record<string, unknown>)[codec.field] = decoded instanceof Mended ? decoded.value : decoded;
  if ((flags & FLAG.partial) !== 0 && staysPartial(codec))
    values.partial = [...(values.partial ?? []), codec.code].sort((a, b) => a - b);
}

/** The two that carry 4-octet AS numbers end here: they are joined with what they stand for (RFC 6793 §4.2.3). */
function staysPartial(codec: AnyCodec): boolean {
  return codec.class === 'optional-transitive' && codec.only === undefined;
}

/** NLRI in an attribute with wrong flags count as unreadable, so that they cannot even be withdrawn (RFC 7606 §5.3). */
function flagsCheck({ code, transitiveBit }: AnyCodec, conflict: number): Check {
  if (isMp(code)) return UPDATE_CHECKS.mpFlags;
  return conflict === FLAG.transitive && transitiveBit !== undefined ? transitiveBit : UPDATE_CHECKS.flags;
}

/**
 * RFC 4271 §5 and §6.3: an unknown well-known attribute ends the session; an optional one is passed on with the
 * partial bit if transitive, and quietly ignored if not.
 */
function decodeUnknown(
  { flags, code }: Header,
  value: Reader,
  unknown: RawAttribute[],
  fault: (check: Check) => void,
): void {
  if ((flags & FLAG.optional) === 0) fault(UPDATE_CHECKS.unrecognizedWellKnown);
  else if ((flags & FLAG.transitive) !== 0) {
    const kept = FLAG.optional | FLAG.transitive | FLAG.partial;
    unknown.push({ flags: kept, code, value: value.take(value.remaining).slice() });
  }
}

/** As an unknown one that is not transitive, whatever its flags say of that: nobody here may pass it on. */
function ignoreUnspoken({ flags }: Header, fault: (check: Check) => void): void {
  if ((flags & FLAG.optional) === 0) fault(UPDATE_CHECKS.unrecognizedWellKnown);
}

/** RFC 4271 §6.3: the attribute itself goes into the Data field, except over a malformed list or AS_PATH. */
function dataFor(check: Check, attribute: Uint8Array): Uint8Array {
  switch (check.subcode) {
    case SUBCODE.malformedList:
    case SUBCODE.network:
    case SUBCODE.asPath:
      return NO_DATA;
    default:
      return attribute.slice();
  }
}
