/**
 * Text of IP addresses to 32-bit words and back. Strict where operating systems disagree: no leading
 * zeros in IPv4 (010 is 8 to some, 10 to others), no missing octets, no zones, no spaces.
 *
 * Words are signed 32-bit integers in network order, because V8 keeps those unboxed; IPv4 uses the first.
 */

/** First word of an IPv4 address, or undefined when the text is anything but four decimal octets. */
export function parseV4(text: string): number | undefined {
  let word = 0;
  let octets = 0;
  let value = -1;
  if (text.length > 15) return undefined;
  for (let i = 0; i <= text.length; i++) {
    const code = i === text.length ? DOT : text.charCodeAt(i);
    if (code === DOT) {
      if (value < 0 || octets === 4) return undefined;
      word = (word << 8) | value;
      octets++;
      value = -1;
      continue;
    }
    const digit = code - ZERO;
    if (digit < 0 || digit > 9 || value === 0) return undefined;
    value = value < 0 ? digit : value * 10 + digit;
    if (value > 255) return undefined;
  }
  return octets === 4 ? word : undefined;
}

/** Of {@link parseV6}, between two calls of which nobody looks. */
const groups = new Uint16Array(8);

/**
 * The four words of an IPv6 address in any form of RFC 4291 §2.2, or undefined. In one go over the text, and without
 * parts of it: a node that starts reads tens of thousands.
 */
export function parseV6(text: string): [number, number, number, number] | undefined {
  const { length } = text;
  if (length > 45) return undefined;
  /** Groups before "::"; negative: there is none. */
  let gap = text.startsWith('::') ? 0 : -1;
  let at = gap === 0 ? 2 : 0;
  let count = 0;
  while (at < length) {
    const start = at;
    let value = 0;
    let digit = hexDigit(text.charCodeAt(at));
    while (digit >= 0) {
      value = (value << 4) | digit;
      digit = hexDigit(text.charCodeAt(++at));
    }
    if (at === start || at - start > 4 || count === 8) return undefined;
    if (text.charCodeAt(at) === DOT) {
      // The last may be an IPv4 address (form 3), worth two groups.
      const word = parseV4(text.slice(start));
      if (word === undefined || count > 6) return undefined;
      groups[count++] = word >>> 16;
      groups[count++] = word & 0xffff;
      break;
    }
    groups[count++] = value;
    if (at === length) break;
    if (text.charCodeAt(at) !== COLON || ++at === length) return undefined;
    if (text.charCodeAt(at) !== COLON) continue;
    if (gap >= 0) return undefined;
    gap = count;
    at++;
  }
  if (gap < 0) return count === 8 ? pack() : undefined;
  // "::" stands for at least one group (RFC 4291 §2.2); eight written groups leave it none.
  if (count > 7) return undefined;
  groups.copyWithin(8 - count + gap, gap, count);
  groups.fill(0, gap, 8 - count + gap);
  return pack();
}

export function formatV4(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

/** RFC 5952 §4: lower case, no leading zeros, the longest (first) run of two or more zero groups as "::". */
export function formatV6(w0: number, w1: number, w2: number, w3: number): string {
  // RFC 5952 §5: addresses known to carry IPv4 show it. Only the mapped prefix is beyond doubt.
  if (w0 === 0 && w1 === 0 && w2 === 0xffff) return `::ffff:${formatV4(w3)}`;
  const groups = [
    w0 >>> 16,
    w0 & 0xffff,
    w1 >>> 16,
    w1 & 0xffff,
    w2 >>> 16,
    w2 & 0xffff,
    w3 >>> 16,
    w3 & 0xffff,
  ];
  const run = longestZeroRun(groups);
  if (run.length < 2) return hex(groups);
  return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`;
}

const ZERO = 48;
const NINE = 57;
const DOT = 46;
const COLON = 58;
const LOWER_A = 97;
const LOWER_F = 102;

/** -1 where it is none, as behind the end of a text. */
function hexDigit(code: number): number {
  if (code >= ZERO && code <= NINE) return code - ZERO;
  const letter = code | 0x20;
  return letter >= LOWER_A && letter <= LOWER_F ? letter - LOWER_A + 10 : -1;
}

function pack(): [number, number, number, number] {
  return [wordAt(0), wordAt(2), wordAt(4), wordAt(6)];
}

function wordAt(group: number): number {
  return ((groups[group] ?? 0) << 16) | (groups[group + 1] ?? 0);
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (groups[end] === 0) end++;
    if (end - start > best.length) best = { start, length: end - start };
    start = Math.max(start, end);
  }
  return best;
}

function hex(groups: readonly number[]): string {
  return groups.map((group) => group.toString(16)).join(':');
}
