/**
 * What the RIBs read straight out of path attributes in canonical form (`../wire/canonical.ts`): the octets to keep of
 * what a peer sent, and the figures that the decision process compares. Hot (bench/micro/bgp-inbound.ts).
 */
import type { AttributeField } from '../wire/plain-update.ts';
import { finishHash, mixWord } from './hash-index.ts';
import { LONGEST_RUN } from './octet-store.ts';

/** RFC 4271 leaves the default to the implementation; every speaker we meet uses 100. */
export const DEFAULT_LOCAL_PREF = 100;

const EXTENDED_LENGTH = 0x10;
const SEQUENCE = 2;
const SET = 1;

export interface Figures {
  readonly localPref: number;
  /** RFC 4271 §9.1.2.2 a: a set counts 1; RFC 5065 §5.3: confederation segments count 0. */
  readonly asPathLength: number;
  /** RFC 4271 §9.1.2.2 b: lower wins. */
  readonly originRank: number;
  /** Undefined where the route carries none; the decision says what that means. */
  readonly med: number | undefined;
  /** The AS the route came in from, 0 for one that has not left our own (RFC 4271 §9.1.2.2 c). */
  readonly neighbourAs: number;
  readonly originatorId: number | undefined;
  readonly clusterListLength: number;
  /** RFC 7311; above 2^53 to the nearest number there is. */
  readonly aigp: bigint | undefined;
}

/** A run of octets that is looked at and then overwritten: one for everybody, as nobody keeps it. */
export class Scratch {
  readonly bytes = new Uint8Array(LONGEST_RUN);
  length = 0;

  load(bytes: Uint8Array, at: number, length: number): void {
    for (let i = 0; i < length; i++) this.bytes[i] = bytes[at + i] as number;
    this.length = length;
  }

  /** All attributes but NEXT_HOP, MP_REACH_NLRI and MP_UNREACH_NLRI, which belong to prefixes and not to the set. */
  loadField({ bytes, at, end }: AttributeField): void {
    let length = 0;
    for (let start = at; start < end; ) {
      const code = bytes[start + 1];
      const next = endOf(bytes, start);
      if (code !== 3 && code !== 14 && code !== 15)
        for (let i = start; i < next; i++) this.bytes[length++] = bytes[i] as number;
      start = next;
    }
    this.length = length;
  }

  hash(): number {
    const { bytes, length } = this;
    let hash = length;
    let at = 0;
    for (; at + 4 <= length; at += 4) hash = mixWord(hash, u32(bytes, at));
    for (; at < length; at++) hash = mixWord(hash, bytes[at] as number);
    return finishHash(hash);
  }
}

export function figuresOf(bytes: Uint8Array, length: number): Figures {
  let localPref = DEFAULT_LOCAL_PREF;
  let asPathLength = 0;
  let originRank = 0;
  let med: number | undefined;
  let neighbourAs = 0;
  let originatorId: number | undefined;
  let clusterListLength = 0;
  let aigp: bigint | undefined;
  for (let start = 0; start < length; ) {
    const next = endOf(bytes, start);
    const value = valueOf(bytes, start);
    switch (bytes[start + 1]) {
      case 1:
        originRank = bytes[value] as number;
        break;
      case 2:
        asPathLength = pathLength(bytes, value, next);
        neighbourAs = firstAs(bytes, value, next);
        break;
      case 4:
        med = u32(bytes, value) >>> 0;
        break;
      case 5:
        localPref = u32(bytes, value) >>> 0;
        break;
      case 9:
        originatorId = u32(bytes, value) >>> 0;
        break;
      case 10:
        clusterListLength = (next - value) / 4;
        break;
      case 26:
        // The metric stands first in canonical form: type, length, 8 octets.
        aigp = (BigInt(u32(bytes, value + 3) >>> 0) << 32n) | BigInt(u32(bytes, value + 7) >>> 0);
        break;
      default:
    }
    start = next;
  }
  return { localPref, asPathLength, originRank, med, neighbourAs, originatorId, clusterListLength, aigp };
}

/** How often the AS is anywhere in AS_PATH, confederation segments included (RFC 4271 §9.1.2, RFC 5065 §4). */
export function occurrencesIn(bytes: Uint8Array, at: number, end: number, asn: number): number {
  let count = 0;
  for (let start = at; start < end; start = endOf(bytes, start)) {
    if (bytes[start + 1] !== 2) continue;
    const last = endOf(bytes, start);
    for (let segment = valueOf(bytes, start); segment < last; ) {
      const next = segment + 2 + (bytes[segment + 1] as number) * 4;
      for (let each = segment + 2; each < next; each += 4) if (u32(bytes, each) >>> 0 === asn) count++;
      segment = next;
    }
  }
  return count;
}

export function hasInternalIn(bytes: Uint8Array, at: number, end: number): boolean {
  for (let start = at; start < end; start = endOf(bytes, start)) {
    const code = bytes[start + 1];
    if (code === 5 || code === 9 || code === 10) return true;
  }
  return false;
}

function pathLength(bytes: Uint8Array, start: number, end: number): number {
  let length = 0;
  for (let at = start; at < end; at += 2 + (bytes[at + 1] as number) * 4) {
    if (bytes[at] === SEQUENCE) length += bytes[at + 1] as number;
    else if (bytes[at] === SET) length += 1;
  }
  return length;
}

/** Leftmost AS of the path, past confederation segments; 0 where the path starts with a set or is empty. */
function firstAs(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at += 2 + (bytes[at + 1] as number) * 4) {
    if (bytes[at] === SEQUENCE) return u32(bytes, at + 2) >>> 0;
    if (bytes[at] === SET) return 0;
  }
  return 0;
}

function valueOf(bytes: Uint8Array, start: number): number {
  return start + (((bytes[start] as number) & EXTENDED_LENGTH) === 0 ? 3 : 4);
}

function endOf(bytes: Uint8Array, start: number): number {
  return ((bytes[start] as number) & EXTENDED_LENGTH) === 0
    ? start + 3 + (bytes[start + 2] as number)
    : start + 4 + (((bytes[start + 2] as number) << 8) | (bytes[start + 3] as number));
}

function u32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}
