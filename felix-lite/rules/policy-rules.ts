/**
 * The rules of one policy or profile, for one family. Allow and Pass leave a bit in the mark and return:
 * the chain of the endpoint decides what follows. Deny drops at once. Log goes on.
 */
import type { IcmpMatch, PolicyRule, PortRange, Protocol, SetId, SideMatch } from '../calc/model.ts';
import type { IpVersion, Prefix } from '../../net/addr/index.ts';
import type { Marks } from './marks.ts';
import { MatchBlocks } from './match-blocks.ts';
import { setName } from './names.ts';
import { type Match, type Rule, type Side, rule } from './types.ts';

/** Slots of the kernel's multiport match; a range takes two. */
const PORT_SLOTS = 15;

export interface PolicyRuleOptions {
  readonly marks: Marks;
  /** Goes into the kernel log in front of a Log rule's packets, with `: ` behind. */
  readonly logPrefix: string;
  /** Of all packets that one Log rule meets. Undefined: every one is told. */
  readonly logLimit?: Omit<Match & { readonly kind: 'limit' }, 'kind'> | undefined;
}

/** Behind profiles there is no next tier: to pass is to leave the packet to the next profile. */
export type RulesOwner = 'policy' | 'profile';

/** @param comment  describes the chain; put on its first rule, behind the notes of the rule it stands for */
export function policyRules(
  rules: readonly PolicyRule[],
  version: IpVersion,
  owner: RulesOwner,
  comment: string,
  options: PolicyRuleOptions,
): readonly Rule[] {
  const rendered = rules.flatMap((each) => policyRule(each, version, owner, options));
  // A RETURN at the end of a chain changes nothing: without it the chain returns all the same.
  while (rendered.at(-1)?.verdict?.kind === 'return') rendered.pop();
  const [first, ...rest] = rendered;
  return [{ ...(first ?? { matches: [] }), comments: [...(first?.comments ?? []), comment] }, ...rest];
}

function policyRule(
  policy: PolicyRule,
  version: IpVersion,
  owner: RulesOwner,
  options: PolicyRuleOptions,
): readonly Rule[] {
  if (!policy.versions.includes(version)) return [];
  const { marks } = options;
  const blocks = new MatchBlocks(marks);
  const source = new SideRenderer('source', policy.source, policy.protocol, version);
  const destination = new SideRenderer('destination', policy.destination, policy.protocol, version);
  // All positive blocks first: see MatchBlocks.
  source.portBlock(blocks);
  destination.portBlock(blocks);
  source.netBlock(blocks);
  destination.netBlock(blocks);
  source.notNetBlock(blocks);
  destination.notNetBlock(blocks);
  const { rules, matches: answered } = blocks.finish();
  const matches = [
    ...protocolMatch(impliedProtocol(policy, version)),
    ...source.matches(),
    ...destination.matches(),
    ...icmpMatch(policy.icmp),
    ...protocolMatch(policy.notProtocol, true),
    ...source.notMatches(),
    ...destination.notMatches(),
    ...icmpMatch(policy.notIcmp, true),
    ...answered,
  ];
  const [deciding, ...rest] = verdictRules(policy, matches, owner, options);
  const counts = { field: policy.field, action: policy.action };
  const all = [...rules, ...(deciding === undefined ? [] : [{ ...deciding, counts }]), ...rest];
  const { notes } = policy;
  return notes === undefined ? all : all.map((each) => ({ ...each, comments: notes }));
}

function verdictRules(
  policy: PolicyRule,
  matches: readonly Match[],
  owner: RulesOwner,
  options: PolicyRuleOptions,
): readonly Rule[] {
  const { marks } = options;
  switch (policy.action) {
    case 'Log':
      return [rule([...matches, ...limited(options)], { kind: 'log', prefix: options.logPrefix })];
    case 'Allow':
      return markThen(matches, marks.accept, 'return');
    case 'Pass':
      // The bit may still be set from the last tier: a profile must neither look at it nor set it.
      if (owner === 'profile') return [rule(matches, { kind: 'return' })];
      return markThen(matches, marks.pass, 'return');
    case 'Deny':
      return markThen(matches, marks.drop, 'drop');
  }
}

function limited({ logLimit }: PolicyRuleOptions): readonly Match[] {
  return logLimit === undefined ? [] : [{ kind: 'limit', ...logLimit }];
}

function markThen(matches: readonly Match[], bit: number, kind: 'return' | 'drop'): readonly Rule[] {
  return [
    rule(matches, { kind: 'set-mark', value: bit, mask: bit }),
    rule([{ kind: 'mark', value: bit, mask: bit }], { kind }),
  ];
}

/** The kernel looks at ICMP types only beside its protocol match. */
function impliedProtocol(policy: PolicyRule, version: IpVersion): Protocol | undefined {
  if (policy.protocol !== undefined) return policy.protocol;
  if (policy.icmp === undefined && policy.notIcmp === undefined) return undefined;
  return version === 4 ? 'icmp' : 'icmpv6';
}

function protocolMatch(protocol: Protocol | undefined, not = false): readonly Match[] {
  return protocol === undefined ? [] : [{ kind: 'protocol', protocol, ...negated(not) }];
}

function icmpMatch(icmp: IcmpMatch | undefined, not = false): readonly Match[] {
  return icmp === undefined ? [] : [{ kind: 'icmp', ...icmp, ...negated(not) }];
}

function negated(not: boolean): { readonly not?: true } {
  return not ? { not: true } : {};
}

/** What one side asks: in blocks where one kernel rule cannot hold it, in matches where it can. */
class SideRenderer {
  readonly #side: Side;
  readonly #protocol: Protocol | undefined;
  readonly #version: IpVersion;
  readonly #ask: SideMatch;
  #nets: readonly Prefix[];
  #notNets: readonly Prefix[];
  readonly #ports: readonly (readonly PortRange[])[];
  #portsAsked = false;

  constructor(side: Side, ask: SideMatch, protocol: Protocol | undefined, version: IpVersion) {
    this.#side = side;
    this.#ask = ask;
    this.#protocol = protocol;
    this.#version = version;
    this.#nets = ask.nets.filter((net) => net.version === version);
    this.#notNets = ask.notNets.filter((net) => net.version === version);
    this.#ports = splitPorts(ask.ports);
  }

  portBlock(blocks: MatchBlocks): void {
    if (this.#ports.length + this.#ask.namedPorts.length < 2) return;
    const protocol = protocolMatch(this.#protocol);
    blocks.anyOf([
      ...this.#ports.map((ranges) => [...protocol, this.#portMatch(ranges)]),
      ...this.#ask.namedPorts.map((id) => [this.#set(id, 'port')]),
    ]);
    this.#portsAsked = true;
  }

  netBlock(blocks: MatchBlocks): void {
    if (this.#nets.length < 2) return;
    blocks.anyOf(this.#nets.map((net) => [this.#net(net)]));
    this.#nets = [];
  }

  /** The kernel rule has one place for an address match on each side, negated or not. */
  notNetBlock(blocks: MatchBlocks): void {
    if (this.#notNets.length === 0 || this.#nets.length + this.#notNets.length < 2) return;
    blocks.noneOf(this.#notNets.map((net) => [this.#net(net)]));
    this.#notNets = [];
  }

  matches(): readonly Match[] {
    const ports = this.#portsAsked
      ? []
      : [
          ...this.#ports.map((ranges) => this.#portMatch(ranges)),
          ...this.#ask.namedPorts.map((id) => this.#set(id, 'port')),
        ];
    return [
      ...this.#nets.map((net) => this.#net(net)),
      ...this.#ask.sets.map((id) => this.#set(id, 'address')),
      ...ports,
    ];
  }

  notMatches(): readonly Match[] {
    return [
      ...this.#notNets.map((net) => this.#net(net, true)),
      ...this.#ask.notSets.map((id) => this.#set(id, 'address', true)),
      ...splitPorts(this.#ask.notPorts).map((ranges) => this.#portMatch(ranges, true)),
      ...this.#ask.notNamedPorts.map((id) => this.#set(id, 'port', true)),
    ];
  }

  #net(net: Prefix, not = false): Match {
    return { kind: 'net', side: this.#side, net: net.toString(), ...negated(not) };
  }

  #set(id: SetId, what: 'address' | 'port', not = false): Match {
    return { kind: 'set', side: this.#side, set: setName(this.#version, id), with: what, ...negated(not) };
  }

  #portMatch(ranges: readonly PortRange[], not = false): Match {
    return { kind: 'ports', side: this.#side, ranges, ...negated(not) };
  }
}

/** Groups that each fit one multiport match. */
export function splitPorts(ranges: readonly PortRange[]): readonly (readonly PortRange[])[] {
  const groups: PortRange[][] = [];
  let room = 0;
  for (const range of ranges) {
    const slots = range.first === range.last ? 1 : 2;
    if (slots > room) {
      groups.push([]);
      room = PORT_SLOTS;
    }
    groups.at(-1)?.push(range);
    room -= slots;
  }
  return groups;
}
