/**
 * NLRI (RFC 4271 §4.3, RFC 7911 §3) read one after another where they stand, without an object for each. Hot
 * (bench/micro/bgp-inbound.ts). `nlri.ts` is the same as values.
 */
import { FAMILIES, type Family, type Negotiated } from './types.ts';

interface Field {
  readonly family: Family;
  readonly at: number;
  readonly end: number;
}

/** Whether every prefix is one of the family and the last one ends where the field does. */
export function isReadableNlri(bytes: Uint8Array, { family, at, end }: Field, session: Negotiated): boolean {
  const bits = FAMILIES[family].version === 4 ? 32 : 128;
  const skipped = session.addPathReceive.includes(family) ? 4 : 0;
  let next = at;
  while (next < end) {
    next += skipped;
    if (next >= end) return false;
    const length = bytes[next] as number;
    if (length > bits) return false;
    next += 1 + ((length + 7) >>> 3);
  }
  return next === end;
}

/**
 * Stands before the first prefix; {@link next} moves to the next one, whose words, length and path id can then be
 * read. The words are signed 32-bit integers in network order; bits beyond the length are cleared (RFC 4271 §4.3).
 */
export class NlriCursor {
  readonly version: 4 | 6;
  length = 0;
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;
  /** 0 where ADD-PATH was not negotiated. */
  pathId = 0;
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #addPath: boolean;
  #at: number;

  /** @param field  one that {@link isReadableNlri} */
  constructor(bytes: Uint8Array, { family, at, end }: Field, session: Negotiated) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
    this.version = FAMILIES[family].version;
    this.#addPath = session.addPathReceive.includes(family);
  }

  next(): boolean {
    if (this.#at >= this.#end) return false;
    if (this.#addPath) {
      this.pathId = this.#word(this.#at, 32) >>> 0;
      this.#at += 4;
    }
    const length = this.#bytes[this.#at] as number;
    const at = this.#at + 1;
    this.length = length;
    this.w0 = this.#word(at, length);
    if (this.version === 6) {
      this.w1 = this.#word(at + 4, length - 32);
      this.w2 = this.#word(at + 8, length - 64);
      this.w3 = this.#word(at + 12, length - 96);
    }
    this.#at = at + ((length + 7) >>> 3);
    return true;
  }

  /** The word at this place, of which only the first `bits` bits are there. */
  #word(at: number, bits: number): number {
    if (bits <= 0) return 0;
    const bytes = this.#bytes;
    let word = (bytes[at] as number) << 24;
    if (bits > 8) word |= (bytes[at + 1] as number) << 16;
    if (bits > 16) word |= (bytes[at + 2] as number) << 8;
    if (bits > 24) word |= bytes[at + 3] as number;
    return bits < 32 ? word & (-1 << (32 - bits)) : word;
  }
}
