/** Builds octets; grows as needed. Numbers are taken modulo their width. */
export class Writer {
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.#grow(2);
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
    return this;
  }

  u32(value: number): this {
    const at = this.#grow(4);
    const bytes = this.#bytes;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
    return this;
  }

  u64(value: bigint): this {
    return this.u32(Number((value >> 32n) & 0xffff_ffffn)).u32(Number(value & 0xffff_ffffn));
  }

  put(octets: Uint8Array): this {
    // Growing replaces the buffer, so it comes first.
    const at = this.#grow(octets.length);
    this.#bytes.set(octets, at);
    return this;
  }

  /** As {@link put} of a stretch of octets; for short ones, for which a view of them costs more than to copy them. */
  copy(octets: Uint8Array, from: number, to: number): this {
    let at = this.#grow(to - from);
    const bytes = this.#bytes;
    for (let i = from; i < to; i++) bytes[at++] = octets[i] as number;
    return this;
  }

  /** Overwrites octets written before: for lengths known only afterwards. */
  patch8(at: number, value: number): void {
    this.#bytes[at] = value;
  }

  patch16(at: number, value: number): void {
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
  }

  /** Moves what was written from `at` on, to make room for `count` octets there. */
  insert(at: number, count: number): void {
    const end = this.#grow(count);
    this.#bytes.copyWithin(at + count, at, end);
  }

  /** What was written, as it lies: valid until the next write. */
  view(): Uint8Array {
    return this.#bytes;
  }

  /** Forgets what was written behind the first `length` octets. */
  truncate(length: number): this {
    this.#length = Math.min(length, this.#length);
    return this;
  }

  /** Forgets what was written and keeps the space. */
  reset(): this {
    this.#length = 0;
    return this;
  }

  /** What was written, as a copy. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #grow(count: number): number {
    const at = this.#length;
    this.#length = at + count;
    if (this.#length > this.#bytes.length) {
      const bigger = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      bigger.set(this.#bytes);
      this.#bytes = bigger;
    }
    return at;
  }
}
