/**
 * What an UPDATE carries of address families that the speaker ignores: labelled unicast in full (RFC 8277), of others which
 * they are and their octets.
 */
import { Address } from '../../net/addr/index.ts';
import { hex } from '../wire/format.ts';
import { HEADER_LENGTH } from '../wire/header.ts';
import { LABELLED_SAFI, decodeLabelledNlri, type LabelledNlri } from '../wire/labelled-nlri.ts';
import { Reader } from '../wire/reader.ts';
import { familyOf } from '../wire/types.ts';

/** One MP_REACH_NLRI or MP_UNREACH_NLRI, as JSON. */
export interface IgnoredFamily {
  readonly attribute: 'MP_REACH_NLRI' | 'MP_UNREACH_NLRI';
  /** Where it has a name here; else the numbers. */
  readonly family?: string;
  readonly afi?: number;
  readonly safi?: number;
  readonly nextHop?: string;
  readonly nlri?: readonly { readonly prefix: string; readonly labels: readonly number[] }[];
  /** In place of `nlri`, where nobody here can read them. */
  readonly octets?: string;
}

const MP_REACH = 14;
const MP_UNREACH = 15;
const EXTENDED_LENGTH = 0x10;

const VERSIONS: Readonly<Record<number, 4 | 6>> = { 1: 4, 2: 6 };

/** @param bytes  an UPDATE that was decoded without a session reset: its framing is sound */
export function ignoredFamilies(bytes: Uint8Array): readonly IgnoredFamily[] {
  const message = new Reader(bytes, HEADER_LENGTH);
  message.slice(message.u16());
  const attributes = message.slice(message.u16());
  const found: IgnoredFamily[] = [];
  while (attributes.remaining > 0) {
    const flags = attributes.u8();
    const code = attributes.u8();
    const value = attributes.slice((flags & EXTENDED_LENGTH) === 0 ? attributes.u8() : attributes.u16());
    if (attributes.overrun) break;
    if (code === MP_REACH || code === MP_UNREACH) found.push(...plainMp(value, code));
  }
  return found;
}

function plainMp(value: Reader, code: number): readonly IgnoredFamily[] {
  const afi = value.u16();
  const safi = value.u8();
  if (value.overrun || familyOf(afi, safi) !== undefined) return [];
  const attribute = code === MP_REACH ? 'MP_REACH_NLRI' : 'MP_UNREACH_NLRI';
  const nextHop = code === MP_REACH ? value.take(value.u8()) : undefined;
  if (code === MP_REACH) value.u8();
  const octets = hex(value.bytes.subarray(value.at, value.end));
  const version = safi === LABELLED_SAFI ? VERSIONS[afi] : undefined;
  const family = version === undefined ? { afi, safi } : { family: `ipv${version}-labelled-unicast` };
  const told = nextHop === undefined ? {} : { nextHop: plainNextHop(nextHop) };
  const labelled = version === undefined ? undefined : readLabelled(value, version, code === MP_UNREACH);
  return [{ attribute, ...family, ...told, ...(labelled === undefined ? { octets } : { nlri: labelled }) }];
}

/** Undefined: malformed, so the octets have to do. */
function readLabelled(r: Reader, version: 4 | 6, withdrawn: boolean): IgnoredFamily['nlri'] {
  const nlri: LabelledNlri[] = [];
  if (decodeLabelledNlri(r, { version, addPath: false, withdrawn }, nlri) !== undefined) return undefined;
  return nlri.map(({ labels, prefix }) => ({ prefix: prefix.toString(), labels }));
}

function plainNextHop(octets: Uint8Array): string {
  return octets.length === 4 || octets.length === 16 ? Address.fromBytes(octets).toString() : hex(octets);
}
