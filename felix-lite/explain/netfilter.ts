/**
 * A small netfilter: walks a packet through chains of iptables text and says what becomes of it. It reads our
 * own lines and those of iptables-save alike, so the same walk judges what we generated and what the kernel
 * reports. An option it does not know is an error, never a guess.
 */
import { type Condition, masked, parseRule, protocolNumber } from '../dataplane/iptables/meaning.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
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
          const [value, mask] = rule.mark ?? [0, 0];
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
