/** UPDATEs to feed a speaker with, and a count of what it says, cheap enough to stay out of the measurement. */
import { Address, Prefix } from '../../net/addr/index.ts';
import { encodeUpdates } from '../../bgpd/wire/index.ts';
import { settled } from '../one-sender.ts';

const FAMILY = 'ipv4-unicast';

export interface Announcements {
  /** Number of the first prefix. */
  readonly from: number;
  readonly count: number;
  readonly perSet: number;
  /** The order in which prefixes are told, by number; one of equal attributes then travels alone. */
  readonly prefixes: readonly number[] | undefined;
  /** First AS of the path; undefined: an internal peer's, with an empty path. */
  readonly asn: number | undefined;
  readonly nextHop: number;
}

export function announcements(what: Announcements): Uint8Array {
  const { from, count, perSet, prefixes } = what;
  const parts: Uint8Array[] = [];
  if (prefixes === undefined)
    for (let n = from; n < from + count; n += perSet)
      parts.push(...announce(what, n, Math.min(perSet, from + count - n)));
  else for (const n of prefixes) parts.push(...announce(what, from + n, 1));
  return joined(parts);
}

function announce({ asn, nextHop, perSet }: Announcements, first: number, count: number): Uint8Array[] {
  const set = Math.floor(first / perSet);
  const nlri = Array.from({ length: count }, (_, i) => ({ prefix: prefixOf(first + i) }));
  const asns = [...(asn === undefined ? [] : [asn]), 3356, (set % 4000) + 1, 100_000 + set];
  const attributes = {
    origin: 'IGP',
    asPath: [{ type: 'sequence', asns }],
    communities: [65001 * 65536 + (set % 1000), 65001 * 65536 + 7],
    ...(asn === undefined ? { localPref: 100 } : { med: set % 100 }),
  } as const;
  const reach = [{ family: FAMILY, nextHop: { address: Address.v4(nextHop) }, nlri }] as const;
  return encodeUpdates(
    { type: 'update', unreach: [], reach, attributes },
    settled(FAMILY, asn === undefined),
  );
}

export function withdrawals(from: number, count: number): Uint8Array {
  const nlri = Array.from({ length: count }, (_, i) => ({ prefix: prefixOf(from + i) }));
  const unreach = [{ family: FAMILY, nlri }] as const;
  return joined(
    encodeUpdates({ type: 'update', unreach, reach: [], attributes: undefined }, settled(FAMILY)),
  );
}

function prefixOf(n: number): Prefix {
  return Prefix.of(Address.v4(0x14000000 + n * 256), 24);
}

/** The numbers below `count` in an order that is the same every time and nobody's. */
export function shuffled(count: number): readonly number[] {
  const numbers = Array.from({ length: count }, (_, n) => n);
  let state = 1;
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    const other = state % (i + 1);
    [numbers[i], numbers[other]] = [numbers[other] as number, numbers[i] as number];
  }
  return numbers;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Counts IPv4 prefixes in a stream of messages. A piece may hold several messages; none spans pieces. */
export class NlriCount {
  announced = 0;
  withdrawn = 0;
  messages = 0;
  octets = 0;
  writes = 0;

  push(piece: Uint8Array): void {
    this.writes++;
    this.octets += piece.length;
    for (let at = 0; at < piece.length; at += u16(piece, at + 16)) this.#message(piece, at);
  }

  #message(piece: Uint8Array, at: number): void {
    this.messages++;
    if (piece[at + 18] !== 2) return;
    const end = at + u16(piece, at + 16);
    const withdrawnEnd = at + 21 + u16(piece, at + 19);
    this.withdrawn += countNlri(piece, at + 21, withdrawnEnd);
    this.announced += countNlri(piece, withdrawnEnd + 2 + u16(piece, withdrawnEnd), end);
  }

  toString(): string {
    return `announced ${this.announced}, withdrawn ${this.withdrawn}, ${this.messages} messages, ${this.octets} octets`;
  }
}

function countNlri(octets: Uint8Array, from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; at += 1 + (((octets[at] ?? 0) + 7) >>> 3)) count++;
  return count;
}

function u16(octets: Uint8Array, at: number): number {
  return ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
}
