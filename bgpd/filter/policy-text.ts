/**
 * Policies as people write them, in plain strings and numbers, and their way to {@link Policy}. Whoever reads a file
 * checks its shape first (`bgpd/config` by schema, a library user by types); what a string means is checked here.
 */
import { Address, Prefix } from '../../net/addr/index.ts';
import type { Origin } from '../wire/types.ts';
import { parseAsPathPattern } from './as-path-pattern.ts';
import { parseCommunity, parseCommunityPattern } from './community.ts';
import type {
  Community,
  CommunityPattern,
  Match,
  Operation,
  Policy,
  PolicyRule,
  PrefixRange,
} from './policy.ts';
import type { Range } from './range.ts';

export interface RuleText {
  readonly name?: string;
  readonly match?: MatchText;
  /** `continue`: carry out `set` and ask the rules that follow. */
  readonly action: 'accept' | 'reject' | 'continue';
  readonly set?: SetText;
}

export interface MatchText {
  readonly prefixes?: readonly PrefixText[];
  readonly prefixLength?: RangeText;
  readonly source?: 'local' | 'peers';
  readonly peerKind?: 'external' | 'internal';
  /** `eth0`, `cali*`. */
  readonly interface?: string;
  /** At least one of these: `65001:100`, `65001:*`, `65001:1-9`, `65001:1:*`, `rt:65001:7`, `no-export`. */
  readonly communities?: readonly string[];
  readonly allCommunities?: readonly string[];
  readonly noCommunities?: readonly string[];
  readonly asPathPrefix?: readonly number[];
  /** `65001 .*`: see `as-path-pattern.ts`. */
  readonly asPath?: string;
  readonly asPathLength?: RangeText;
  readonly med?: RangeText | 'absent';
  readonly localPref?: RangeText | 'absent';
  readonly origin?: readonly Origin[];
  readonly nextHop?: readonly string[];
  readonly not?: MatchText;
}

/** Without bounds exactly this prefix; with one or both, this and more specific ones of such a length. */
export interface PrefixText {
  readonly prefix: string;
  readonly minLength?: number;
  readonly maxLength?: number;
}

export type RangeText = number | { readonly min?: number; readonly max?: number };

export interface SetText {
  readonly localPref?: number;
  /** `absent` takes it off. */
  readonly med?: number | 'absent';
  /** Added to what is there; below zero, taken from it. */
  readonly addMed?: number;
  readonly prepend?: readonly number[];
  readonly addCommunities?: readonly string[];
  /** Patterns; carried out before `addCommunities`, so that `*:*` and an addition make a replacement. */
  readonly removeCommunities?: readonly string[];
  readonly origin?: Origin;
  readonly nextHop?: string;
}

/** What is wrong with a rule; `path` leads to the field from the rule. */
export interface RuleComplaint {
  readonly path: readonly (string | number)[];
  readonly what: string;
  readonly remedy: string;
}

/**
 * @param rules  without a complaint by {@link ruleComplaints}
 * @param nameOf  how verdicts speak of a rule
 */
export function policyOfRules(
  rules: readonly RuleText[],
  otherwise: Policy['otherwise'],
  nameOf: (rule: RuleText, index: number) => string = (rule, index) => rule.name ?? `rule ${index}`,
): Policy {
  return { rules: rules.map((rule, index) => ruleOf(rule, nameOf(rule, index))), otherwise };
}

/** @throws where {@link ruleComplaints} would have complained of a string */
export function ruleOf(rule: RuleText, name: string): PolicyRule {
  const operations = rule.set === undefined ? [] : [...operationsOf(rule.set)];
  return {
    name,
    match: rule.match === undefined ? {} : matchOf(rule.match),
    action: rule.action,
    ...(operations.length === 0 ? {} : { operations }),
  };
}

function matchOf(text: MatchText): Match {
  const { prefixes, prefixLength, asPathLength, med, localPref, nextHop, not } = text;
  const communities = {
    ...(text.communities === undefined ? {} : { any: text.communities.map(pattern) }),
    ...(text.allCommunities === undefined ? {} : { all: text.allCommunities.map(pattern) }),
    ...(text.noCommunities === undefined ? {} : { none: text.noCommunities.map(pattern) }),
  };
  return {
    ...plainFields(text),
    ...(prefixes === undefined ? {} : { prefixes: prefixes.map(prefixRange) }),
    ...(prefixLength === undefined ? {} : { prefixLength: range(prefixLength) }),
    ...(Object.keys(communities).length === 0 ? {} : { communities }),
    ...(asPathLength === undefined ? {} : { asPathLength: range(asPathLength) }),
    ...(med === undefined ? {} : { med: med === 'absent' ? med : range(med) }),
    ...(localPref === undefined ? {} : { localPref: localPref === 'absent' ? localPref : range(localPref) }),
    ...(nextHop === undefined ? {} : { nextHop: nextHop.map(known(prefixOrHost)) }),
    ...(not === undefined ? {} : { not: matchOf(not) }),
  };
}

/** Fields that mean what they say. */
const PLAIN = ['source', 'peerKind', 'interface', 'asPathPrefix', 'asPath', 'origin'] as const;

function plainFields(text: MatchText): Match {
  return Object.fromEntries(
    PLAIN.flatMap((field) => (text[field] === undefined ? [] : [[field, text[field]]])),
  );
}

function range(text: RangeText): Range {
  return typeof text === 'number' ? { min: text, max: text } : text;
}

function prefixRange({ prefix, minLength, maxLength }: PrefixText): PrefixRange {
  const cidr = known(cidrOf)(prefix);
  if (minLength === undefined && maxLength === undefined) return { cidr, maxLength: cidr.length };
  return {
    cidr,
    ...(minLength === undefined ? {} : { minLength }),
    ...(maxLength === undefined ? {} : { maxLength }),
  };
}

function* operationsOf(set: SetText): Generator<Operation> {
  const { localPref, med, addMed, prepend, origin, nextHop } = set;
  if (localPref !== undefined) yield { type: 'set-local-pref', value: localPref };
  if (med !== undefined) yield med === 'absent' ? { type: 'remove-med' } : { type: 'set-med', value: med };
  if (addMed !== undefined) yield { type: 'add-med', value: addMed };
  if (prepend !== undefined) yield { type: 'prepend', asns: prepend };
  if (set.removeCommunities !== undefined)
    yield { type: 'remove-communities', patterns: set.removeCommunities.map(pattern) };
  for (const text of set.addCommunities ?? [])
    yield { type: 'add-community', community: known<Community>(parseCommunity)(text) };
  if (origin !== undefined) yield { type: 'set-origin', origin };
  if (nextHop !== undefined) yield { type: 'set-next-hop', to: known(nextHopOf)(nextHop) };
}

function pattern(text: string): CommunityPattern {
  return known(parseCommunityPattern)(text);
}

function cidrOf(text: string): Prefix | undefined {
  return Prefix.parse(text);
}

function prefixOrHost(text: string): Prefix | undefined {
  const address = Address.parse(text);
  return address === undefined ? Prefix.parse(text) : Prefix.host(address);
}

function nextHopOf(text: string): Address | 'self' | 'keep' | undefined {
  return text === 'self' || text === 'keep' ? text : Address.parse(text);
}

function known<T>(parse: (text: string) => T | undefined): (text: string) => T {
  return (text) => {
    const value = parse(text);
    if (value === undefined) throw new Error(`"${text}" was not checked before it was used`);
    return value;
  };
}

/** Everything that types do not say. */
export function* ruleComplaints(rule: RuleText): Generator<RuleComplaint> {
  if (rule.set !== undefined && rule.action === 'reject')
    yield {
      path: ['set'],
      what: 'a rejected route cannot be changed',
      remedy: 'use another action, or remove set',
    };
  if (rule.match !== undefined) yield* under('match', matchComplaints(rule.match));
  if (rule.set !== undefined) yield* under('set', setComplaints(rule.set));
}

function* under(field: string | number, complaints: Iterable<RuleComplaint>): Generator<RuleComplaint> {
  for (const complaint of complaints) yield { ...complaint, path: [field, ...complaint.path] };
}

const COMMUNITY = 'write 65001:100, 65001:1:2 (large), rt:65001:100 (extended), or a name such as no-export';
const COMMUNITY_PATTERN = `${COMMUNITY}; * and 1-9 stand for any number and for a range`;

function* matchComplaints(match: MatchText): Generator<RuleComplaint> {
  for (const [i, each] of (match.prefixes ?? []).entries())
    yield* under('prefixes', under(i, prefixComplaints(each)));
  for (const field of ['communities', 'allCommunities', 'noCommunities'] as const)
    yield* strings(
      field,
      match[field],
      parseCommunityPattern,
      'is no pattern of communities',
      COMMUNITY_PATTERN,
    );
  yield* strings(
    'nextHop',
    match.nextHop,
    prefixOrHost,
    'is no address and no prefix',
    'write 192.0.2.1 or 192.0.2.0/24',
  );
  for (const field of ['prefixLength', 'asPathLength', 'med', 'localPref'] as const)
    yield* under(field, rangeComplaints(match[field]));
  if (match.asPath !== undefined) yield* under('asPath', asPathComplaints(match.asPath));
  if (match.not !== undefined) yield* under('not', matchComplaints(match.not));
}

function* setComplaints(set: SetText): Generator<RuleComplaint> {
  yield* strings('addCommunities', set.addCommunities, parseCommunity, 'is no community', COMMUNITY);
  yield* strings(
    'removeCommunities',
    set.removeCommunities,
    parseCommunityPattern,
    'is no pattern of communities',
    COMMUNITY_PATTERN,
  );
  if (set.nextHop !== undefined && nextHopOf(set.nextHop) === undefined)
    yield {
      path: ['nextHop'],
      what: `"${set.nextHop}" is no address`,
      remedy: 'write an address, self or keep',
    };
  if (set.med !== undefined && set.addMed !== undefined)
    yield { path: ['addMed'], what: 'med is set as well', remedy: 'keep one of the two' };
}

function* prefixComplaints({ prefix, minLength, maxLength }: PrefixText): Generator<RuleComplaint> {
  const cidr = Prefix.parse(prefix);
  if (cidr === undefined) {
    const remedy = 'write the network and its length, 10.0.0.0/8, with no bits set behind the length';
    yield { path: ['prefix'], what: `"${prefix}" is no prefix`, remedy };
    return;
  }
  const { bits } = cidr.address;
  for (const [field, value] of Object.entries({ minLength, maxLength })) {
    if (value === undefined || (value >= cidr.length && value <= bits)) continue;
    const what = `no prefix in ${prefix} has the length ${value}`;
    yield { path: [field], what, remedy: `use a length from ${cidr.length} to ${bits}` };
  }
  if (minLength !== undefined && maxLength !== undefined && minLength > maxLength)
    yield {
      path: ['minLength'],
      what: `minLength ${minLength} is above maxLength ${maxLength}`,
      remedy: 'swap them',
    };
}

function* rangeComplaints(text: RangeText | 'absent' | undefined): Generator<RuleComplaint> {
  if (typeof text !== 'object' || text.min === undefined || text.max === undefined) return;
  if (text.min > text.max)
    yield { path: [], what: `min ${text.min} is above max ${text.max}`, remedy: 'swap them' };
}

function* asPathComplaints(text: string): Generator<RuleComplaint> {
  const parsed = parseAsPathPattern(text);
  if (parsed.ok) return;
  yield {
    path: [],
    what: `${parsed.what}, at character ${parsed.at + 1} of "${text}"`,
    remedy: 'write AS numbers, . for any, ( | ) [ - ] and * + ? {1,2} behind what they repeat',
  };
}

function* strings(
  field: string,
  texts: readonly string[] | undefined,
  parse: (text: string) => unknown,
  wrong: string,
  remedy: string,
): Generator<RuleComplaint> {
  for (const [i, text] of (texts ?? []).entries())
    if (parse(text) === undefined) yield { path: [field, i], what: `"${text}" ${wrong}`, remedy };
}
