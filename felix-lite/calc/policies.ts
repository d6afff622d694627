/** Policies as calc keeps them: read from resources, ready to be put in order and compiled. */
import type { GlobalNetworkPolicy, NetworkPolicy } from '../../api/index.ts';
import { effectiveTypes } from '../../api/kinds/policy.ts';
import { FIXED_TIER_ACTIONS, FIXED_TIER_ORDERS } from '../../api/kinds/tier.ts';
import { type Problem, fail } from '../../api/problem.ts';
import { type Selector, compareText } from '../../api/selector/index.ts';
import { compileRules, plainRule } from './compile.ts';
import {
  type Direction,
  type PolicyId,
  policyKey,
  type PolicyStage,
  type RuleLists,
  type SetDefinition,
} from './model.ts';
import { policySelector } from './selectors.ts';

export interface Policy {
  readonly id: PolicyId;
  readonly tier: string;
  /** +infinity where none is set. */
  readonly order: number;
  readonly selector: Selector;
  /** Which of the kernel's places it judges in: the two that are not normal are those of host endpoints alone. */
  readonly stage: PolicyStage;
  /** At host endpoints, it judges forwarded packets too. */
  readonly applyOnForward: boolean;
  /** Its sets are kept ready though no endpoint of this node needs them yet (hint AssumeNeededOnEveryNode). */
  readonly everywhere: boolean;
  readonly types: Readonly<Record<Direction, boolean>>;
  readonly rules: RuleLists;
  readonly sets: readonly SetDefinition[];
}

export interface ReadPolicy {
  /** Undefined: it cannot be known whom the policy is for. */
  readonly policy: Policy | undefined;
  readonly problems: readonly Problem[];
}

type PolicyResource = NetworkPolicy | GlobalNetworkPolicy;

/** Where rules cannot be expressed, the policy denies in that direction, and a problem says so. */
export function readPolicy(resource: PolicyResource): ReadPolicy {
  const { kind, spec } = resource;
  const namespace = kind === 'NetworkPolicy' ? (resource.metadata.namespace ?? '') : undefined;
  const selector = policySelector(spec, namespace);
  if (!selector.ok) return { policy: undefined, problems: so(selector.problems, NOBODY) };
  const ingress = compileRules(spec.ingress ?? [], namespace, 'spec.ingress');
  const egress = compileRules(spec.egress ?? [], namespace, 'spec.egress');
  return {
    policy: {
      id: { kind, namespace: namespace ?? '', name: resource.metadata.name },
      tier: spec.tier,
      order: spec.order ?? Number.POSITIVE_INFINITY,
      selector: selector.value,
      ...placeOf(resource),
      everywhere: spec.performanceHints?.includes('AssumeNeededOnEveryNode') === true,
      types: effectiveTypes(spec),
      rules: {
        ingress: ingress.ok ? ingress.value.rules : [plainRule('Deny', 'spec.ingress')],
        egress: egress.ok ? egress.value.rules : [plainRule('Deny', 'spec.egress')],
      },
      sets: [...(ingress.ok ? ingress.value.sets : []), ...(egress.ok ? egress.value.sets : [])],
    },
    problems: [
      ...(ingress.ok ? [] : so(ingress.problems, 'all ingress of what it selects is denied')),
      ...(egress.ok ? [] : so(egress.problems, 'all egress of what it selects is denied')),
    ],
  };
}

/** What is done instead stands behind what is wrong. */
export function so(problems: readonly Problem[], consequence: string): readonly Problem[] {
  return problems.map((problem) => ({ ...problem, what: `${problem.what}, so ${consequence}` }));
}

export const CLOSED = 'everything to and from what it selects is denied';
const CLOSED_NAMESPACE =
  'everything to and from its whole namespace is denied, because nobody can tell whom it selects';
export const NOBODY = 'it is not enforced at all, because nobody can tell whom it selects';

/**
 * A policy that is in the datastore although the door would not let it in (another tool wrote it): whom it is
 * for is read as far as it goes, and to them it denies everything.
 */
export function readBrokenPolicy(id: PolicyId, value: unknown, problems: readonly Problem[]): ReadPolicy {
  const spec = fieldsOf(fieldsOf(value).spec);
  // Something that is no text, where one should be, is not as good as nothing: nothing selects everybody.
  const text = (name: string): string | undefined =>
    spec[name] === undefined || spec[name] === null
      ? undefined
      : typeof spec[name] === 'string'
        ? spec[name]
        : UNREADABLE;
  const selector = policySelector(
    {
      selector: text('selector'),
      namespaceSelector: text('namespaceSelector'),
      serviceAccountSelector: text('serviceAccountSelector'),
    },
    id.kind === 'NetworkPolicy' ? id.namespace : undefined,
  );
  // Nobody can say whom it selects: in a namespace, it closes that namespace; a whole cluster it must not close.
  const fallback =
    id.kind === 'NetworkPolicy' ? policySelector({}, id.namespace) : fail<Selector>(...problems);
  const chosen = selector.ok ? selector : fallback;
  if (!chosen.ok) return { policy: undefined, problems: so(problems, NOBODY) };
  const tier = text('tier') ?? 'default';
  const policy: Policy = {
    id,
    tier: tier === UNREADABLE ? 'default' : tier,
    order: typeof spec.order === 'number' ? spec.order : Number.POSITIVE_INFINITY,
    selector: chosen.value,
    stage: spec.doNotTrack === true ? 'untracked' : spec.preDNAT === true ? 'preDNAT' : 'normal',
    applyOnForward: spec.applyOnForward === true,
    everywhere: false,
    types: { ingress: true, egress: true },
    rules: { ingress: [plainRule('Deny', 'spec')], egress: [plainRule('Deny', 'spec')] },
    sets: [],
  };
  return { policy, problems: so(problems, selector.ok ? CLOSED : CLOSED_NAMESPACE) };
}

/** No selector. */
const UNREADABLE = '(';

function placeOf(resource: PolicyResource): Pick<Policy, 'stage' | 'applyOnForward'> {
  if (resource.kind !== 'GlobalNetworkPolicy') return { stage: 'normal', applyOnForward: false };
  const { doNotTrack = false, preDNAT = false, applyOnForward = false } = resource.spec;
  return { stage: doNotTrack ? 'untracked' : preDNAT ? 'preDNAT' : 'normal', applyOnForward };
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** Inside a tier: order ascending, none last; then `name/namespace/kind`. */
export function comparePolicies(a: Policy, b: Policy): number {
  if (a.order !== b.order) return a.order < b.order ? -1 : 1;
  return compareText(policyKey(a.id), policyKey(b.id));
}

export interface TierSettings {
  /** False: only policies speak of the tier. */
  readonly exists: boolean;
  readonly order: number;
  readonly defaultAction: 'Deny' | 'Pass';
}

/** Tiers that are there without being created. */
export function fixedTier(name: string): TierSettings {
  const order = Object.hasOwn(FIXED_TIER_ORDERS, name) ? FIXED_TIER_ORDERS[name] : undefined;
  if (order === undefined) return { exists: false, order: Number.POSITIVE_INFINITY, defaultAction: 'Deny' };
  return { exists: true, order, defaultAction: FIXED_TIER_ACTIONS[name] ?? 'Deny' };
}

/** Tiers that exist before those that do not; order ascending, none last; then name. */
export function compareTiers(
  [nameA, a]: readonly [string, TierSettings],
  [nameB, b]: readonly [string, TierSettings],
): number {
  if (a.exists !== b.exists) return a.exists ? -1 : 1;
  if (a.order !== b.order) return a.order < b.order ? -1 : 1;
  return compareText(nameA, nameB);
}
