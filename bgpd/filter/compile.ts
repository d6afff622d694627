/**
 * A policy made ready to run: each match becomes a list of tests, cheapest first, patterns are parsed and long prefix
 * lists indexed once. What a compiled policy looks at is known, so that a verdict can be kept for as long as it holds.
 */
import { asPathLength } from '../rib/attributes.ts';
import type { AsSegment, PathAttributes } from '../wire/types.ts';
import { parseAsPathPattern } from './as-path-pattern.ts';
import { fitsSome } from './community.ts';
import { perform } from './operate.ts';
import type { CommunityMatch, Match, Operation, Policy, PolicyRule, RouteView, Verdict } from './model.ts';
import { matchesPrefix, prefixTest } from './prefix-list.ts';
import { inRange, type Range } from './range.ts';

type Test = (route: RouteView) => boolean;

export interface CompiledPolicy {
  readonly looksAtPrefix: boolean;
  readonly looksAtInterface: boolean;
  evaluate(route: RouteView): Verdict;
}

const compiled = new WeakMap<Policy, CompiledPolicy>();

/** Once per policy object. @throws where `asPath` of a match is no pattern; a parsed policy never does */
export function compile(policy: Policy): CompiledPolicy {
  let known = compiled.get(policy);
  if (known === undefined) {
    const rules = policy.rules.map((rule) => ({ rule, test: matchTest(rule.match) }));
    known = {
      looksAtPrefix: policy.rules.some(({ match }) => mentions(match, PREFIX_FIELDS)),
      looksAtInterface: policy.rules.some(({ match }) => mentions(match, ['interface'])),
      evaluate: (route) => run(policy, rules, route),
    };
    compiled.set(policy, known);
  }
  return known;
}

/** The link, too: that of a single address of our own is told by the prefix; see `export.ts`. */
const PREFIX_FIELDS = ['prefix', 'prefixes', 'prefixLength', 'interface'] as const;

function mentions(match: Match, fields: readonly (keyof Match)[]): boolean {
  if (fields.some((field) => match[field] !== undefined)) return true;
  return match.not !== undefined && mentions(match.not, fields);
}

interface CompiledRule {
  readonly rule: PolicyRule;
  readonly test: Test;
}

type NextHopSetting = Extract<Operation, { type: 'set-next-hop' }>['to'];

interface Changes {
  readonly view: RouteView;
  readonly nextHop: NextHopSetting | undefined;
  readonly changedBy: readonly string[];
}

/** Said in place of a rule's name where none decided and the policy's `otherwise` did. */
export const NO_RULE = 'no rule matched';

/** No allocation but the verdict where no rule changes anything: this runs for every route. */
function run(policy: Policy, rules: readonly CompiledRule[], route: RouteView): Verdict {
  let changes: Changes | undefined;
  for (const { rule, test } of rules) {
    if (!test(changes?.view ?? route)) continue;
    if (rule.action === 'reject') return { accepted: false, rule: rule.name };
    if (rule.operations !== undefined)
      changes = operate(
        rule.name,
        rule.operations,
        changes ?? { view: route, nextHop: undefined, changedBy: [] },
      );
    if (rule.action === 'accept') return accepted(rule.name, route, changes);
  }
  return policy.otherwise === 'accept'
    ? accepted(NO_RULE, route, changes)
    : { accepted: false, rule: NO_RULE };
}

function accepted(rule: string, route: RouteView, changes: Changes | undefined): Verdict {
  if (changes === undefined) return { accepted: true, rule, attributes: route.attributes };
  const { view, nextHop, changedBy } = changes;
  return {
    accepted: true,
    rule,
    attributes: view.attributes,
    ...(nextHop === undefined ? {} : { nextHop }),
    ...(changedBy.length === 0 ? {} : { changedBy }),
  };
}

function operate(rule: string, operations: readonly Operation[], before: Changes): Changes {
  const attributes = operations.reduce(perform, before.view.attributes);
  const nextHop = operations.reduce<NextHopSetting | undefined>(
    (current, operation) => (operation.type === 'set-next-hop' ? operation.to : current),
    before.nextHop,
  );
  if (attributes === before.view.attributes && nextHop === before.nextHop) return before;
  return { view: { ...before.view, attributes }, nextHop, changedBy: [...before.changedBy, rule] };
}

/** Does the route match? For whoever has a single match; policies go through {@link compile}. */
export function matches(match: Match, route: RouteView): boolean {
  return matchTest(match)(route);
}

function matchTest(match: Match): Test {
  const tests = [...testsOf(match)];
  const [only] = tests;
  if (only === undefined) return () => true;
  return tests.length === 1 ? only : (route) => tests.every((test) => test(route));
}

function* testsOf(match: Match): Generator<Test> {
  const { source, peerKind, prefix, prefixes, prefixLength, nextHop, not } = match;
  if (source !== undefined) yield (route) => route.source === source;
  if (peerKind !== undefined) yield (route) => route.peerKind === peerKind;
  if (prefixLength !== undefined) yield (route) => inRange(prefixLength, route.prefix.length);
  if (prefix !== undefined) yield (route) => matchesPrefix(prefix, route.prefix);
  if (prefixes !== undefined) {
    const within = prefixTest(prefixes);
    yield (route) => within(route.prefix);
  }
  yield* attributeTests(match);
  if (nextHop !== undefined)
    yield (route) => {
      const address = route.nextHop?.address;
      return address !== undefined && nextHop.some((prefix) => prefix.contains(address));
    };
  if (match.interface !== undefined) yield interfaceTest(match.interface);
  if (not !== undefined) {
    const test = matchTest(not);
    yield (route) => !test(route);
  }
}

function* attributeTests({
  med,
  localPref,
  origin,
  asPathLength: length,
  asPathPrefix,
  asPath,
  communities,
}: Match): Generator<Test> {
  if (med !== undefined) yield (route) => fits(med, route.attributes.med);
  if (localPref !== undefined) yield (route) => fits(localPref, route.attributes.localPref);
  if (origin !== undefined) yield (route) => origin.includes(route.attributes.origin);
  if (length !== undefined) yield (route) => inRange(length, asPathLength(route.attributes.asPath));
  if (asPathPrefix !== undefined) yield (route) => startsWith(route.attributes.asPath, asPathPrefix);
  if (communities !== undefined) yield (route) => carries(route.attributes, communities);
  if (asPath !== undefined) {
    const parsed = parseAsPathPattern(asPath);
    if (!parsed.ok) throw new Error(`AS path pattern "${asPath}": ${parsed.what}`);
    yield (route) => parsed.pattern.matches(route.attributes.asPath);
  }
}

function fits(wanted: Range | 'absent', value: number | undefined): boolean {
  if (wanted === 'absent') return value === undefined;
  return value !== undefined && inRange(wanted, value);
}

function carries(attributes: PathAttributes, { any, all, none }: CommunityMatch): boolean {
  if (any !== undefined && !any.some((pattern) => fitsSome(attributes, pattern))) return false;
  if (all !== undefined && !all.every((pattern) => fitsSome(attributes, pattern))) return false;
  return none === undefined || !none.some((pattern) => fitsSome(attributes, pattern));
}

/** Over the borders of sequences, of which a long path has several; a set is no particular AS. */
function startsWith(path: readonly AsSegment[], asns: readonly number[]): boolean {
  let matched = 0;
  for (const segment of path) {
    if (matched === asns.length) return true;
    if (segment.type !== 'sequence') return false;
    for (const asn of segment.asns) {
      if (matched === asns.length) return true;
      if (asn !== asns[matched]) return false;
      matched++;
    }
  }
  return matched === asns.length;
}

/** `eth0`, `cali*`. The pieces between the stars are looked for from left to right: no backtracking. */
function interfaceTest(pattern: string): Test {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  return ({ interface: name }) => {
    if (name === undefined) return false;
    if (last === undefined) return name === first;
    if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length)
      return false;
    let at = first.length;
    for (const piece of rest) {
      const found = name.indexOf(piece, at);
      if (found === -1 || found + piece.length > name.length - last.length) return false;
      at = found + piece.length;
    }
    return true;
  };
}
