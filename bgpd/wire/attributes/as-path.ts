/**
 * AS path segments (RFC 4271 §4.3 b, RFC 5065 §3), shared by AS_PATH and AS4_PATH, and the joining of the two
 * when a path has crossed a speaker that knows only 2-octet AS numbers (RFC 6793 §4.2.3).
 */
import type { Reader } from '../reader.ts';
import { AS_TRANS } from '../open.ts';
import type { AsSegment } from '../types.ts';
import type { Writer } from '../writer.ts';

const TYPES: readonly (AsSegment['type'] | undefined)[] = [
  undefined,
  'set',
  'sequence',
  'confed-sequence',
  'confed-set',
];

export type SegmentFault = 'type' | 'empty' | 'length' | 'as-zero';

/** Reads segments to the end; or says what is wrong with the first bad one, which starts at `offset`. */
export function decodeSegments(
  r: Reader,
  octetsPerAs: 2 | 4,
): readonly AsSegment[] | { readonly fault: SegmentFault; readonly offset: number } {
  const segments: AsSegment[] = [];
  while (r.remaining > 0) {
    const offset = r.at;
    const type = TYPES[r.u8()];
    const count = r.u8();
    if (r.overrun) return { fault: 'length', offset };
    if (type === undefined) return { fault: 'type', offset };
    if (count === 0) return { fault: 'empty', offset };
    if (count * octetsPerAs > r.remaining) return { fault: 'length', offset };
    const asns: number[] = [];
    for (let i = 0; i < count; i++) asns.push(octetsPerAs === 4 ? r.u32() : r.u16());
    if (asns.includes(0)) return { fault: 'as-zero', offset };
    segments.push({ type, asns });
  }
  return segments;
}

/** Segments of more than 255 numbers are cut; empty ones, which are malformed on the wire, are left out. */
export function encodeSegments(w: Writer, segments: readonly AsSegment[], octetsPerAs: 2 | 4): void {
  for (const { type, asns } of segments) {
    for (let start = 0; start < asns.length; start += 255) {
      const part = asns.slice(start, start + 255);
      w.u8(TYPES.indexOf(type)).u8(part.length);
      for (const asn of part) {
        if (octetsPerAs === 4) w.u32(asn);
        else w.u16(asn > 0xffff ? AS_TRANS : asn);
      }
    }
  }
}

export function isConfed(segment: AsSegment): boolean {
  return segment.type === 'confed-sequence' || segment.type === 'confed-set';
}

/** How long the decision process finds a path: a set counts 1, confederation segments 0 (RFC 4271 §9.1.2.2 a, RFC 5065 §5.3). */
export function pathLength(segments: readonly AsSegment[]): number {
  let length = 0;
  for (const segment of segments) {
    if (segment.type === 'sequence') length += segment.asns.length;
    else if (segment.type === 'set') length += 1;
  }
  return length;
}

/**
 * The true path: as much of the front of AS_PATH as AS4_PATH does not cover, then AS4_PATH (RFC 6793 §4.2.3).
 * An AS4_PATH longer than the AS_PATH is stale and ignored. Confederation segments of AS_PATH stay where they
 * lead, or follow a segment that stays.
 */
export function mergeAs4Path(
  asPath: readonly AsSegment[],
  as4Path: readonly AsSegment[],
): readonly AsSegment[] {
  let missing = pathLength(asPath) - pathLength(as4Path);
  if (missing < 0) return asPath;
  const front: AsSegment[] = [];
  for (const segment of asPath) {
    if (isConfed(segment)) {
      front.push(segment);
    } else if (missing === 0) {
      break;
    } else if (segment.type === 'set' || segment.asns.length <= missing) {
      front.push(segment);
      missing -= segment.type === 'set' ? 1 : segment.asns.length;
    } else {
      front.push({ type: segment.type, asns: segment.asns.slice(0, missing) });
      break;
    }
  }
  return joined(front, as4Path);
}

/** A sequence cut by the merge becomes one again, as far as one segment can hold it. */
function joined(front: readonly AsSegment[], back: readonly AsSegment[]): readonly AsSegment[] {
  const last = front.at(-1);
  const first = back[0];
  const one =
    last?.type === 'sequence' && first?.type === 'sequence' && last.asns.length + first.asns.length <= 255;
  if (!one) return [...front, ...back];
  return [...front.slice(0, -1), { type: 'sequence', asns: [...last.asns, ...first.asns] }, ...back.slice(1)];
}

/** Whether a 2-octet AS_PATH loses something, so that AS4_PATH must go with it (RFC 6793 §4.2.2). */
export function needsAs4Path(segments: readonly AsSegment[]): boolean {
  return segments.some((segment) => !isConfed(segment) && segment.asns.some((asn) => asn > 0xffff));
}
