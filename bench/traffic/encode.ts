/** Routes as octets, made before the clock runs: the bench's own encoder, which shares nothing with the one it measures. */
import type { IpVersion, RouteRange } from './plan.ts';
import { attributeSet, writePrefix } from './routes.ts';

export const HEADER = 19;
const MAX_MESSAGE = 4096;

export interface Sender {
  readonly version: IpVersion;
  readonly asn: number;
  /** The same AS as the target's. */
  readonly internal: boolean;
  /** Octets of the address. */
  readonly nextHop: Uint8Array;
}

/** The whole table as one run of UPDATEs. Sets follow each other in a scrambled order; the prefixes of a set do not. */
export function encodeTable(sender: Sender, range: RouteRange, round = 0): Uint8Array {
  const sets = Math.ceil(range.count / range.perSet);
  const stride = coprimeStride(sets);
  const out = new Growing(range.count * 8 + sets * 128);
  for (let k = 0; k < sets; k++) {
    const set = (k * stride) % sets;
    const from = range.first + set * range.perSet;
    const to = Math.min(from + range.perSet, range.first + range.count);
    encodeUpdate(out, sender, range.first + set, round, from, to);
  }
  return out.octets();
}

/** One UPDATE that announces prefixes `from` to `to` (exclusive) with the attributes of `set`. */
export function encodeOne(sender: Sender, set: number, from: number, to: number): Uint8Array {
  const out = new Growing(MAX_MESSAGE);
  encodeUpdate(out, sender, set, 0, from, to);
  return out.octets();
}

/** The fewest UPDATEs that withdraw `count` prefixes from `first` on. */
export function encodeWithdrawals(version: IpVersion, first: number, count: number): Uint8Array {
  const room = version === 4 ? 1000 : 500;
  const out = new Growing(count * 8);
  for (let n = first; n < first + count; n += room)
    encodeWithdrawal(out, version, n, Math.min(n + room, first + count));
  return out.octets();
}

function encodeWithdrawal(out: Growing, version: IpVersion, from: number, to: number): void {
  const start = out.open(2);
  if (version === 4) {
    const length = out.hold16();
    for (let n = from; n < to; n++) out.prefix(4, n);
    out.settle16(length);
    out.u16(0);
  } else {
    out.u16(0);
    const attributes = out.hold16();
    out.u8s([0x90, 15]);
    const value = out.hold16();
    out.u8s([0, 2, 1]);
    for (let n = from; n < to; n++) out.prefix(6, n);
    out.settle16(value);
    out.settle16(attributes);
  }
  out.close(start);
}

function encodeUpdate(
  out: Growing,
  sender: Sender,
  set: number,
  round: number,
  from: number,
  to: number,
): void {
  const start = out.open(2);
  out.u16(0);
  const attributes = out.hold16();
  encodeAttributes(out, sender, set, round);
  if (sender.version === 6) encodeReach(out, sender, from, to);
  out.settle16(attributes);
  if (sender.version === 4) for (let n = from; n < to; n++) out.prefix(4, n);
  out.close(start);
}

function encodeAttributes(out: Growing, sender: Sender, set: number, round: number): void {
  const { path, med, communities, largeCommunities } = attributeSet(set, round);
  const asns = sender.internal ? path : [sender.asn, ...path];
  out.u8s([0x40, 1, 1, 0]);
  out.u8s([0x40, 2, 2 + 4 * asns.length, 2, asns.length]);
  for (const asn of asns) out.u32(asn);
  if (sender.version === 4) {
    out.u8s([0x40, 3, 4]);
    out.u8s(sender.nextHop);
  }
  if (med !== undefined) {
    out.u8s([0x80, 4, 4]);
    out.u32(med);
  }
  if (sender.internal) {
    out.u8s([0x40, 5, 4]);
    out.u32(100);
  }
  out.u8s([0xc0, 8, 4 * communities.length]);
  for (const community of communities) out.u32(community);
  if (largeCommunities.length === 0) return;
  out.u8s([0xc0, 32, 12 * largeCommunities.length]);
  for (const parts of largeCommunities) for (const part of parts) out.u32(part);
}

function encodeReach(out: Growing, { nextHop }: Sender, from: number, to: number): void {
  const value = out.attribute(0x80, 14);
  out.u16(2);
  out.u8s([1, 16]);
  out.u8s(nextHop);
  out.u8(0);
  for (let n = from; n < to; n++) out.prefix(6, n);
  out.settle8(value);
}

/** A step that visits every one of `count` sets once, far apart. */
function coprimeStride(count: number): number {
  let stride = Math.max(1, Math.floor(count * 0.618));
  while (gcd(stride, count) !== 1) stride++;
  return stride;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/** Octets written one after the other. Lengths are held open and settled when they are known. */
export class Growing {
  #bytes: Uint8Array;
  #at = 0;

  constructor(size: number) {
    this.#bytes = new Uint8Array(Math.max(size, MAX_MESSAGE));
  }

  /** A message header whose length is settled by {@link close}. */
  open(type: number): number {
    if (this.#at + MAX_MESSAGE > this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    const start = this.#at;
    this.#bytes.fill(0xff, start, start + 16);
    this.#bytes[start + 18] = type;
    this.#at = start + HEADER;
    return start;
  }

  close(start: number): void {
    const length = this.#at - start;
    if (length > MAX_MESSAGE) throw new RangeError(`a message of ${length} octets`);
    this.#bytes[start + 16] = length >>> 8;
    this.#bytes[start + 17] = length;
  }

  u8(value: number): void {
    this.#bytes[this.#at++] = value;
  }

  u8s(values: Iterable<number>): void {
    for (const value of values) this.u8(value);
  }

  u16(value: number): void {
    this.u8(value >>> 8);
    this.u8(value);
  }

  u32(value: number): void {
    this.u16(value >>> 16);
    this.u16(value & 0xffff);
  }

  prefix(version: IpVersion, n: number): void {
    this.#at = writePrefix(version, n, this.#bytes, this.#at);
  }

  /** The head of an attribute whose length of one octet is settled later. */
  attribute(flags: number, type: number): number {
    this.u8s([flags, type, 0]);
    return this.#at;
  }

  settle8(from: number): void {
    const length = this.#at - from;
    if (length > 255) throw new RangeError(`an attribute of ${length} octets needs the extended length`);
    this.#bytes[from - 1] = length;
  }

  hold16(): number {
    this.u16(0);
    return this.#at;
  }

  settle16(from: number): void {
    const length = this.#at - from;
    this.#bytes[from - 2] = length >>> 8;
    this.#bytes[from - 1] = length;
  }

  octets(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }
}
