/** BGPFilter resources as rules of a policy, in the order in which a BGPPeer names them. */
import type { BGPFilter, BGPFilterRule, Problem } from '../../api/index.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import { patternOf } from '../filter/community.ts';
import type { Community, Match, Operation, PolicyRule, PrefixMatch } from '../filter/policy.ts';
import { priorityMatch, setPriority } from './priorities.ts';
import { missing } from './problems.ts';
import type { ClusterResources } from './resources.ts';

export interface FilterRules {
  readonly importRules: readonly PolicyRule[];
  readonly exportRules: readonly PolicyRule[];
  /** Any: the rules are not what the user asked for, and must not be used. */
  readonly problems: readonly Problem[];
}

export function filterRules(
  names: readonly string[],
  version: 4 | 6,
  peer: string,
  resources: ClusterResources,
): FilterRules {
  const importRules: PolicyRule[] = [];
  const exportRules: PolicyRule[] = [];
  const problems: Problem[] = [];
  for (const [index, name] of names.entries()) {
    const filter = resources.bgpFilters.find((each) => each.metadata.name === name);
    if (filter === undefined) problems.push(missing(peer, `spec.filters[${index}]`, 'BGPFilter', name));
    else {
      importRules.push(...rulesOf(filter, version === 4 ? 'importV4' : 'importV6'));
      exportRules.push(...rulesOf(filter, version === 4 ? 'exportV4' : 'exportV6'));
    }
  }
  return { importRules, exportRules, problems };
}

type Direction = 'importV4' | 'importV6' | 'exportV4' | 'exportV6';

function rulesOf(filter: BGPFilter, direction: Direction): PolicyRule[] {
  const resource = `BGPFilter/${filter.metadata.name}`;
  return (filter.spec[direction] ?? []).map((rule, index) => {
    const field = `spec.${direction}[${index}]`;
    return {
      name: `${resource} ${field}`,
      match: matchOf(rule),
      action: rule.action === 'Accept' ? 'accept' : 'reject',
      ...(rule.operations === undefined ? {} : { operations: rule.operations.flatMap(operationOf) }),
    };
  });
}

function matchOf(rule: BGPFilterRule): Match {
  return {
    ...(rule.cidr === undefined ? {} : { prefix: prefixMatch(rule, rule.cidr) }),
    ...(rule.source === undefined ? {} : { source: 'peers' }),
    ...(rule.peerType === undefined ? {} : { peerKind: rule.peerType === 'eBGP' ? 'external' : 'internal' }),
    ...(rule.communities === undefined
      ? {}
      : { communities: { any: rule.communities.values.map((text) => patternOf(communityOf(text))) } }),
    ...(rule.asPathPrefix === undefined ? {} : { asPathPrefix: rule.asPathPrefix }),
    ...(rule.interface === undefined ? {} : { interface: rule.interface }),
    ...(rule.priority === undefined ? {} : priorityMatch(rule.priority)),
  };
}

function prefixMatch(rule: BGPFilterRule, text: string): PrefixMatch {
  const { min, max } = rule.prefixLength ?? {};
  return {
    operator: rule.matchOperator ?? 'In',
    cidr: prefixOf(text),
    ...(min === undefined ? {} : { minLength: min }),
    ...(max === undefined ? {} : { maxLength: max }),
  };
}

/** A text that the schema has accepted. @throws on any other */
export function prefixOf(text: string): Prefix {
  const prefix = Prefix.parse(text) ?? hostOf(text);
  if (prefix === undefined) throw new Error(`"${text}" passed the schema and is no prefix`);
  return prefix;
}

function hostOf(text: string): Prefix | undefined {
  const address = Address.parse(text);
  return address === undefined ? undefined : Prefix.host(address);
}

type RuleOperation = NonNullable<BGPFilterRule['operations']>[number];

function operationOf(operation: RuleOperation): Operation[] {
  if (operation.addCommunity !== undefined)
    return [{ type: 'add-community', community: communityOf(operation.addCommunity.value) }];
  if (operation.prependASPath !== undefined)
    return [{ type: 'prepend', asns: operation.prependASPath.prefix }];
  return operation.setPriority === undefined ? [] : [setPriority(operation.setPriority.value)];
}

/** `64512:100` or `64512:1:2`. */
export function communityOf(text: string): Community {
  const [first = 0, second = 0, third] = text.split(':').map(Number);
  return third === undefined
    ? { type: 'standard', value: first * 0x1_0000 + second }
    : { type: 'large', value: { global: first, local1: second, local2: third } };
}
