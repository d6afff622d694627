/**
 * A small netfilter: walks a packet through chains of iptables text and says what becomes of it. It reads our
 * own lines and those of iptables-save alike, so the same walk judges what we generated and what the kernel
 * reports. An option it does not know is an error, never a guess.
 */
import { iptables } from '../../net/kernel/index.ts';
import { type Address, Prefix } from '../../net/addr/index.ts';
import { Address as AddressClass } from '../../net/addr/index.ts';
import type { Packet } from './packet.ts';

export interface WalkedPacket extends Packet {
  readonly inInterface?: string;
  readonly outInterface?: string;
  readonly state: 'NEW' | 'ESTABLISHED' | 'RELATED' | 'INVALID';
}

/** Members by the name of the set, as `ipset save` prints them. */
export type Sets = ReadonlyMap<string, ReadonlySet<string>>;

export type Chains = ReadonlyMap<string, readonly string[]>;

export interface Walk {
  readonly verdict: 'ACCEPT' | 'DROP';
  /** Rules that matched, as `chain: rule`, the deciding one last. */
  readonly trace: readonly string[];
}

/** Jumps deeper than this are a loop; the kernel refuses those when they are loaded. */
const DEPTH = 32;

/** @param chain  where the walk begins; falling out of it means `policy` */
export function walk(
  chains: Chains,
  sets: Sets,
  chain: string,
  packet: WalkedPacket,
  policy: 'ACCEPT' | 'DROP' = 'ACCEPT',
): Walk {
  const walker = new Walker(chains, sets, packet);
  return { verdict: walker.chain(chain, 0) ?? policy, trace: walker.trace };
}

class Walker {
  readonly trace: string[] = [];
  readonly #chains: Chains;
  readonly #sets: Sets;
  readonly #packet: WalkedPacket;
  #mark = 0;

  constructor(chains: Chains, sets: Sets, packet: WalkedPacket) {
    this.#chains = chains;
    this.#sets = sets;
    this.#packet = packet;
  }

  /** Undefined: the packet comes back to whoever called. */
  chain(name: string, depth: number): 'ACCEPT' | 'DROP' | undefined {
    if (depth > DEPTH) throw new RangeError(`jumps without end at ${name}`);
    const rules = this.#chains.get(name);
    if (rules === undefined) throw new RangeError(`no chain ${name}`);
    for (const text of rules) {
      const rule = parseRule(text);
      if (!rule.conditions.every((condition) => this.#holds(condition))) continue;
      if (rule.target === undefined) continue;
      this.trace.push(`${name}: ${text}`);
      switch (rule.target) {
        case 'ACCEPT':
        case 'DROP':
          return rule.target;
        case 'RETURN':
          return undefined;
        case 'LOG':
          break;
        case 'MARK': {
          const [value, mask] = masked(rule.mark ?? '');
          this.#mark = ((this.#mark & ~mask) | value) >>> 0;
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
        return (this.#mark & mask) >>> 0 === wanted;
      }
      case 'ctstate':
        return value.split(',').includes(packet.state);
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
    return [...members].some((member) => inNet(member, address));
  }
}

interface Condition {
  readonly option: string;
  readonly value: string;
  readonly not: boolean;
}

interface ParsedRule {
  readonly conditions: readonly Condition[];
  readonly target: string | undefined;
  readonly goto: boolean;
  readonly mark: string | undefined;
}

/** Every spelling of an option that our lines or iptables-save use, to one. */
const OPTIONS: Readonly<Record<string, string>> = {
  '-p': 'protocol',
  '-s': 'source',
  '--source': 'source',
  '-d': 'destination',
  '--destination': 'destination',
  '-i': 'in-interface',
  '--in-interface': 'in-interface',
  '-o': 'out-interface',
  '--out-interface': 'out-interface',
  '--sports': 'source-ports',
  '--source-ports': 'source-ports',
  '--dports': 'destination-ports',
  '--destination-ports': 'destination-ports',
  '--mark': 'mark',
  '--ctstate': 'ctstate',
  '--icmp-type': 'icmp-type',
  '--icmpv6-type': 'icmp-type',
};

/** They say nothing about which packets match. */
const IGNORED = new Set(['-m', '--comment', '--log-prefix', '--log-level']);

/** The words after `-A <chain>`. */
export function parseRule(text: string): ParsedRule {
  const words = iptables.splitRule(text);
  const conditions: Condition[] = [];
  let target: string | undefined;
  let goto = false;
  let mark: string | undefined;
  let not = false;
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    if (word === '!') {
      not = true;
      continue;
    }
    const value = words[++index] ?? '';
    const option = OPTIONS[word];
    if (option !== undefined) conditions.push({ option, value, not });
    else if (word === '--match-set') conditions.push({ option: 'match-set', value: `${value} ${words[++index] ?? ''}`, not });
    else if (word === '-j' || word === '--jump') target = value;
    else if (word === '-g' || word === '--goto') [target, goto] = [value, true];
    else if (word === '--set-mark' || word === '--set-xmark') mark = value;
    else if (!IGNORED.has(word)) throw new RangeError(`no meaning known for ${word} in: ${text}`);
    if (word !== '-m') not = false;
  }
  return { conditions, target, goto, mark };
}

const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  icmpv6: 58,
  'ipv6-icmp': 58,
  sctp: 132,
  udplite: 136,
  ipencap: 4,
  ipv4: 4,
};

const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [132, 'sctp'],
]);

function protocolNumber(text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : PROTOCOL_NUMBERS[text];
  if (number === undefined) throw new RangeError(`no protocol ${text}`);
  return number;
}

function inNet(text: string, address: Address): boolean {
  const host = text.includes('/') ? undefined : AddressClass.parse(text);
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

/** `0x10000/0x30000`; without a mask, all bits. */
function masked(text: string): readonly [number, number] {
  const [value, mask] = text.split('/');
  return [Number(value) >>> 0, mask === undefined ? 0xffffffff : Number(mask) >>> 0];
}
