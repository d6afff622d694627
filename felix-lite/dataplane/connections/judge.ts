/**
 * What becomes of a connection's first packet in our chains, as values. Pure. Only what the rules of a policy can ask is
 * known; a question that is not leaves the answer open, and nothing is done about the connection then.
 */
import type { Address } from '../../../net/addr/index.ts';
import { Prefix } from '../../../net/addr/index.ts';
import type { Chain, Match, Rule, Side, Verdict } from '../../rules/types.ts';
import { protocolNumber } from '../iptables/meaning.ts';

export interface Flow {
  readonly source: Address;
  /** Where it goes in the end, after address translation. */
  readonly destination: Address;
  readonly protocol: number;
  readonly sourcePort?: number | undefined;
  readonly destinationPort?: number | undefined;
  readonly icmpType?: number | undefined;
  readonly icmpCode?: number | undefined;
  readonly inInterface: string | undefined;
  readonly outInterface: string | undefined;
}

export interface Policy {
  chain(name: string): Chain | undefined;
  /** The chain that a map has for an interface. */
  lookUp(map: string, interfaceName: string): string | undefined;
  /** With a protocol and port: of a set with ports. Undefined: there is no such set. */
  isMember(
    set: string,
    address: Address,
    port?: { readonly protocol: number; readonly port: number },
  ): boolean | undefined;
}

/** Jumps deeper than this are a loop, which the kernel refuses. */
const DEPTH = 32;

/** `open`: not to be told from the rules. `passed`: no rule decided. */
export type Judgement = 'accept' | 'drop' | 'passed' | 'open';

export function judge(policy: Policy, chain: string, flow: Flow): Judgement {
  try {
    return new Judge(policy, flow).chain(chain, 0) ?? 'passed';
  } catch (error) {
    if (error instanceof Unknown) return 'open';
    throw error;
  }
}

class Unknown extends Error {}

class Judge {
  readonly #policy: Policy;
  readonly #flow: Flow;
  #mark = 0;

  constructor(policy: Policy, flow: Flow) {
    this.#policy = policy;
    this.#flow = flow;
  }

  /** Undefined: back to whoever called. */
  chain(name: string, depth: number): 'accept' | 'drop' | undefined {
    const chain = this.#policy.chain(name);
    if (chain === undefined || depth > DEPTH) throw new Unknown(name);
    for (const rule of chain.rules) {
      if (rule.verdict === undefined || !this.#matches(rule)) continue;
      const next = this.#verdict(rule.verdict, depth);
      if (next !== 'on') return next;
    }
    return undefined;
  }

  #verdict(verdict: Verdict, depth: number): 'accept' | 'drop' | 'on' | undefined {
    switch (verdict.kind) {
      case 'accept':
      case 'drop':
        return verdict.kind;
      case 'return':
        return undefined;
      case 'jump':
        return this.chain(verdict.chain, depth + 1) ?? 'on';
      case 'goto':
        return this.chain(verdict.chain, depth + 1);
      case 'dispatch': {
        const name = verdict.by === 'in-interface' ? this.#flow.inInterface : this.#flow.outInterface;
        const target = name === undefined ? undefined : this.#policy.lookUp(verdict.map, name);
        return target === undefined ? 'on' : this.chain(target, depth + 1);
      }
      case 'set-mark':
        this.#mark = ((this.#mark & ~verdict.mask) ^ verdict.value) >>> 0;
        return 'on';
      case 'clear-mark':
        this.#mark = (this.#mark & ~verdict.mask) >>> 0;
        return 'on';
      default:
        return 'on';
    }
  }

  #matches({ matches }: Rule): boolean {
    return matches.every((match) => this.#holds(match));
  }

  #holds(match: Match): boolean {
    const flow = this.#flow;
    switch (match.kind) {
      case 'protocol': {
        const number = typeof match.protocol === 'number' ? match.protocol : protocolNumber(match.protocol);
        return (number === flow.protocol) !== (match.not === true);
      }
      case 'in-interface':
        return isInterface(match.name, flow.inInterface);
      case 'out-interface':
        return isInterface(match.name, flow.outInterface);
      case 'net':
        return inNet(match.net, this.#address(match.side)) !== (match.not === true);
      case 'set':
        return this.#inSet(match) !== (match.not === true);
      case 'ports': {
        const port = match.side === 'source' ? flow.sourcePort : flow.destinationPort;
        if (port === undefined) return false;
        return match.ranges.some(({ first, last }) => first <= port && port <= last) !== (match.not === true);
      }
      case 'icmp': {
        const same =
          flow.icmpType === match.type && (match.code === undefined || match.code === flow.icmpCode);
        return same !== (match.not === true);
      }
      case 'mark':
        return (this.#mark & match.mask) >>> 0 === match.value;
      case 'mark-clear':
        return (this.#mark & match.mask) === 0;
      case 'mark-not-clear':
        return (this.#mark & match.mask) !== 0;
      case 'conntrack':
        return match.states.split(',').includes('NEW');
      default:
        throw new Unknown(match.kind);
    }
  }

  #address(side: Side): Address {
    return side === 'source' ? this.#flow.source : this.#flow.destination;
  }

  #inSet(match: Match & { readonly kind: 'set' }): boolean {
    const port = match.side === 'source' ? this.#flow.sourcePort : this.#flow.destinationPort;
    const { protocol } = this.#flow;
    const found =
      match.with === 'address'
        ? this.#policy.isMember(match.set, this.#address(match.side))
        : this.#policy.isMember(match.set, this.#address(match.side), { protocol, port: port ?? 0 });
    if (found === undefined) throw new Unknown(match.set);
    return found;
  }
}

function isInterface(pattern: string, name: string | undefined): boolean {
  if (name === undefined) return false;
  return pattern.endsWith('+') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

function inNet(text: string, address: Address): boolean {
  const net = Prefix.parse(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`);
  if (net === undefined) throw new Unknown(text);
  return net.version === address.version && net.contains(address);
}
