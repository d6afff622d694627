/**
 * The routes of the bench: number -> prefix and attribute set, and back, by arithmetic, so that a receiver can tell
 * which prefix it got without a table.
 *
 * IPv4: number n owns the n-th /21 from 16.0.0.0 on (127/8 left out); its prefix begins there and is a /24 mostly, with
 * some /23, /22 and /21, as in the Internet's table. IPv6: the n-th /44 from 2a00::/12, announced as /48 down to /44.
 */
import type { IpVersion } from './plan.ts';

const V4_FIRST = 16 * 2 ** 24;
const V4_LOOPBACK = 127 * 2 ** 24;
const V4_SLOT = 2 ** 11;
const V6_FIRST = 0x2a000000;

/** A well mixed 32-bit value of a number: the same in every run. */
export function mix(n: number): number {
  let h = Math.imul(n ^ (n >>> 16), 0x45d9f3b);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The most a table may hold: IPv4 ends before 224/4. */
export const MAX_ROUTES: Readonly<Record<IpVersion, number>> = { 4: (224 - 17) * 2 ** 13, 6: 2 ** 24 };

/** Writes length and octets of the prefix as NLRI; returns the position after it. */
export function writePrefix(version: IpVersion, n: number, out: Uint8Array, at: number): number {
  return version === 4 ? writeV4(n, out, at) : writeV6(n, out, at);
}

function writeV4(n: number, out: Uint8Array, start: number): number {
  let address = V4_FIRST + n * V4_SLOT;
  if (address >= V4_LOOPBACK) address += 2 ** 24;
  const die = mix(n) % 20;
  const length = die < 12 ? 24 : die < 15 ? 23 : die < 18 ? 22 : 21;
  out[start] = length;
  out[start + 1] = address >>> 24;
  out[start + 2] = address >>> 16;
  out[start + 3] = address >>> 8;
  return start + 4;
}

function writeV6(n: number, out: Uint8Array, start: number): number {
  const die = mix(n) % 20;
  const length = die < 15 ? 48 : die < 17 ? 46 : die < 19 ? 45 : 44;
  // The number fills bits 12 to 43; the four bits after it stay zero.
  const head = V6_FIRST + Math.floor(n / 2 ** 12);
  const tail = (n % 2 ** 12) * 16;
  out[start] = length;
  out[start + 1] = head >>> 24;
  out[start + 2] = head >>> 16;
  out[start + 3] = head >>> 8;
  out[start + 4] = head;
  out[start + 5] = tail >>> 8;
  out[start + 6] = tail;
  return start + 7;
}

/** The number behind an IPv4 prefix, from the first three octets of its address. */
export function numberOfV4(a: number, b: number, c: number): number {
  const address = a * 2 ** 24 + (b << 16) + (c << 8);
  return (address - (a >= 128 ? V4_FIRST + 2 ** 24 : V4_FIRST)) / V4_SLOT;
}

/** The number behind an IPv6 prefix: its six octets from `at`. */
export function numberOfV6(octets: Uint8Array, at: number): number {
  const low = ((octets[at + 2] ?? 0) << 8) | (octets[at + 3] ?? 0);
  const tail = ((octets[at + 4] ?? 0) << 4) | ((octets[at + 5] ?? 0) >>> 4);
  return (
    ((((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0)) - (V6_FIRST >>> 16)) * 2 ** 28 + low * 2 ** 12 + tail
  );
}

/** What the attribute set with this number says; every number another set. */
export interface AttributeSet {
  /** Without the sender's own AS. */
  readonly path: readonly number[];
  readonly med: number | undefined;
  readonly communities: readonly number[];
  readonly largeCommunities: readonly (readonly [number, number, number])[];
}

/** Origin AS of the round-th table of a churn: what a receiver knows the last round by. */
export function roundOrigin(round: number): number {
  return 4_200_000_000 + round;
}

export function attributeSet(set: number, round: number): AttributeSet {
  const die = mix(set + 0x9e3779b9);
  const transit = Array.from({ length: 1 + (die % 4) }, (_, i) => 1000 + (mix(set * 5 + i) % 60_000));
  const communities = Array.from({ length: (die >>> 4) % 6 }, (_, i) => 0x0d1c0000 + (mix(set + i) % 4096));
  return {
    path: [...transit.filter((asn) => asn !== TARGET_ASN), roundOrigin(round)],
    med: (die >>> 8) % 4 === 0 ? (die >>> 12) % 1000 : undefined,
    // The first is the set's own, so that no two sets are equal.
    communities: [0x10000000 + set, ...communities],
    largeCommunities: (die >>> 16) % 10 === 0 ? [[4_200_000_000, 1, set]] : [],
  };
}

/** The AS of every target; no path through it is announced. */
export const TARGET_ASN = 65_000;
