/**
 * One IP prefix (CIDR block), IPv4 or IPv6, immutable, host bits always zero. Hot, like {@link Address}.
 */
import { Address, type IpVersion } from './address.ts';

export interface PrefixOptions {
  /** What to do with bits set beyond the length: refuse the text (default), or clear them. */
  readonly hostBits?: 'refuse' | 'mask';
}

export class Prefix {
  /** The first address of the block. */
  readonly address: Address;
  readonly length: number;

  private constructor(network: Address, length: number) {
    this.address = network;
    this.length = length;
  }

  /** `10.0.0.0/8` or `fd00::/64`. The length is required, in decimal without leading zeros. */
  static parse(text: string, options: PrefixOptions = {}): Prefix | undefined {
    const slash = text.indexOf('/');
    if (slash < 0) return undefined;
    const address = Address.parse(text.slice(0, slash));
    const digits = text.slice(slash + 1);
    if (address === undefined || !/^(?:0|[1-9][0-9]{0,2})$/.test(digits)) return undefined;
    const length = Number(digits);
    if (length > address.bits) return undefined;
    const prefix = Prefix.of(address, length);
    return options.hostBits === 'mask' || prefix.address.equals(address) ? prefix : undefined;
  }

  /**
   * The block of this length that holds the address.
   * @throws RangeError when the length is not an integer from 0 to 32 or 128
   */
  static of(address: Address, length: number): Prefix {
    if (!Number.isInteger(length) || length < 0 || length > address.bits) {
      throw new RangeError(`/${length} is not a length of an IPv${address.version} prefix`);
    }
    if (length === address.bits) return new Prefix(address, length);
    if (address.version === 4) return new Prefix(Address.v4(address.w0 & mask(length)), length);
    const network = Address.v6(
      address.w0 & mask(length),
      address.w1 & mask(length - 32),
      address.w2 & mask(length - 64),
      address.w3 & mask(length - 96),
    );
    return new Prefix(network, length);
  }

  /** The /32 or /128 of one address. */
  static host(address: Address): Prefix {
    return new Prefix(address, address.bits);
  }

  get version(): IpVersion {
    return this.address.version;
  }
  get w0(): number {
    return this.address.w0;
  }
  get w1(): number {
    return this.address.w1;
  }
  get w2(): number {
    return this.address.w2;
  }
  get w3(): number {
    return this.address.w3;
  }

  /** True for a /32 or /128. */
  get isHost(): boolean {
    return this.length === this.address.bits;
  }

  /** True for 0.0.0.0/0 and ::/0. */
  get isDefault(): boolean {
    return this.length === 0;
  }

  /** True when every address of the argument lies in this prefix. A prefix contains itself. */
  contains(other: Address | Prefix): boolean {
    if (other instanceof Prefix) return other.length >= this.length && this.covers(other.address);
    return this.covers(other);
  }

  overlaps(other: Prefix): boolean {
    return this.length <= other.length ? this.covers(other.address) : other.covers(this.address);
  }

  equals(other: Prefix): boolean {
    return this.length === other.length && this.address.equals(other.address);
  }

  /** Negative, zero or positive: by version, then address, then length (the wider first). */
  compare(other: Prefix): number {
    return this.address.compare(other.address) || this.length - other.length;
  }

  /** The last address of the block (the broadcast address of an IPv4 subnet). */
  get last(): Address {
    if (this.version === 4) return Address.v4(this.w0 | ~mask(this.length));
    return Address.v6(
      this.w0 | ~mask(this.length),
      this.w1 | ~mask(this.length - 32),
      this.w2 | ~mask(this.length - 64),
      this.w3 | ~mask(this.length - 96),
    );
  }

  /** How many addresses, network and broadcast address included. */
  get size(): bigint {
    return 1n << BigInt(this.address.bits - this.length);
  }

  /** The address at this offset from the first. @throws RangeError beyond the block */
  nth(index: number | bigint): Address {
    if (index < 0 || index >= this.size)
      throw new RangeError(`${this.toString()} has no address number ${index}`);
    return this.address.add(index);
  }

  /** Offset of the address from the first; undefined when it lies outside. */
  indexOf(address: Address): bigint | undefined {
    return this.covers(address) ? address.toBigInt() - this.address.toBigInt() : undefined;
  }

  /** How many blocks of this length fit. @throws RangeError when the length is shorter than this prefix's */
  subnetCount(length: number): bigint {
    if (length < this.length || length > this.address.bits) {
      throw new RangeError(`${this.toString()} cannot be cut into blocks of length ${length}`);
    }
    return 1n << BigInt(length - this.length);
  }

  /** Block number `index` of this length. @throws RangeError beyond the prefix */
  subnet(length: number, index: number | bigint): Prefix {
    if (index < 0 || index >= this.subnetCount(length)) {
      throw new RangeError(`${this.toString()} has no block /${length} number ${index}`);
    }
    const step = 1n << BigInt(this.address.bits - length);
    return new Prefix(this.address.add(BigInt(index) * step), length);
  }

  /** All blocks of this length in order, lazily: a /0 of IPv6 has more than anyone can list. */
  *subnets(length: number): Generator<Prefix, void, void> {
    const count = this.subnetCount(length);
    for (let index = 0n; index < count; index++) yield this.subnet(length, index);
  }

  /** The network address alone, 4 or 16 octets. */
  toBytes(): Uint8Array {
    return this.address.toBytes();
  }

  toString(): string {
    return `${this.address.toString()}/${this.length}`;
  }

  toJSON(): string {
    return this.toString();
  }

  private covers(address: Address): boolean {
    const network = this.address;
    if (network.version !== address.version) return false;
    const length = this.length;
    if (((network.w0 ^ address.w0) & mask(length)) !== 0) return false;
    if (length <= 32) return true;
    return (
      ((network.w1 ^ address.w1) & mask(length - 32)) === 0 &&
      ((network.w2 ^ address.w2) & mask(length - 64)) === 0 &&
      ((network.w3 ^ address.w3) & mask(length - 96)) === 0
    );
  }
}

/** The first `bits` bits of a 32-bit word; below 0 counts as 0, above 32 as 32. */
function mask(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? -1 : -1 << (32 - bits);
}
