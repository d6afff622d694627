/**
 * What the RFCs make of one UPDATE, worked out a second time: written from RFC 4271 §4.3 and §6.3, 4760, 6793, 7606
 * and 7607 and sharing nothing with `bgpd/wire`, so that the two can be held against each other. Slow and plain.
 */

export interface Verdict {
  /** The strongest that the message calls for. Codes: any of these may be in the NOTIFICATION. */
  readonly outcome: 'accept' | 'withdraw' | { readonly reset: readonly string[] };
  /**
   * Prefixes that end; prefixes that stand, with their attributes as text. One that is in MP_REACH_NLRI and in the NLRI
   * field at once, which no RFC orders, may have either.
   */
  readonly withdrawn: readonly string[];
  readonly announced: ReadonlyMap<string, readonly string[]>;
}

export interface Session {
  readonly internal: boolean;
  readonly fourOctets: boolean;
  /** IP versions whose unicast family was negotiated. */
  readonly versions: readonly (4 | 6)[];
}

/** A part of the message, by offsets. */
interface Span {
  readonly from: number;
  readonly to: number;
}

interface Attribute extends Span {
  readonly flags: number;
  readonly code: number;
}

const OPTIONAL = 0x80;
const TRANSITIVE = 0x40;
const AIGP = 26;
/** Codes with the Optional and Transitive bits that the registry gives them. */
const FLAGS = new Map<number, number>([
  ...[1, 2, 3, 5, 6].map((code) => [code, TRANSITIVE] as const),
  ...[7, 8, 16, 17, 18, 32].map((code) => [code, OPTIONAL | TRANSITIVE] as const),
  ...[4, 9, 10, 14, 15].map((code) => [code, OPTIONAL] as const),
]);

type Finding = 'discard' | 'withdraw' | `reset ${string}`;

/** Reads the message; `bytes` starts with its header, which is known to be sound. */
export function judgeUpdate(bytes: Uint8Array, session: Session): Verdict {
  return new Judge(bytes, session).verdict();
}

class Judge {
  readonly #bytes: Uint8Array;
  readonly #session: Session;
  readonly #findings: Finding[] = [];
  readonly #values = new Map<number, string>();
  readonly #seen = new Set<number>();
  readonly #reach: { readonly prefix: string; readonly hop: string }[] = [];
  readonly #unreach: string[] = [];
  readonly #unknown: string[] = [];
  #mpReachOctets: number | undefined;
  #framing = false;
  #aggregatorAs: number | undefined;
  #as4Aggregator: string | undefined;
  #path: Segment[] = [];
  #as4Path: Segment[] | undefined;

  constructor(bytes: Uint8Array, session: Session) {
    this.#bytes = bytes;
    this.#session = session;
  }

  verdict(): Verdict {
    const end = this.#bytes.length;
    const withdrawnEnd = 21 + this.#u16(19);
    if (withdrawnEnd + 2 > end) return reset('3/1');
    const attributesEnd = withdrawnEnd + 2 + this.#u16(withdrawnEnd);
    if (attributesEnd > end) return reset('3/1');
    const withdrawn = this.#prefixes({ from: 21, to: withdrawnEnd }, 4);
    const classic = this.#prefixes({ from: attributesEnd, to: end }, 4);
    if (withdrawn === undefined || classic === undefined) return reset('3/10');
    const ours = this.#session.versions.includes(4);
    if (ours) this.#unreach.push(...withdrawn);
    this.#attributes({ from: withdrawnEnd + 2, to: attributesEnd });
    if (ours) for (const prefix of classic) this.#reach.push({ prefix, hop: this.#values.get(3) ?? '' });
    this.#together(ours && classic.length > 0);
    return this.#conclude(classic.length > 0);
  }

  /** RFC 7606 §3 h: the strongest; §5.2: nothing weaker than a reset where no reachable NLRI can be seen. */
  #conclude(classic: boolean): Verdict {
    const resets = this.#findings.filter((finding) => finding.startsWith('reset '));
    if (resets.length > 0) return reset(...resets.map((finding) => finding.slice('reset '.length)));
    const withdraw = this.#findings.includes('withdraw');
    const reachable = classic || (this.#mpReachOctets ?? 0) > 0;
    const onlyUnreach = this.#seen.size === 1 && this.#seen.has(15) && !this.#framing;
    if (withdraw && !reachable && !onlyUnreach) return reset('any');
    const text = this.#text();
    const announced = new Map<string, string[]>();
    const withdrawn = [...this.#unreach];
    for (const { prefix, hop } of this.#reach) {
      if (withdraw) withdrawn.push(prefix);
      else announced.set(prefix, [...(announced.get(prefix) ?? []), `${hop} ${text}`]);
    }
    return { outcome: withdraw ? 'withdraw' : 'accept', withdrawn, announced };
  }

  /** RFC 7606 §4 on the lengths, §3 c on the flags, §3 g on what comes twice. */
  #attributes({ from, to }: Span): void {
    let at = from;
    while (at < to) {
      const flags = this.#u8(at);
      const extended = (flags & 0x10) !== 0;
      const start = at + (extended ? 4 : 3);
      if (start > to) {
        this.#framing = true;
        return void this.#findings.push('withdraw');
      }
      const code = this.#u8(at + 1);
      const end = start + (extended ? this.#u16(at + 2) : this.#u8(at + 2));
      if (end > to) {
        this.#framing = true;
        return void this.#findings.push(code === 14 || code === 15 ? 'reset any' : 'withdraw');
      }
      at = end;
      if (this.#seen.has(code)) this.#findings.push(code === 14 || code === 15 ? 'reset 3/1' : 'discard');
      else {
        this.#seen.add(code);
        this.#attribute({ flags, code, from: start, to: end });
      }
    }
  }

  #attribute(attribute: Attribute): void {
    const { code, flags, from, to } = attribute;
    const due = FLAGS.get(code);
    if (due === undefined) {
      if ((flags & OPTIONAL) === 0) this.#findings.push('reset 3/2');
      // AIGP goes no further where it was not switched on, whatever its flags say (RFC 7311 §3.3).
      else if ((flags & TRANSITIVE) !== 0 && code !== AIGP)
        this.#unknown.push(`${code}=${this.#hex(attribute)}`);
      return;
    }
    // From outside, and between speakers of 4 octets, these say nothing, be they well formed or not.
    const foreign = [5, 9, 10].includes(code) && !this.#session.internal;
    if (foreign || ([17, 18].includes(code) && this.#session.fourOctets))
      return void this.#findings.push('discard');
    if ((flags & (OPTIONAL | TRANSITIVE)) !== due) {
      // RFC 7606 §5.3: NLRI in an attribute with such flags are incorrect, and cannot even be withdrawn (§3 j).
      this.#findings.push(code === 14 || code === 15 ? 'reset 3/4' : 'withdraw');
      return;
    }
    const finding = this.#value(attribute, to - from);
    if (finding !== undefined) this.#findings.push(finding);
  }

  #value(attribute: Attribute, length: number): Finding | undefined {
    const { code, from } = attribute;
    const keep = (): undefined => void this.#values.set(code, this.#hex(attribute));
    switch (code) {
      case 1:
        return length === 1 && this.#u8(from) <= 2 ? keep() : 'withdraw';
      case 2:
        return this.#asPath(attribute);
      case 3:
        return length === 4 ? keep() : 'withdraw';
      case 4:
      case 5:
      case 9:
        return length === 4 ? keep() : 'withdraw';
      case 6:
        return length === 0 ? keep() : 'discard';
      case 7:
        return this.#aggregator(attribute, length);
      case 8:
      case 10:
        return length > 0 && length % 4 === 0 ? keep() : 'withdraw';
      case 14:
        return this.#mpReach(attribute, length);
      case 15:
        return this.#mpUnreach(attribute, length);
      case 16:
        return length > 0 && length % 8 === 0 ? keep() : 'withdraw';
      case 17:
        return this.#asPath4(attribute, length);
      case 18:
        if (length !== 8 || this.#u32(from) === 0) return 'discard';
        this.#as4Aggregator = `${this.#u32(from)}@${this.#hex({ from: from + 4, to: from + 8 })}`;
        return undefined;
      default:
        return length > 0 && length % 12 === 0 ? this.#large(attribute) : 'withdraw';
    }
  }

  /** RFC 8092 §3: what is said twice is said once. */
  #large({ from, to }: Attribute): undefined {
    const values = new Set<string>();
    for (let at = from; at < to; at += 12) values.add(this.#hex({ from: at, to: at + 12 }));
    this.#values.set(32, [...values].join(''));
  }

  #asPath(attribute: Attribute): Finding | undefined {
    const path = this.#segments(attribute, this.#session.fourOctets ? 4 : 2);
    if (path === undefined) return 'withdraw';
    if (!this.#session.internal && (path.length === 0 || path.some(({ type }) => type > 2)))
      return 'withdraw';
    this.#path = path;
    this.#values.set(2, '');
    return undefined;
  }

  #asPath4(attribute: Attribute, length: number): Finding | undefined {
    const path = length < 6 ? undefined : this.#segments(attribute, 4);
    if (path === undefined) return 'discard';
    this.#as4Path = path.filter(({ type }) => type <= 2);
    if (this.#as4Path.length < path.length) this.#findings.push('discard');
    return undefined;
  }

  #aggregator({ from }: Attribute, length: number): Finding | undefined {
    const width = this.#session.fourOctets ? 4 : 2;
    if (length !== width + 4) return 'discard';
    const asn = width === 4 ? this.#u32(from) : this.#u16(from);
    if (asn === 0) return 'discard';
    this.#aggregatorAs = asn;
    this.#values.set(7, `${asn}@${this.#hex({ from: from + width, to: from + width + 4 })}`);
    return undefined;
  }

  /** RFC 4760 §3, RFC 7606 §7.11. */
  #mpReach({ from, to }: Attribute, length: number): Finding | undefined {
    this.#mpReachOctets = Math.max(0, length - 5);
    const hopLength = length < 4 ? 0 : this.#u8(from + 3);
    const start = from + 4 + hopLength + 1;
    if (length < 5 || start > to) return 'reset 3/9';
    this.#mpReachOctets = to - start;
    const version = this.#version(from);
    if (version === undefined) return 'discard';
    if (!(version === 4 ? [4] : [16, 32]).includes(hopLength)) return 'reset 3/9';
    const prefixes = this.#prefixes({ from: start, to }, version);
    if (prefixes === undefined) return 'reset 3/9';
    const hop = hopText(this.#hex({ from: from + 4, to: from + 4 + hopLength }));
    for (const prefix of prefixes) this.#reach.push({ prefix, hop });
    return undefined;
  }

  #mpUnreach({ from, to }: Attribute, length: number): Finding | undefined {
    if (length < 3) return 'reset 3/9';
    const version = this.#version(from);
    if (version === undefined) return 'discard';
    const prefixes = this.#prefixes({ from: from + 3, to }, version);
    if (prefixes === undefined) return 'reset 3/9';
    this.#unreach.push(...prefixes);
    return undefined;
  }

  #version(at: number): 4 | 6 | undefined {
    const afi = this.#u16(at);
    if (this.#u8(at + 2) !== 1) return undefined;
    return this.#session.versions.find((version) => version === 2 * afi + 2);
  }

  /** RFC 7606 §3 d (mandatory attributes), RFC 4271 §6.3 (next hops). */
  #together(classic: boolean): void {
    if (this.#reach.length === 0) return;
    const mandatory = [1, 2, ...(classic ? [3] : []), ...(this.#session.internal ? [5] : [])];
    if (mandatory.some((code) => !this.#seen.has(code))) this.#findings.push('withdraw');
    for (const { hop } of this.#reach) if (hop !== '' && !isHost(hop)) this.#findings.push('withdraw');
  }

  /** The attributes that the routes end up with, in one line. */
  #text(): string {
    const stale =
      this.#aggregatorAs !== undefined && this.#aggregatorAs !== 23456 && this.#as4Aggregator !== undefined;
    const path = stale || this.#as4Path === undefined ? this.#path : merged(this.#path, this.#as4Path);
    const aggregator =
      this.#values.get(7) === undefined || stale
        ? this.#values.get(7)
        : (this.#as4Aggregator ?? this.#values.get(7));
    const parts = [`origin ${this.#values.get(1) ?? ''}`, `path ${pathText(path)}`];
    for (const code of [4, 5, 6, 8, 9, 10, 16, 32]) {
      const value = this.#values.get(code);
      if (value !== undefined) parts.push(`${code}=${value}`);
    }
    if (aggregator !== undefined) parts.push(`7=${aggregator}`);
    // In the order of their codes: the order on the wire says nothing (RFC 4271 §5).
    return [...parts, ...this.#unknown.sort((a, b) => Number.parseInt(a) - Number.parseInt(b))].join(' ');
  }

  #prefixes({ from, to }: Span, version: 4 | 6): string[] | undefined {
    const found: string[] = [];
    for (let at = from; at < to; ) {
      const bits = this.#u8(at);
      const octets = Math.ceil(bits / 8);
      if (bits > (version === 4 ? 32 : 128) || at + 1 + octets > to) return undefined;
      const address = new Uint8Array(version === 4 ? 4 : 16);
      address.set(this.#bytes.subarray(at + 1, at + 1 + octets));
      if (bits % 8 !== 0) address[octets - 1] = (address[octets - 1] ?? 0) & (0xff << (8 - (bits % 8)));
      found.push(`${hex(address)}/${bits}`);
      at += 1 + octets;
    }
    return found;
  }

  #segments({ from, to }: Span, width: 2 | 4): Segment[] | undefined {
    const path: Segment[] = [];
    for (let at = from; at < to; ) {
      if (at + 2 > to) return undefined;
      const type = this.#u8(at);
      const count = this.#u8(at + 1);
      if (type < 1 || type > 4 || count === 0 || at + 2 + count * width > to) return undefined;
      const asns = Array.from({ length: count }, (_, i) =>
        width === 4 ? this.#u32(at + 2 + 4 * i) : this.#u16(at + 2 + 2 * i),
      );
      if (asns.includes(0)) return undefined;
      path.push({ type, asns });
      at += 2 + count * width;
    }
    return path;
  }

  #u8(at: number): number {
    return this.#bytes[at] ?? 0;
  }

  #u16(at: number): number {
    return this.#u8(at) * 256 + this.#u8(at + 1);
  }

  #u32(at: number): number {
    return this.#u16(at) * 65_536 + this.#u16(at + 2);
  }

  #hex({ from, to }: Span): string {
    return hex(this.#bytes.subarray(from, to));
  }
}

export interface Segment {
  readonly type: number;
  readonly asns: readonly number[];
}

/** RFC 6793 §4.2.3, number by number: the front of the old path, as far as the new one does not reach. */
function merged(old: readonly Segment[], young: readonly Segment[]): Segment[] {
  const count = (path: readonly Segment[]): number =>
    path.reduce((sum, { type, asns }) => sum + (type === 2 ? asns.length : type === 1 ? 1 : 0), 0);
  let front = count(old) - count(young);
  if (front < 0) return [...old];
  const path: Segment[] = [];
  for (const segment of old) {
    if (segment.type > 2) {
      path.push(segment);
      continue;
    }
    if (front === 0) break;
    const taken = segment.type === 1 ? segment.asns : segment.asns.slice(0, front);
    path.push({ type: segment.type, asns: taken });
    front -= segment.type === 1 ? 1 : taken.length;
    if (taken.length < segment.asns.length) break;
  }
  return [...path, ...young];
}

/** Neighbouring sequences are one: where a path is cut into segments says nothing. */
export function pathText(path: readonly Segment[]): string {
  const parts: string[] = [];
  let last = 0;
  for (const { type, asns } of path) {
    const text = asns.join(' ');
    if (type === 2 && last === 2) parts[parts.length - 1] += ` ${text}`;
    else parts.push(`${type}:${text}`);
    last = type;
  }
  return parts.join(',');
}

/** RFC 2545 §3: the second address counts where it is a link-local one; it stands in for a first that says nothing. */
function hopText(hop: string): string {
  const first = hop.slice(0, 32);
  if (hop.length !== 64 || !/^fe[89ab]/.test(hop.slice(32))) return first;
  return /^0+$/.test(first) ? hop.slice(32) : hop;
}

/** RFC 4271 §6.3: syntactically a host's address, for a next hop in hexadecimal. */
function isHost(hop: string): boolean {
  if (hop.length === 8) {
    const first = Number.parseInt(hop.slice(0, 2), 16);
    return first !== 0 && first !== 127 && first < 224;
  }
  const address = hop.slice(0, 32);
  if (/^0{31}[01]$/.test(address) || address.startsWith('ff')) return false;
  return !address.startsWith('00000000000000000000ffff');
}

function reset(...codes: readonly string[]): Verdict {
  return { outcome: { reset: codes }, withdrawn: [], announced: new Map() };
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
