/** Rules as expressions of nf_tables. Pure. */
import { Address, Prefix, type IpVersion } from '../../../net/addr/index.ts';
import type { Expression, NftVerdict, WrittenExpressions } from '../../../net/kernel/index.ts';
import type { PortRange, Protocol } from '../../calc/model.ts';
import type { Chain, Match, Rule, Side, TableName, Verdict } from '../../rules/types.ts';
import { protocolNumber } from '../iptables/meaning.ts';
import { HASH_PREFIX } from '../iptables/render.ts';
import { layered, setOf } from './names.ts';
import { byPorts, needsPortSet, type PortSet, portSet, portSetsOf } from './port-sets.ts';
import { hashesOfTexts, nftRuleText } from './text.ts';

export interface RenderedNftRule extends RulesSaying {
  readonly hash: string;
  readonly comment: string;
}

interface RulesSaying {
  readonly expressions: readonly Expression[];
  /** Of what many rules say. */
  readonly written?: WrittenExpressions;
  /** Sets that it looks into, by the names that rules have for them. */
  readonly sets: readonly string[];
  /** Those among them that hold ports. */
  readonly portSets: readonly PortSet[];
}

/** A rule's comment holds at most this much, its hash included. */
const COMMENT_LIMIT = 127;
const IFNAMSIZ = 16;

/** Most rules at one workload say what those at all others do: how, by their text. */
export type KnownRules = Map<string, RulesSaying>;

const MOST_KNOWN = 4096;

/**
 * @param chain  its name without its layer
 * @param known  of this version alone; remembers what rules without sets and ports say
 * @returns in order; a rule that became several has them behind one another, under one hash
 */
export function renderNftChain(
  table: TableName,
  chain: string,
  rules: readonly Rule[],
  version: IpVersion,
  known?: KnownRules,
): readonly RenderedNftRule[] {
  const texts = rules.map((rule) => nftRuleText(rule, table, version));
  const hashes = hashesOfTexts(table, chain, texts);
  const rendered: RenderedNftRule[] = [];
  for (const [index, rule] of rules.entries()) {
    const hash = hashes[index] ?? '';
    const comment = commentOf(hash, rule.comments);
    if (known !== undefined && rule.matches.every(isCommon)) {
      const says = knownRule(rule, texts[index] ?? '', table, version, known);
      rendered.push({ hash, comment, ...says });
    } else
      for (const each of byPorts(rule)) rendered.push({ hash, comment, ...renderRule(each, table, version) });
  }
  return rendered;
}

/** One that says all in its text, the same for both families, and looks into no set. */
function isCommon(match: Match): boolean {
  return COMMON_MATCHES.has(match.kind) && (match.kind !== 'ports' || match.ranges.length === 1);
}

const COMMON_MATCHES: ReadonlySet<Match['kind']> = new Set<Match['kind']>([
  'mark',
  'mark-clear',
  'mark-not-clear',
  'conntrack',
  'protocol',
  'ports',
  'in-interface',
  'out-interface',
]);
const COMMON_VERDICTS: ReadonlySet<Verdict['kind']> = new Set<Verdict['kind']>([
  'accept',
  'drop',
  'return',
  'jump',
  'goto',
  'set-mark',
  'clear-mark',
  'dispatch',
]);

/**
 * As {@link renderNftChain}; of a chain that says the same for both families, as that of a workload, once. The families share
 * the rules then, and how they are written.
 */
export function renderShared(
  table: TableName,
  chain: Chain,
  version: IpVersion,
  known: KnownRules,
): readonly RenderedNftRule[] {
  const found = shared.get(chain)?.get(table);
  if (found !== undefined) return found;
  const rules = renderNftChain(table, chain.name, chain.rules, version, known);
  if (chain.rules.every(isOfBoth)) shared.set(chain, new Map(shared.get(chain)).set(table, rules));
  return rules;
}

/** For as long as rules/ holds the chain, in which nothing changes. */
const shared = new WeakMap<Chain, ReadonlyMap<TableName, readonly RenderedNftRule[]>>();

function isOfBoth({ matches, verdict }: Rule): boolean {
  return (verdict === undefined || COMMON_VERDICTS.has(verdict.kind)) && matches.every(isCommon);
}

function knownRule(
  rule: Rule,
  text: string,
  table: TableName,
  version: IpVersion,
  known: KnownRules,
): RulesSaying {
  const found = known.get(text);
  if (found !== undefined) return found;
  if (known.size >= MOST_KNOWN) known.clear();
  const says = { ...renderRule(rule, table, version), written: { octets: undefined } };
  known.set(text, says);
  return says;
}

function renderRule({ matches, verdict }: Rule, table: TableName, version: IpVersion): RulesSaying {
  const expressions: Expression[] = [];
  for (const match of matches) expressions.push(...matchExpressions(match, version));
  // Calico has no counter in front of a map: it is asked about every packet of every workload.
  if (verdict?.kind !== 'dispatch') expressions.push(COUNTER);
  if (verdict !== undefined) expressions.push(...verdictExpressions(verdict, table, version));
  const looks = matches.some(({ kind }) => kind === 'set' || kind === 'ports');
  return {
    expressions,
    sets: looks ? setsIn(expressions) : NONE,
    portSets: looks ? portSetsOf(matches, version) : NONE,
  };
}

const NONE: readonly never[] = [];
const COUNTER: Expression = { kind: 'counter', packets: 0n, bytes: 0n };

function commentOf(hash: string, comments: readonly string[] = []): string {
  let text = `${HASH_PREFIX}${hash};`;
  for (const each of comments) text += ` ${each.replace(/[^\w @%+=:,./-]/g, '_')}`;
  return text.slice(0, COMMENT_LIMIT);
}

/** Sets that the expressions look into, as they call them. */
export function setsIn(expressions: readonly Expression[]): readonly string[] {
  return expressions.flatMap((each) => (each.kind === 'lookup' ? [each.set] : []));
}

const HASH = new RegExp(`^${HASH_PREFIX}([\\w-]+);`);

/** The hash in a rule's comment. */
export function hashOfComment(comment: string | undefined): string | undefined {
  return comment === undefined ? undefined : HASH.exec(comment)?.[1];
}

function matchExpressions(match: Match, version: IpVersion): readonly Expression[] {
  switch (match.kind) {
    case 'protocol':
      return [L4PROTO, compare(match, octets(numberOf(match.protocol), 1))];
    case 'in-interface':
    case 'out-interface':
      return interfaceExpressions(match.kind, match.name);
    case 'net':
      return netExpressions(match, version);
    case 'set':
      return [
        ...(match.with === 'port' ? endpointKey(match.side, version) : [addressLoad(match.side, version)]),
        { kind: 'lookup', register: 1, set: setOf(match.set), invert: match.not === true },
      ];
    case 'ports':
      return portExpressions(match, version);
    case 'icmp': {
      const type = octets(match.type, 1);
      return match.code === undefined
        ? [transportLoad(0, 1), compare(match, type)]
        : [transportLoad(0, 2), compare(match, type + octets(match.code, 1))];
    }
    case 'mark':
      return maskedMark(match.mask, 'eq', match.value);
    case 'mark-clear':
      return maskedMark(match.mask, 'eq', 0);
    case 'mark-not-clear':
      return maskedMark(match.mask, 'neq', 0);
    case 'conntrack':
      return [
        { kind: 'ct-state', register: 1 },
        {
          kind: 'bitwise',
          register: 1,
          length: 4,
          mask: hostWord(stateBits(match.states)),
          xor: hostWord(0),
        },
        { kind: 'cmp', op: 'neq', register: 1, data: hostWord(0) },
      ];
    case 'destination-changed':
      return [
        { kind: 'ct-status', register: 1 },
        {
          kind: 'bitwise',
          register: 1,
          length: 4,
          mask: hostWord(DESTINATION_CHANGED),
          xor: hostWord(0),
        },
        { kind: 'cmp', op: match.not === true ? 'eq' : 'neq', register: 1, data: hostWord(0) },
      ];
    case 'limit':
      return [{ kind: 'limit', rate: match.rate, perSeconds: SECONDS[match.per], burst: match.burst }];
    case 'rpf-failed':
      return [
        { kind: 'fib-source-route', register: 1 },
        { kind: 'cmp', op: 'eq', register: 1, data: hostWord(0) },
      ];
  }
}

function verdictExpressions(verdict: Verdict, table: TableName, version: IpVersion): readonly Expression[] {
  switch (verdict.kind) {
    case 'accept':
    case 'drop':
    case 'return':
      return [final({ code: verdict.kind })];
    case 'jump':
    case 'goto':
      return [final({ code: verdict.kind, chain: layered(table, verdict.chain) })];
    case 'reject':
      return [{ kind: 'reject', version }];
    case 'notrack':
      return [{ kind: 'notrack' }];
    case 'masquerade':
      return verdict.ports === undefined
        ? [{ kind: 'masquerade' }]
        : [...loadPorts(verdict.ports), { kind: 'masquerade', ports: PORT_REGISTERS }];
    case 'snat':
    case 'dnat': {
      const data = Buffer.from(addressIn(verdict.address).toBytes()).toString('hex');
      const load: Expression = { kind: 'load', register: 1, data };
      const nat: Expression = { kind: 'nat', type: verdict.kind, version, address: 1 };
      return verdict.kind === 'dnat' || verdict.ports === undefined
        ? [load, nat]
        : [load, ...loadPorts(verdict.ports), { ...nat, ports: PORT_REGISTERS }];
    }
    case 'set-mark':
      return setMark(verdict.value, verdict.mask);
    case 'clear-mark':
      return setMark(0, verdict.mask);
    case 'log': {
      // As the kernel's own limit for it (NF_LOG_PREFIXLEN less the final NUL), and Calico's level here: info.
      const prefix = `${verdict.prefix}: `.replace(/[^\w @%+=:,./-]/g, '_').slice(0, 127);
      return [{ kind: 'log', prefix, level: 6 }];
    }
    case 'dispatch':
      return [
        { kind: 'meta', key: verdict.by === 'in-interface' ? 'iifname' : 'oifname', register: 1 },
        { kind: 'verdict-map', register: 1, map: layered(table, verdict.map) },
      ];
  }
}

const PORT_REGISTERS = { from: 2, to: 3 } as const;

function loadPorts({ first, last }: PortRange): readonly Expression[] {
  return [
    { kind: 'load', register: PORT_REGISTERS.from, data: octets(first, 2) },
    { kind: 'load', register: PORT_REGISTERS.to, data: octets(last, 2) },
  ];
}

function addressIn(text: string): Address {
  const address = Address.parse(text);
  if (address === undefined) throw new RangeError(`no address ${text}`);
  return address;
}

const SECONDS = { second: 1, minute: 60, hour: 3600, day: 86_400 } as const;
/** IPS_DST_NAT. */
const DESTINATION_CHANGED = 32;

const L4PROTO: Expression = { kind: 'meta', key: 'l4proto', register: 1 };

function final(verdict: NftVerdict): Expression {
  return { kind: 'verdict', verdict };
}

function compare({ not }: { readonly not?: true }, data: string): Expression {
  return { kind: 'cmp', op: not === true ? 'neq' : 'eq', register: 1, data };
}

/** Whole names compare with their padding, beginnings without. */
function interfaceExpressions(kind: 'in-interface' | 'out-interface', name: string): readonly Expression[] {
  const load: Expression = {
    kind: 'meta',
    key: kind === 'in-interface' ? 'iifname' : 'oifname',
    register: 1,
  };
  const begins = name.endsWith('+');
  const text = Buffer.from(begins ? name.slice(0, -1) : name);
  if (begins && text.length === 0) return [];
  return [load, compare({}, begins ? text.toString('hex') : interfaceKey(name))];
}

/** A name as the key of a map of interfaces. */
export function interfaceKey(name: string): string {
  const key = Buffer.alloc(IFNAMSIZ);
  key.write(name, 0, IFNAMSIZ - 1);
  return key.toString('hex');
}

function addressLoad(side: Side, version: IpVersion, length = version === 4 ? 4 : 16): Expression {
  const source = version === 4 ? 12 : 8;
  const offset = side === 'source' ? source : source + (version === 4 ? 4 : 16);
  return { kind: 'payload', base: 'network', offset, length, register: 1 };
}

function netExpressions(match: Match & { readonly kind: 'net' }, version: IpVersion): readonly Expression[] {
  const net = prefixOf(match.net);
  const not = match.not === true;
  // Everything lies in a prefix of length 0, and nothing outside of it.
  if (net.length === 0) return not ? [L4PROTO, ...NEVER] : [];
  const address = Buffer.from(net.address.toBytes());
  // Whole octets are loaded alone; else the whole address, which is the way the nft tool knows to print.
  if (net.length % 8 === 0) {
    const length = net.length / 8;
    const bytes = address.subarray(0, length).toString('hex');
    return [addressLoad(match.side, version, length), compare(match, bytes)];
  }
  const mask = Buffer.alloc(address.length);
  for (let bit = 0; bit < net.length; bit++) mask[bit >> 3] = (mask[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  const bitwise: Expression = {
    kind: 'bitwise',
    register: 1,
    length: address.length,
    mask: mask.toString('hex'),
    xor: '00'.repeat(address.length),
  };
  return [addressLoad(match.side, version), bitwise, compare(match, address.toString('hex'))];
}

/** Two that no packet passes together. */
const NEVER: readonly Expression[] = ['00', 'ff'].map((data) => ({
  kind: 'cmp',
  op: 'eq',
  register: 1,
  data,
}));

function prefixOf(text: string): Prefix {
  const address = text.includes('/') ? undefined : Address.parse(text);
  const net = address === undefined ? Prefix.parse(text) : Prefix.host(address);
  if (net === undefined) throw new RangeError(`no prefix ${text}`);
  return net;
}

function transportLoad(offset: number, length: number, register = 1): Expression {
  return { kind: 'payload', base: 'transport', offset, length, register };
}

function portExpressions(
  match: Match & { readonly kind: 'ports' },
  version: IpVersion,
): readonly Expression[] {
  const load = transportLoad(match.side === 'source' ? 0 : 2, 2);
  if (needsPortSet(match)) {
    const { make } = portSet(match.ranges, version);
    return [load, { kind: 'lookup', register: 1, set: make.name, invert: match.not === true }];
  }
  // Several only where the packet must be at none of them.
  return match.ranges.flatMap(({ first, last }) => {
    const [from, to] = [octets(first, 2), octets(last, 2)];
    if (from === to) return [load, compare(match, from)];
    return [load, { kind: 'range', op: match.not === true ? 'neq' : 'eq', register: 1, from, to }];
  });
}

/** Address, protocol and port behind one another, each padded to four octets. */
function endpointKey(side: Side, version: IpVersion): readonly Expression[] {
  const [protocol, port] = version === 4 ? [9, 10] : [2, 13];
  return [
    addressLoad(side, version),
    { kind: 'meta', key: 'l4proto', register: protocol },
    transportLoad(side === 'source' ? 0 : 2, 2, port),
  ];
}

const MARK: Expression = { kind: 'meta', key: 'mark', register: 1 };
const MARK_SET: Expression = { kind: 'meta-set', key: 'mark', register: 1 };

function maskedMark(mask: number, op: 'eq' | 'neq', value: number): readonly Expression[] {
  return [MARK, markBits(mask, 0), { kind: 'cmp', op, register: 1, data: hostWord(value) }];
}

function setMark(value: number, mask: number): readonly Expression[] {
  return [MARK, markBits(~mask, value), MARK_SET];
}

function markBits(mask: number, xor: number): Expression {
  return { kind: 'bitwise', register: 1, length: 4, mask: hostWord(mask), xor: hostWord(xor) };
}

/** Bit of each state in the register: `1 << (state + 1)` in the order of enum ip_conntrack_info; INVALID is the first. */
const STATES: Readonly<Record<string, number>> = {
  INVALID: 1,
  ESTABLISHED: 2,
  RELATED: 4,
  NEW: 8,
  UNTRACKED: 64,
};

function stateBits(states: string): number {
  return states.split(',').reduce((bits, name) => {
    const bit = STATES[name];
    if (bit === undefined) throw new RangeError(`no connection state ${name}`);
    return bits | bit;
  }, 0);
}

function numberOf(protocol: Protocol): number {
  return typeof protocol === 'number' ? protocol : protocolNumber(protocol);
}

/** In network order. */
function octets(value: number, length: number): string {
  return value.toString(16).padStart(length * 2, '0');
}

/** In the machine's order, which is little-endian wherever node:ffi serves this code. */
function hostWord(value: number): string {
  const swapped =
    ((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
  return (swapped >>> 0).toString(16).padStart(8, '0');
}
