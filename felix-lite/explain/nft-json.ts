/**
 * What `nft -n -j list table` says of one of our tables, as rules' values and as text for the walker: the nft tool's own
 * reading of the kernel, which knows nothing of how we encoded it. What is not known here is an error, never a guess.
 */
import type { IpVersion } from '../../net/addr/index.ts';
import { renderChain } from '../dataplane/iptables/render.ts';
import type { Match, Rule, Side, Verdict } from '../rules/types.ts';
import type { Chains, Sets } from './netfilter.ts';

export interface NftRuleset {
  /** By layer (the kernel's tables are prefixes of names in ours), then by the name of the chain without it. */
  readonly rules: ReadonlyMap<string, ReadonlyMap<string, readonly Rule[]>>;
  readonly sets: Sets;
}

/** @throws RangeError on what we do not write */
export function parseNftJson(text: string): NftRuleset {
  const objects = list(field(JSON.parse(text), 'nftables'));
  const sets = new Map<string, Set<string>>();
  const maps = new Map<string, readonly (readonly [string, string])[]>();
  const rules = new Map<string, Rule[]>();
  for (const object of objects) {
    const set = optional(object, 'set');
    if (set !== undefined)
      sets.set(word(set, 'name'), new Set(list(optional(set, 'elem') ?? []).map(member)));
    const map = optional(object, 'map');
    if (map !== undefined) maps.set(word(map, 'name'), list(optional(map, 'elem') ?? []).map(entry));
    const chain = optional(object, 'chain');
    if (chain !== undefined) rules.set(word(chain, 'name'), []);
  }
  for (const object of objects) {
    const rule = optional(object, 'rule');
    if (rule === undefined) continue;
    const chain = rules.get(word(rule, 'chain'));
    chain?.push(...ruleOf(list(field(rule, 'expr')), sets, maps));
  }
  const layers = Map.groupBy(rules, ([name]) => name.slice(0, name.indexOf('-')));
  return {
    rules: new Map(
      [...layers].map(([layer, chains]) => [
        layer,
        new Map(chains.map(([name, each]) => [bare(name), each])),
      ]),
    ),
    sets,
  };
}

/** For the walker, by table. */
export function tablesOf({ rules }: NftRuleset, version: IpVersion): ReadonlyMap<string, Chains> {
  const text = (name: string, each: readonly Rule[]): readonly string[] =>
    renderChain(name, each, version).map((rule) => rule.text);
  return new Map(
    [...rules].map(([layer, chains]) => [
      layer,
      new Map([...chains].map(([name, each]) => [name, text(name, each)])),
    ]),
  );
}

function bare(name: string): string {
  return name.slice(name.indexOf('-') + 1);
}

/** One rule, or for a verdict map one for each of its entries. */
function ruleOf(
  expressions: readonly unknown[],
  sets: Sets,
  maps: ReadonlyMap<string, readonly (readonly [string, string])[]>,
): readonly Rule[] {
  const matches: Match[] = [];
  let verdict: Verdict | undefined;
  for (const each of expressions) {
    const [kind = '', value] = only(each);
    if (kind === 'match') matches.push(...matchOf(value, sets));
    else if (kind === 'vmap') {
      const by =
        word(field(field(value, 'key'), 'meta'), 'key') === 'iifname' ? 'in-interface' : 'out-interface';
      const entries = maps.get(word(value, 'data').slice(1));
      if (entries === undefined) throw new RangeError(`no map ${JSON.stringify(value)}`);
      return entries.map(([name, chain]) => ({
        matches: [...matches, { kind: by, name } as const],
        verdict: { kind: 'goto', chain: bare(chain) },
      }));
    } else if (kind !== 'counter' && kind !== 'limit') verdict = verdictOf(kind, value);
  }
  const joined = joinIcmp(matches);
  return [verdict === undefined ? { matches: joined } : { matches: joined, verdict }];
}

function verdictOf(kind: string, value: unknown): Verdict {
  switch (kind) {
    case 'accept':
    case 'drop':
    case 'return':
      return { kind };
    case 'masquerade':
    case 'notrack':
      return { kind };
    case 'jump':
    case 'goto':
      return { kind, chain: bare(word(value, 'target')) };
    case 'log':
      return { kind, prefix: word(value, 'prefix').replace(/: $/, '') };
    case 'mangle':
      return markOf(field(value, 'value'));
    default:
      throw new RangeError(`no meaning known for ${kind} ${JSON.stringify(value)}`);
  }
}

/** `mark & m`, `mark | v`, or the one in the other. */
function markOf(value: unknown): Verdict {
  const [op, operands] = only(value);
  const [left, right] = list(operands);
  const bits = number(right);
  if (op === '&') return { kind: 'clear-mark', mask: ~bits >>> 0 };
  if (op !== '|') throw new RangeError(`no meaning known for mark ${JSON.stringify(value)}`);
  const inner = optional(left, '&');
  const cleared = inner === undefined ? 0 : ~number(list(inner)[1]) >>> 0;
  return { kind: 'set-mark', value: bits, mask: (bits | cleared) >>> 0 };
}

function matchOf(value: unknown, sets: Sets): readonly Match[] {
  const op = word(value, 'op');
  const not = op === '!=' || op === '!' ? ({ not: true } as const) : {};
  const right = field(value, 'right');
  const [kind = '', left] = only(field(value, 'left'));
  switch (kind) {
    case '&': {
      const mask = number(list(left)[1]);
      if (number(right) !== 0) return [{ kind: 'mark', value: number(right), mask }];
      return [{ kind: op === '!=' ? 'mark-not-clear' : 'mark-clear', mask }];
    }
    case 'ct':
      if (word(left, 'key') === 'status') return [{ kind: 'destination-changed', ...not }];
      return [
        {
          kind: 'conntrack',
          states: (Array.isArray(right) ? right : [right]).map(String).join().toUpperCase(),
        },
      ];
    case 'fib':
      return [{ kind: 'rpf-failed' }];
    case 'meta':
      return [metaMatch(word(left, 'key'), right, not)];
    case 'concat': {
      const [address, , port] = list(left);
      const side = sideOf(word(field(address, 'payload'), 'field'));
      const set = String(right).slice(1);
      return [
        ...impliedBy(word(field(port, 'payload'), 'protocol')),
        { kind: 'set', side, set, with: 'port', ...not },
      ];
    }
    case 'payload':
      return payloadMatch(word(left, 'protocol'), word(left, 'field'), right, sets, not);
    default:
      throw new RangeError(`no meaning known for ${JSON.stringify(value)}`);
  }
}

interface Negation {
  readonly not?: true;
}

function metaMatch(key: string, right: unknown, not: Negation): Match {
  if (key === 'l4proto')
    return { kind: 'protocol', protocol: typeof right === 'number' ? right : String(right), ...not };
  const kind = key === 'iifname' ? 'in-interface' : key === 'oifname' ? 'out-interface' : undefined;
  if (kind === undefined || not.not === true) throw new RangeError(`no meaning known for meta ${key}`);
  return { kind, name: String(right).replace(/\*$/, '+') };
}

/** The tool leaves out a match of the protocol where the name of a field implies it; `th` is a port of any. */
function impliedBy(protocol: string): readonly Match[] {
  return protocol === 'th' ? [] : [{ kind: 'protocol', protocol }];
}

function payloadMatch(
  protocol: string,
  name: string,
  right: unknown,
  sets: Sets,
  not: Negation,
): readonly Match[] {
  if (name === 'saddr' || name === 'daddr') {
    const side = sideOf(name);
    if (typeof right === 'string' && right.startsWith('@'))
      return [{ kind: 'set', side, set: right.slice(1), with: 'address', ...not }];
    return [{ kind: 'net', side, net: member(right), ...not }];
  }
  const implied = impliedBy(protocol);
  if (name === 'sport' || name === 'dport')
    return [...implied, { kind: 'ports', side: sideOf(name), ranges: rangesOf(right, sets), ...not }];
  if (name === 'protocol' || name === 'nexthdr')
    return [{ kind: 'protocol', protocol: typeof right === 'number' ? right : String(right), ...not }];
  if (name === 'type') return [...implied, { kind: 'icmp', type: number(right), ...not }];
  if (name === 'code') return [{ kind: 'icmp', type: -1, code: number(right), ...not }];
  throw new RangeError(`no meaning known for ${protocol} ${name}`);
}

/**
 * Type and code are one question of ours, which the tool prints as two; when it is negated, it prints two negations,
 * which is not what the kernel does with it.
 */
function joinIcmp(matches: readonly Match[]): readonly Match[] {
  const joined: Match[] = [];
  for (const match of matches) {
    const last = joined.at(-1);
    if (match.kind === 'icmp' && match.type === -1 && match.code !== undefined) {
      if (last?.kind !== 'icmp' || last.not !== match.not)
        throw new RangeError('an ICMP code without its type');
      joined[joined.length - 1] = { ...last, code: match.code };
    } else joined.push(match);
  }
  return joined;
}

function rangesOf(right: unknown, sets: Sets): readonly { readonly first: number; readonly last: number }[] {
  const members =
    typeof right === 'string' && right.startsWith('@') ? sets.get(right.slice(1)) : new Set([member(right)]);
  if (members === undefined) throw new RangeError(`no set ${JSON.stringify(right)}`);
  return [...members].map((text) => {
    const [first = 0, last = first] = text.split('-').map(Number);
    return { first, last };
  });
}

/** Addresses, prefixes, ports, ranges of ports, and (address, protocol, port), as members of sets are written. */
function member(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  const prefix = optional(value, 'prefix');
  if (prefix !== undefined) return `${word(prefix, 'addr')}/${number(field(prefix, 'len'))}`;
  const range = optional(value, 'range');
  if (range !== undefined) return list(range).map(number).join('-');
  const [address, protocol, port] = list(field(value, 'concat'));
  return `${String(address)},${PROTOCOL_NAMES.get(Number(protocol)) ?? String(protocol)}:${number(port)}`;
}

const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [132, 'sctp'],
]);

function entry(value: unknown): readonly [string, string] {
  const [name, verdict] = list(value);
  return [String(name), word(field(verdict, 'goto'), 'target')];
}

function sideOf(name: string): Side {
  return name.startsWith('s') ? 'source' : 'destination';
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function optional(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined;
}

function field(value: unknown, name: string): unknown {
  const found = optional(value, name);
  if (found === undefined) throw new RangeError(`no ${name} in ${JSON.stringify(value)}`);
  return found;
}

function word(value: unknown, name: string): string {
  return String(field(value, name));
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new RangeError(`no list: ${JSON.stringify(value)}`);
  return value;
}

function number(value: unknown): number {
  if (typeof value !== 'number') throw new RangeError(`no number: ${JSON.stringify(value)}`);
  return value;
}

function only(value: unknown): readonly [string | undefined, unknown] {
  return isObject(value) ? (Object.entries(value)[0] ?? [undefined, undefined]) : [undefined, undefined];
}
