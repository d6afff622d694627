/** OPEN: RFC 4271 §4.2 and §6.2, capabilities by RFC 5492, long optional parameters by RFC 9072. */
import { CAPABILITY, decodeCapabilities, encodeCapability, type CapabilityError } from './capabilities.ts';
import { HEADER_LENGTH, MAX_LENGTH, MESSAGE_TYPE, putHeader } from './header.ts';
import { ERROR, notification } from './notification.ts';
import { Reader } from './reader.ts';
import type { Capability, NotificationMessage, OpenMessage } from './types.ts';
import { Writer } from './writer.ts';

export const BGP_VERSION = 4;

/** Stands for an AS number that does not fit two octets (RFC 6793 §4.1). Nobody's own. */
export const AS_TRANS = 23456;

const OPTIONAL_PARAMETER = { capabilities: 2, extendedLength: 255 } as const;

const SUBCODE = {
  unspecific: 0,
  version: 1,
  peerAs: 2,
  bgpIdentifier: 3,
  optionalParameter: 4,
  holdTime: 6,
} as const;

export type DecodedOpen =
  | { readonly ok: true; readonly message: OpenMessage }
  | {
      readonly ok: false;
      readonly notification: NotificationMessage;
      readonly reason: string;
      /** Of the offending octet, from the start of the message. */
      readonly offset: number;
    };

/** Where the fixed fields lie, RFC 4271 §4.2. */
const OFFSET = { version: 19, myAs: 20, holdTime: 22, bgpIdentifier: 24 } as const;

/**
 * Decodes the OPEN whose header, already checked, starts at the first octet.
 * What depends on our own configuration (is it the AS we expect?) is `fsm/negotiate.ts`.
 */
export function decodeOpen(bytes: Uint8Array): DecodedOpen {
  const r = new Reader(bytes, HEADER_LENGTH);
  const version = r.u8();
  if (version !== BGP_VERSION) {
    return refuse(
      SUBCODE.version,
      `version ${version}, we speak ${BGP_VERSION}`,
      OFFSET.version,
      Uint8Array.of(0, BGP_VERSION),
    );
  }
  const shortAsn = r.u16();
  const holdSeconds = r.u16();
  const routerId = r.u32();
  const capabilities: Capability[] = [];
  const error = decodeParameters(r, capabilities);
  if (error !== undefined)
    return refuse(error.subcode, `${error.what} (offset ${error.offset})`, error.offset);

  const asn = capabilities.findLast((c) => c.code === CAPABILITY.fourOctetAs)?.asn ?? shortAsn;
  // RFC 7607 §2 for AS 0; AS_TRANS is reserved, so as a true AS number it can only be a mistake.
  if (asn === 0 || asn === AS_TRANS)
    return refuse(SUBCODE.peerAs, `AS number ${asn} is reserved`, OFFSET.myAs);
  // RFC 4271 §6.2: a hold time of 1 or 2 seconds MUST be refused.
  if (holdSeconds === 1 || holdSeconds === 2)
    return refuse(SUBCODE.holdTime, `hold time ${holdSeconds} s; must be 0, or 3 and more`, OFFSET.holdTime);
  if (routerId === 0) return refuse(SUBCODE.bgpIdentifier, 'BGP Identifier is 0.0.0.0', OFFSET.bgpIdentifier);
  return { ok: true, message: { type: 'open', version, asn, holdSeconds, routerId, capabilities } };
}

function refuse(subcode: number, reason: string, offset: number, data?: Uint8Array): DecodedOpen {
  return { ok: false, notification: notification(ERROR.open, subcode, data), reason, offset };
}

type ParameterError = CapabilityError & { readonly subcode: number };

/** RFC 9072 §2: type 255 in first place announces 2-octet lengths, whatever the old length octet says (but 0). */
function decodeParameters(r: Reader, capabilities: Capability[]): ParameterError | undefined {
  const offset = r.at;
  const plainLength = r.u8();
  const extended = plainLength !== 0 && r.bytes[r.at] === OPTIONAL_PARAMETER.extendedLength;
  if (extended) r.u8();
  const length = extended ? r.u16() : plainLength;
  if (r.overrun || length !== r.remaining) {
    const what = `optional parameters claim ${length} octets, ${r.remaining} follow`;
    return { subcode: SUBCODE.unspecific, what, offset };
  }
  while (r.remaining > 0) {
    const at = r.at;
    const type = r.u8();
    const value = r.slice(extended ? r.u16() : r.u8());
    if (r.overrun)
      return {
        subcode: SUBCODE.unspecific,
        what: `optional parameter ${type} runs past the message`,
        offset: at,
      };
    if (type !== OPTIONAL_PARAMETER.capabilities)
      return { subcode: SUBCODE.optionalParameter, what: `optional parameter of type ${type}`, offset: at };
    const error = decodeCapabilities(value, capabilities);
    if (error !== undefined) return { subcode: SUBCODE.unspecific, ...error };
  }
  return undefined;
}

/**
 * All capabilities go into one optional parameter, with 2-octet lengths only where that exceeds 255 octets (RFC 9072 §2).
 *
 * @throws RangeError when the capabilities exceed the 4096 octets an OPEN may have
 */
export function encodeOpen(open: Omit<OpenMessage, 'type'>): Uint8Array {
  const values = new Writer(128);
  for (const capability of open.capabilities) encodeCapability(values, capability);
  const w = new Writer(HEADER_LENGTH + 10 + values.length + 6);
  putHeader(w, MESSAGE_TYPE.open, 0);
  w.u8(open.version)
    .u16(open.asn > 0xffff ? AS_TRANS : open.asn)
    .u16(open.holdSeconds)
    .u32(open.routerId);
  putParameters(w, values.finish());
  if (w.length > MAX_LENGTH) throw new RangeError(`OPEN of ${w.length} octets; ${MAX_LENGTH} is the most`);
  w.patch16(16, w.length);
  return w.finish();
}

function putParameters(w: Writer, capabilities: Uint8Array): void {
  if (capabilities.length === 0) {
    w.u8(0);
  } else if (capabilities.length + 2 <= 255) {
    w.u8(capabilities.length + 2)
      .u8(OPTIONAL_PARAMETER.capabilities)
      .u8(capabilities.length)
      .put(capabilities);
  } else {
    w.u8(255)
      .u8(OPTIONAL_PARAMETER.extendedLength)
      .u16(capabilities.length + 3)
      .u8(OPTIONAL_PARAMETER.capabilities)
      .u16(capabilities.length)
      .put(capabilities);
  }
}
