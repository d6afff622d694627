/** Prefixes with ranges of lengths: one compared directly, a long list through an index by length and network. */
import { Prefix } from '../../net/addr/index.ts';
import type { PrefixMatch, PrefixRange } from './model.ts';

export function matchesPrefix(match: PrefixMatch, prefix: Prefix): boolean {
  switch (match.operator) {
    case 'Equal':
      return isEqual(match, prefix);
    case 'NotEqual':
      return !isEqual(match, prefix);
    case 'In':
      return isIn(match, prefix);
    case 'NotIn':
      return !isIn(match, prefix);
  }
}

function isEqual(match: PrefixRange, prefix: Prefix): boolean {
  return prefix.equals(match.cidr) && lengthFits(match, prefix);
}

function isIn(match: PrefixRange, prefix: Prefix): boolean {
  return prefix.version === match.cidr.version && match.cidr.contains(prefix) && lengthFits(match, prefix);
}

function lengthFits({ minLength = 0, maxLength = 128 }: PrefixRange, { length }: Prefix): boolean {
  return length >= minLength && length <= maxLength;
}

/** Below this, comparing with each is as quick as looking up. */
const INDEX_FROM = 8;

/** True for a prefix that lies in at least one of the ranges. */
export function prefixTest(ranges: readonly PrefixRange[]): (prefix: Prefix) => boolean {
  if (ranges.length < INDEX_FROM) return (prefix) => ranges.some((range) => isIn(range, prefix));
  const index = new PrefixList(ranges);
  return (prefix) => index.holds(prefix);
}

/** Per version and length of network: the networks. A lookup costs one probe for each length that the list has. */
class PrefixList {
  readonly #lengths = new Map<number, Map<string, PrefixRange[]>>();

  constructor(ranges: readonly PrefixRange[]) {
    for (const range of ranges) {
      const lane = laneOf(range.cidr.version, range.cidr.length);
      const networks = this.#lengths.get(lane) ?? new Map<string, PrefixRange[]>();
      this.#lengths.set(lane, networks);
      const key = keyOf(range.cidr);
      const same = networks.get(key);
      if (same === undefined) networks.set(key, [range]);
      else same.push(range);
    }
  }

  holds(prefix: Prefix): boolean {
    for (const [lane, networks] of this.#lengths) {
      const length = lane >> 1;
      if (laneOf(prefix.version, length) !== lane || length > prefix.length) continue;
      const found = networks.get(keyOf(Prefix.of(prefix.address, length)));
      if (found?.some((range) => lengthFits(range, prefix)) === true) return true;
    }
    return false;
  }
}

function laneOf(version: 4 | 6, length: number): number {
  return (length << 1) | (version === 6 ? 1 : 0);
}

function keyOf({ w0, w1, w2, w3, version }: Prefix): string {
  return version === 4 ? `${w0}` : `${w0} ${w1} ${w2} ${w3}`;
}
