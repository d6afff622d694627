/**
 * One IP address, IPv4 or IPv6, immutable. Hot: bgpd holds millions, so the value is four signed 32-bit
 * integers that V8 stores unboxed, and no operation on the fast path touches a bigint.
 */
import { formatV4, formatV6, parseV4, parseV6 } from './text.ts';

export type IpVersion = 4 | 6;

export class Address {
  readonly version: IpVersion;
  private readonly i0: number;
  private readonly i1: number;
  private readonly i2: number;
  private readonly i3: number;

  private constructor(version: IpVersion, i0: number, i1: number, i2: number, i3: number) {
    this.version = version;
    this.i0 = i0;
    this.i1 = i1;
    this.i2 = i2;
    this.i3 = i3;
  }

  /** Strict: no leading zeros in IPv4, no zone, no brackets, no surrounding space. */
  static parse(text: string): Address | undefined {
    if (!text.includes(':')) {
      const word = parseV4(text);
      return word === undefined ? undefined : new Address(4, word, 0, 0, 0);
    }
    const words = parseV6(text);
    return words === undefined ? undefined : new Address(6, words[0], words[1], words[2], words[3]);
  }

  /**
   * @param bytes 4 or 16 octets in network order; copied, not kept
   * @throws RangeError on any other length
   */
  static fromBytes(bytes: Uint8Array): Address {
    if (bytes.length === 4) return new Address(4, wordAt(bytes, 0), 0, 0, 0);
    if (bytes.length !== 16) throw new RangeError(`an address has 4 or 16 octets, not ${bytes.length}`);
    return new Address(6, wordAt(bytes, 0), wordAt(bytes, 4), wordAt(bytes, 8), wordAt(bytes, 12));
  }

  /** IPv4 address of a 32-bit number in network order; bits above 32 are dropped. */
  static v4(word: number): Address {
    return new Address(4, word | 0, 0, 0, 0);
  }

  /** IPv6 address of four 32-bit words in network order; bits above 32 are dropped. */
  static v6(w0: number, w1: number, w2: number, w3: number): Address {
    return new Address(6, w0 | 0, w1 | 0, w2 | 0, w3 | 0);
  }

  /** @throws RangeError when the value does not fit the version */
  static fromBigInt(version: IpVersion, value: bigint): Address {
    const bits = version === 4 ? 32 : 128;
    if (value < 0n || value >> BigInt(bits) !== 0n)
      throw new RangeError(`${value} is not an IPv${version} address`);
    if (version === 4) return Address.v4(Number(value));
    const word = (shift: bigint): number => Number((value >> shift) & 0xffff_ffffn);
    return Address.v6(word(96n), word(64n), word(32n), word(0n));
  }

  /** Words as unsigned 32-bit integers in network order. IPv4 uses `w0`; the others are then 0. */
  get w0(): number {
    return this.i0 >>> 0;
  }
  get w1(): number {
    return this.i1 >>> 0;
  }
  get w2(): number {
    return this.i2 >>> 0;
  }
  get w3(): number {
    return this.i3 >>> 0;
  }

  /** 32 or 128. */
  get bits(): number {
    return this.version === 4 ? 32 : 128;
  }

  get isUnspecified(): boolean {
    return (this.i0 | this.i1 | this.i2 | this.i3) === 0;
  }

  /** 127.0.0.0/8 or ::1. */
  get isLoopback(): boolean {
    if (this.version === 4) return this.i0 >>> 24 === 127;
    return (this.i0 | this.i1 | this.i2) === 0 && this.i3 === 1;
  }

  /** 224.0.0.0/4 or ff00::/8. */
  get isMulticast(): boolean {
    return this.version === 4 ? this.i0 >>> 28 === 0xe : this.i0 >>> 24 === 0xff;
  }

  /** 169.254.0.0/16 or fe80::/10. */
  get isLinkLocal(): boolean {
    return this.version === 4 ? this.i0 >>> 16 === 0xa9fe : this.i0 >>> 22 === 0x3fa;
  }

  equals(other: Address): boolean {
    return (
      this.i0 === other.i0 &&
      this.version === other.version &&
      this.i1 === other.i1 &&
      this.i2 === other.i2 &&
      this.i3 === other.i3
    );
  }

  /** Negative, zero or positive: IPv4 before IPv6, then by value. */
  compare(other: Address): number {
    return (
      this.version - other.version ||
      this.w0 - other.w0 ||
      this.w1 - other.w1 ||
      this.w2 - other.w2 ||
      this.w3 - other.w3
    );
  }

  /** @throws RangeError when the sum leaves the address space */
  add(offset: number | bigint): Address {
    if (this.version === 4 && typeof offset === 'number') {
      const sum = this.w0 + offset;
      if (!Number.isInteger(sum) || sum < 0 || sum > 0xffff_ffff) {
        throw new RangeError(`${this.toString()} + ${offset} is not an IPv4 address`);
      }
      return Address.v4(sum);
    }
    return Address.fromBigInt(this.version, this.toBigInt() + BigInt(offset));
  }

  /**
   * Bit `index` counted from the most significant, 0 to 31 or 0 to 127.
   * Words past the address read as 0, so a trie may ask without checking.
   */
  bit(index: number): 0 | 1 {
    return ((wordOf(index >>> 5, this.i0, this.i1, this.i2, this.i3) >>> (31 - (index & 31))) & 1) as 0 | 1;
  }

  /** 4 or 16 octets in network order, in a new array. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(this.version === 4 ? 4 : 16);
    putWord(bytes, 0, this.i0);
    if (this.version === 6) {
      putWord(bytes, 4, this.i1);
      putWord(bytes, 8, this.i2);
      putWord(bytes, 12, this.i3);
    }
    return bytes;
  }

  /** @throws RangeError for IPv6, which does not fit a number */
  toNumber(): number {
    if (this.version === 6) throw new RangeError('an IPv6 address is no number; use toBigInt');
    return this.w0;
  }

  toBigInt(): bigint {
    if (this.version === 4) return BigInt(this.w0);
    return (BigInt(this.w0) << 96n) | (BigInt(this.w1) << 64n) | (BigInt(this.w2) << 32n) | BigInt(this.w3);
  }

  /** Canonical text, RFC 5952 for IPv6. */
  toString(): string {
    return this.version === 4 ? formatV4(this.i0) : formatV6(this.i0, this.i1, this.i2, this.i3);
  }

  toJSON(): string {
    return this.toString();
  }
}

function wordOf(index: number, i0: number, i1: number, i2: number, i3: number): number {
  if (index === 0) return i0;
  if (index === 1) return i1;
  if (index === 2) return i2;
  return index === 3 ? i3 : 0;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)
  );
}

function putWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
}
