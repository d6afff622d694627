/**
 * What a receiver knows: one bit for each prefix it waits for. UPDATEs are read by a scanner that looks at NLRI and,
 * where a round counts, at the end of the AS path; nothing is kept of the rest.
 */
import { HEADER } from './encode.ts';
import type { IpVersion } from './plan.ts';
import { numberOfV4, numberOfV6, roundOrigin } from './routes.ts';

const MP_REACH = 14;
const MP_UNREACH = 15;
const AS_PATH = 2;
const EXTENDED = 0x10;

export class Tally {
  /** Prefixes of the range that are there. */
  present = 0;
  /** NLRI entries read, announcements and withdrawals, of any prefix. */
  entries = 0;
  /** End-of-RIB has been seen. */
  ended = false;
  readonly #version: IpVersion;
  readonly #first: number;
  readonly #count: number;
  readonly #bits: Uint8Array;
  #origin: number | undefined;

  constructor(version: IpVersion, first: number, count: number) {
    this.#version = version;
    this.#first = first;
    this.#count = count;
    this.#bits = new Uint8Array(count);
  }

  has(n: number): boolean {
    return this.#bits[n - this.#first] === 1;
  }

  /** From now on only announcements of this round of a churn count as there; the count begins anew. */
  countRound(round: number): void {
    this.#origin = roundOrigin(round);
    this.#bits.fill(0);
    this.present = 0;
  }

  /** One whole UPDATE, its header included, at `start` to `end` of `octets`. */
  update(octets: Uint8Array, start: number, end: number): void {
    const withdrawn = start + HEADER + 2;
    const afterWithdrawn = withdrawn + u16(octets, withdrawn - 2);
    const attributes = afterWithdrawn + 2;
    const nlri = attributes + u16(octets, afterWithdrawn);
    if (nlri === end && afterWithdrawn === withdrawn && this.#version === 4 && nlri === attributes)
      this.ended = true;
    if (afterWithdrawn > withdrawn) this.#run(octets, withdrawn, afterWithdrawn, 0);
    if (this.#version === 4 && this.#origin === undefined) {
      if (nlri < end) this.#runV4(octets, nlri, end, 1);
    } else this.#attributes(octets, attributes, nlri, end);
  }

  #attributes(octets: Uint8Array, from: number, to: number, end: number): void {
    let counts = this.#origin === undefined ? 1 : 0;
    let reachFrom = 0;
    let reachTo = 0;
    for (let at = from; at < to; ) {
      const extended = ((octets[at] ?? 0) & EXTENDED) !== 0;
      const type = octets[at + 1];
      const value = at + (extended ? 4 : 3);
      const next = value + (extended ? u16(octets, at + 2) : (octets[at + 2] ?? 0));
      if (type === AS_PATH && this.#origin !== undefined)
        counts = endsWith(octets, next, this.#origin) ? 1 : 0;
      else if (type === MP_REACH) {
        reachFrom = value + 5 + (octets[value + 3] ?? 0);
        reachTo = next;
      } else if (type === MP_UNREACH) {
        if (next === value + 3) this.ended = true;
        else this.#run(octets, value + 3, next, 0);
      }
      at = next;
    }
    if (reachTo > reachFrom) this.#run(octets, reachFrom, reachTo, counts);
    if (to < end) this.#run(octets, to, end, counts);
  }

  #run(octets: Uint8Array, from: number, to: number, present: number): void {
    if (this.#version === 4) this.#runV4(octets, from, to, present);
    else this.#runV6(octets, from, to, present);
  }

  #runV4(octets: Uint8Array, from: number, to: number, present: number): void {
    let at = from;
    while (at < to) {
      const length = octets[at] ?? 0;
      if (length > 16)
        this.#mark(numberOfV4(octets[at + 1] ?? 0, octets[at + 2] ?? 0, octets[at + 3] ?? 0), present);
      at += 1 + ((length + 7) >>> 3);
    }
  }

  #runV6(octets: Uint8Array, from: number, to: number, present: number): void {
    let at = from;
    while (at < to) {
      const length = octets[at] ?? 0;
      if (length > 40) this.#mark(numberOfV6(octets, at + 1), present);
      at += 1 + ((length + 7) >>> 3);
    }
  }

  #mark(n: number, present: number): void {
    this.entries++;
    const bit = n - this.#first;
    if (bit < 0 || bit >= this.#count) return;
    this.present += present - (this.#bits[bit] ?? 0);
    this.#bits[bit] = present;
  }
}

function u16(octets: Uint8Array, at: number): number {
  return ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
}

function endsWith(octets: Uint8Array, end: number, asn: number): boolean {
  return u16(octets, end - 4) * 0x10000 + u16(octets, end - 2) === asn;
}
