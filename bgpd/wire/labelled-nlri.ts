/**
 * Prefixes with MPLS labels (RFC 8277, SAFI 4), for whoever reads captures or writes a tool. The speaker does not negotiate
 * the family: it forwards no MPLS, and a label that it passed on with itself as next hop would lead into nothing. What a
 * peer sends of it all the same is ignored, as RFC 4760 §7 allows, and the session goes on.
 */
import { Address, Prefix } from '../../net/addr/index.ts';
import type { NlriError } from './nlri.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

export const LABELLED_SAFI = 4;

export interface LabelledNlri {
  /**
   * From the top of the stack, 20 bits each. Empty in a withdrawal, whose compatibility field says nothing about labels
   * (RFC 8277 §2.4).
   */
  readonly labels: readonly number[];
  readonly prefix: Prefix;
  /** Where ADD-PATH was negotiated. */
  readonly pathId?: number;
}

const LABEL_OCTETS = 3;
const BOTTOM = 1;
/** What a withdrawal has in place of labels (RFC 8277 §2.4); who reads it ignores it. */
const COMPATIBILITY = 0x800000;

export interface LabelledField {
  readonly version: 4 | 6;
  readonly addPath: boolean;
  /** Of MP_UNREACH_NLRI: a compatibility field is where labels would be. */
  readonly withdrawn: boolean;
  /**
   * Both sides have said the Multiple Labels capability for the family (RFC 8277 §2.1). Without it a prefix has one label,
   * whatever its S bit says (§2.2); with it the S bit ends the stack (§2.3).
   */
  readonly multipleLabels: boolean;
}

/** Reads to the reader's end, appending. The length of a prefix counts the bits of its labels in. */
export function decodeLabelledNlri(
  r: Reader,
  { version, addPath, withdrawn, multipleLabels }: LabelledField,
  into: LabelledNlri[],
): NlriError | undefined {
  while (r.remaining > 0) {
    const offset = r.at;
    const pathId = addPath ? r.u32() : 0;
    const bits = r.u8();
    const octets = (bits + 7) >>> 3;
    if (r.overrun || octets > r.remaining) return { what: `${bits} bits run past the field`, offset };
    const labels = decodeStack(r, octets, multipleLabels && !withdrawn);
    if (labels === undefined) return { what: 'the label stack has no end within its prefix', offset };
    const length = bits - 8 * LABEL_OCTETS * Math.max(1, labels.length);
    const full = version === 4 ? 32 : 128;
    if (length < 0 || length > full) return { what: `prefix length ${length} is not 0 to ${full}`, offset };
    const padded = new Uint8Array(full / 8);
    padded.set(r.take((length + 7) >>> 3));
    const prefix = Prefix.of(Address.fromBytes(padded), length);
    const told = withdrawn ? [] : labels;
    into.push(addPath ? { labels: told, prefix, pathId } : { labels: told, prefix });
  }
  return undefined;
}

/** Undefined: it would run past the prefix that it stands before. */
function decodeStack(r: Reader, octets: number, several: boolean): readonly number[] | undefined {
  const labels: number[] = [];
  for (let left = octets; left >= LABEL_OCTETS; left -= LABEL_OCTETS) {
    const entry = (r.u8() << 16) | r.u16();
    labels.push(entry >>> 4);
    if (!several || (entry & BOTTOM) !== 0) return labels;
  }
  return undefined;
}

/** No labels: a withdrawal. @throws RangeError on a label of more than 20 bits, and on labels and prefix that 255 bits do not hold */
export function encodeLabelledNlri(
  w: Writer,
  { labels, prefix, pathId }: LabelledNlri,
  addPath: boolean,
): void {
  const bits = prefix.length + 8 * LABEL_OCTETS * Math.max(1, labels.length);
  if (bits > 255) throw new RangeError(`${labels.length} labels and ${prefix.toString()} take ${bits} bits`);
  if (addPath) w.u32(pathId ?? 0);
  w.u8(bits);
  if (labels.length === 0) w.u8(COMPATIBILITY >>> 16).u16(COMPATIBILITY & 0xffff);
  for (const [index, label] of labels.entries()) {
    if (label >>> 20 !== 0) throw new RangeError(`label ${label} has more than 20 bits`);
    const entry = (label << 4) | (index === labels.length - 1 ? BOTTOM : 0);
    w.u8(entry >>> 16).u16(entry & 0xffff);
  }
  w.put(prefix.address.toBytes().subarray(0, (prefix.length + 7) >>> 3));
}
