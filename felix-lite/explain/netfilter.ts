/**
 * A small netfilter: walks a packet through chains of iptables text and says what becomes of it. It reads our
 * own lines and those of iptables-save alike, so the same walk judges what we generated and what the kernel
 * reports. An option it does not know is an error, never a guess.
 */
import {
  type Condition,
  masked,
  type ParsedRule,
  parseRule,
  protocolNumber,
} from '../dataplane/iptables/meaning.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import type { Packet } from './packet.ts';

export interface WalkedPacket extends Packet {
  readonly inInterface?: string;
  readonly outInterface?: string;
  readonly state: 'NEW' | 'ESTABLISHED' | 'RELATED' | 'INVALID';
  /** Somebody's DNAT has given it another destination. */
  readonly destinationChanged?: boolean;
  /** The route back to its source leaves by another interface than the one it came from. */
  readonly strayed?: boolean;
}

/** Members by the name of the set, as `ipset save` prints them. A set that has been looked into does not change. */
export type Sets = ReadonlyMap<string, ReadonlySet<string>>;

export type Chains = ReadonlyMap<string, readonly string[]>;

/** A rule that a packet has met and matched. */
export interface Met {
  readonly table: string;
  readonly chain: string;
  /** Place in the chain, from 0. */
  readonly index: number;
  readonly rule: string;
}

export interface Walk {
  readonly verdict: 'ACCEPT' | 'DROP';
  /** In their order, the deciding one last. */
  readonly trace: readonly Met[];
}

/** Jumps deeper than this are a loop; the kernel refuses those when they are loaded. */
const DEPTH = 32;

/** The kernel's own chains in the order in which a packet meets those of ours. */
export const JOURNEYS = {
  toHost: ['raw PREROUTING', 'mangle PREROUTING', 'filter INPUT'],
  fromHost: ['raw OUTPUT', 'filter OUTPUT', 'mangle POSTROUTING'],
  forwarded: ['raw PREROUTING', 'mangle PREROUTING', 'filter FORWARD', 'mangle POSTROUTING'],
} as const;

export type Journey = keyof typeof JOURNEYS;

/**
 * Through all tables; the mark goes with the packet from one to the next.
 *
 * @param policy  of the filter table's own chain: what becomes of packets that no rule decides
 */
export function travel(
  tables: ReadonlyMap<string, Chains>,
  sets: Sets,
  journey: Journey,
  packet: WalkedPacket,
  policy: 'ACCEPT' | 'DROP' = 'ACCEPT',
): Walk {
  let mark = 0;
  let untracked = false;
  const trace: Met[] = [];
  for (const stage of JOURNEYS[journey]) {
    const [table = '', hook = ''] = stage.split(' ');
    const chains = tables.get(table);
    if (chains?.has(hook) !== true) continue;
    const seen = seenAt(hook, packet);
    const walker = new Walker(chains, sets, seen, mark, untracked);
    const verdict = walker.chain(hook, 0) ?? (table === 'filter' ? policy : 'ACCEPT');
    trace.push(...walker.trace.map((met) => ({ table, ...met })));
    if (verdict === 'DROP') return { verdict, trace };
    ({ mark, untracked } = walker);
  }
  return { verdict: 'ACCEPT', trace };
}

/** The kernel knows the way out only once it has decided on it, and the way in no longer at the end. */
export function seenAt(hook: string, { inInterface, outInterface, ...rest }: WalkedPacket): WalkedPacket {
  return {
    ...rest,
    ...(inInterface === undefined || hook === 'POSTROUTING' ? {} : { inInterface }),
    ...(outInterface === undefined || hook === 'PREROUTING' ? {} : { outInterface }),
  };
}

class Walker {
  readonly trace: Omit<Met, 'table'>[] = [];
  readonly #chains: Chains;
  readonly #sets: Sets;
  readonly #packet: WalkedPacket;
  mark: number;
  untracked: boolean;

  constructor(chains: Chains, sets: Sets, packet: WalkedPacket, mark = 0, untracked = false) {
    this.#chains = chains;
    this.#sets = sets;
    this.#packet = packet;
    this.mark = mark;
    this.untracked = untracked;
  }

  /** Undefined: the packet comes back to whoever called. */
  chain(name: string, depth: number): 'ACCEPT' | 'DROP' | undefined {
    if (depth > DEPTH) throw new RangeError(`jumps without end at ${name}`);
    const rules = this.#chains.get(name);
    if (rules === undefined) throw new RangeError(`no chain ${name}`);
    for (const [index, text] of rules.entries()) {
      const rule = parsed(text);
      if (!rule.conditions.every((condition) => this.#holds(condition))) continue;
      if (rule.target === undefined) continue;
      this.trace.push({ chain: name, index, rule: text });
      switch (rule.target) {
        case 'ACCEPT':
        case 'DROP':
          return rule.target;
        case 'REJECT':
          return 'DROP';
        case 'RETURN':
          return undefined;
        case 'LOG':
          break;
        case 'NOTRACK':
          this.untracked = true;
          break;
        case 'MARK': {
          const [value, mask] = rule.mark ?? [0, 0];
          this.mark = ((this.mark & ~mask) | value) >>> 0;
          break;
        }
        default: {
          const verdict = this.chain(rule.target, depth + 1);
          if (verdict !== undefined || rule.goto) return verdict;
        }
      }
    }
    return undefined;
  }

  #holds({ option, value, not }: Condition): boolean {
    return this.#matches(option, value) !== not;
  }

  #matches(option: string, value: string): boolean {
    const packet = this.#packet;
    switch (option) {
      case 'protocol':
        return protocolNumber(value) === packet.protocol;
      case 'source':
        return inNet(value, packet.source);
      case 'destination':
        return inNet(value, packet.destination);
      case 'in-interface':
        return isInterface(value, packet.inInterface);
      case 'out-interface':
        return isInterface(value, packet.outInterface);
      case 'source-ports':
        return inRanges(value, packet.sourcePort);
      case 'destination-ports':
        return inRanges(value, packet.destinationPort);
      case 'mark': {
        const [wanted, mask] = masked(value);
        return (this.mark & mask) >>> 0 === wanted;
      }
      case 'ctstate':
        if (value === 'DNAT') return !this.untracked && packet.destinationChanged === true;
        return value.split(',').includes(this.untracked ? 'UNTRACKED' : packet.state);
      // `--validmark` widens the look to marked routes; `--invert` is what asks.
      case 'rpfilter':
        return value === 'invert' ? packet.strayed === true : true;
      case 'icmp-type': {
        const [type, code] = value.split('/').map(Number);
        return packet.icmpType === type && (code === undefined || packet.icmpCode === code);
      }
      case 'match-set':
        return this.#inSet(value);
      default:
        throw new RangeError(`no meaning known for --${option} ${value}`);
    }
  }

  #inSet(value: string): boolean {
    const [name = '', ends = ''] = value.split(' ');
    const members = this.#sets.get(name);
    if (members === undefined) throw new RangeError(`no set ${name}`);
    const [address, port] = ends.startsWith('src')
      ? [this.#packet.source, this.#packet.sourcePort]
      : [this.#packet.destination, this.#packet.destinationPort];
    if (ends.includes(',')) {
      const protocol = PROTOCOL_NAMES.get(this.#packet.protocol);
      return protocol !== undefined && members.has(`${address.toString()},${protocol}:${port ?? 0}`);
    }
    return lengthsIn(members).some((length) => members.has(within(address, length)));
  }
}

/** Lengths of the prefixes in a set: to look for each is quicker than to look at a hundred thousand members. */
const LENGTHS = new WeakMap<ReadonlySet<string>, readonly number[]>();

function lengthsIn(members: ReadonlySet<string>): readonly number[] {
  const known = LENGTHS.get(members);
  if (known !== undefined) return known;
  const lengths = new Set<number>();
  for (const member of members) {
    const slash = member.indexOf('/');
    if (slash < 0 && member.includes('-')) throw new RangeError(`no meaning known for the range ${member}`);
    lengths.add(slash < 0 ? HOST : Number(member.slice(slash + 1)));
  }
  const list = [...lengths];
  LENGTHS.set(members, list);
  return list;
}

/** No prefix has that length: an address alone. */
const HOST = -1;

/** The member of that length in which the address would lie. */
function within(address: Address, length: number): string {
  if (length === HOST) return address.toString();
  return length > address.bits ? '' : Prefix.of(address, length).toString();
}

/** The same rules are walked by many packets. */
const PARSED = new Map<string, ParsedRule>();
const PARSED_LIMIT = 20_000;

function parsed(text: string): ParsedRule {
  const known = PARSED.get(text);
  if (known !== undefined) return known;
  if (PARSED.size >= PARSED_LIMIT) PARSED.clear();
  const rule = parseRule(text);
  PARSED.set(text, rule);
  return rule;
}

const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [132, 'sctp'],
]);

function inNet(text: string, address: Address): boolean {
  const host = text.includes('/') ? undefined : Address.parse(text);
  if (host !== undefined) return host.equals(address);
  const net = Prefix.parse(text);
  if (net === undefined) throw new RangeError(`no prefix ${text}`);
  return net.version === address.version && net.contains(address);
}

function isInterface(pattern: string, name: string | undefined): boolean {
  if (name === undefined) return false;
  return pattern.endsWith('+') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

function inRanges(text: string, port: number | undefined): boolean {
  if (port === undefined) return false;
  return text.split(',').some((range) => {
    const [first, last] = range.split(':').map(Number);
    return first !== undefined && first <= port && port <= (last ?? first);
  });
}
