/**
 * Reads octets that a stranger sent. It never runs past its end: where octets are missing it answers 0, stays
 * where it is and remembers; the caller asks {@link Reader.overrun} once, after the last read.
 */
export class Reader {
  readonly bytes: Uint8Array;
  readonly end: number;
  /** Offset of the next octet, in `bytes`. */
  at: number;
  #overrun = false;

  /** Reads `bytes[at, end)`. The array is neither copied nor changed. */
  constructor(bytes: Uint8Array, at = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.end = Math.min(end, bytes.length);
    this.at = at;
  }

  get remaining(): number {
    return this.end - this.at;
  }

  /** True once a read has asked for octets that are not there. */
  get overrun(): boolean {
    return this.#overrun;
  }

  u8(): number {
    return this.#has(1) ? this.#octet(this.at++) : 0;
  }

  u16(): number {
    if (!this.#has(2)) return 0;
    const at = this.at;
    this.at = at + 2;
    return (this.#octet(at) << 8) | this.#octet(at + 1);
  }

  u32(): number {
    if (!this.#has(4)) return 0;
    const at = this.at;
    this.at = at + 4;
    return (
      ((this.#octet(at) << 24) |
        (this.#octet(at + 1) << 16) |
        (this.#octet(at + 2) << 8) |
        this.#octet(at + 3)) >>>
      0
    );
  }

  u64(): bigint {
    if (!this.#has(8)) return 0n;
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** A view of the next octets, empty where they are missing. Whoever keeps it must copy it. */
  take(count: number): Uint8Array {
    if (!this.#has(count)) return new Uint8Array(0);
    const at = this.at;
    this.at = at + count;
    return this.bytes.subarray(at, at + count);
  }

  /** A reader of the next octets alone, of none where they are missing; this one moves past them. */
  slice(count: number): Reader {
    if (!this.#has(count)) return new Reader(this.bytes, this.at, this.at);
    const at = this.at;
    this.at = at + count;
    return new Reader(this.bytes, at, at + count);
  }

  #has(count: number): boolean {
    if (this.end - this.at >= count) return true;
    this.#overrun = true;
    return false;
  }

  #octet(at: number): number {
    return this.bytes[at] ?? 0;
  }
}
