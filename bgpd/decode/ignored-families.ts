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

/** Whether the Multiple Labels capability was settled for the IP version; undefined where that is not known. */
export type MultipleLabels = (version: 4 | 6) => boolean | undefined;

/** @param bytes  an UPDATE that was decoded without a session reset: its framing is sound */
export function ignoredFamilies(bytes: Uint8Array, multipleLabels: MultipleLabels): readonly IgnoredFamily[] {
  const message = new Reader(bytes, HEADER_LENGTH);
  message.slice(message.u16());
  const attributes = message.slice(message.u16());
  const found: IgnoredFamily[] = [];
  while (attributes.remaining > 0) {
    const flags = attributes.u8();
    const code = attributes.u8();
    const value = attributes.slice((flags & EXTENDED_LENGTH) === 0 ? attributes.u8() : attributes.u16());
    if (attributes.overrun) break;
    if (code === MP_REACH || code === MP_UNREACH) found.push(...plainMp(value, code, multipleLabels));
  }
  return found;
}

function plainMp(value: Reader, code: number, multipleLabels: MultipleLabels): readonly IgnoredFamily[] {
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
  const labelled =
    version === undefined
      ? undefined
      : readLabelled(value, version, code === MP_UNREACH, multipleLabels(version));
  return [{ attribute, ...family, ...told, ...(labelled === undefined ? { octets } : { nlri: labelled }) }];
}

/**
 * Where nobody heard whether stacks of labels were settled, one label is what RFC 8277 allows and a stack is what speakers
 * of RFC 3107 may have sent all the same.
 *
 * @returns undefined where it is malformed, so that the octets have to do
 */
function readLabelled(
  r: Reader,
  version: 4 | 6,
  withdrawn: boolean,
  settled: boolean | undefined,
): IgnoredFamily['nlri'] {
  for (const multipleLabels of settled === undefined ? [false, true] : [settled]) {
    const nlri: LabelledNlri[] = [];
    const field = new Reader(r.bytes, r.at, r.end);
    const error = decodeLabelledNlri(field, { version, addPath: false, withdrawn, multipleLabels }, nlri);
    if (error === undefined) return nlri.map(({ labels, prefix }) => ({ prefix: prefix.toString(), labels }));
  }
  return undefined;
}

function plainNextHop(octets: Uint8Array): string {
  return octets.length === 4 || octets.length === 16 ? Address.fromBytes(octets).toString() : hex(octets);
}
