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

/** The four words of an IPv6 address in any form of RFC 4291 §2.2, or undefined. */
export function parseV6(text: string): [number, number, number, number] | undefined {
  if (text.length > 45) return undefined;
  const gap = text.indexOf('::');
  if (gap < 0) {
    const groups = parseGroups(text, true);
    return groups?.length === 8 ? pack(groups) : undefined;
  }
  if (text.includes('::', gap + 1)) return undefined;
  const head = parseGroups(text.slice(0, gap), false);
  const tail = parseGroups(text.slice(gap + 2), true);
  // "::" stands for at least one group (RFC 4291 §2.2); eight written groups leave it none.
  if (head === undefined || tail === undefined || head.length + tail.length > 7) return undefined;
  return pack([...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail]);
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
const DOT = 46;

/** `embedded`: the last group may be an IPv4 address (RFC 4291 §2.2 form 3), worth two groups. */
function parseGroups(text: string, embedded: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (embedded && index === parts.length - 1 && part.includes('.')) {
      const word = parseV4(part);
      if (word === undefined) return undefined;
      groups.push(word >>> 16, word & 0xffff);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups.length <= 8 ? groups : undefined;
}

function pack(groups: readonly number[]): [number, number, number, number] {
  const word = (at: number): number => ((groups[at] ?? 0) << 16) | (groups[at + 1] ?? 0);
  return [word(0), word(2), word(4), word(6)];
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
