/**
 * The verdict of policy on the first packet of a connection, with every step that led to it. A plain function
 * of the resources, written from the specification of the model and not from our rules: it answers `explain`,
 * and the rules are tested against it.
 */
import {
  type GlobalNetworkPolicy,
  type NetworkPolicy,
  type Profile,
  type Resource,
  type Rule,
  type WorkloadEndpoint,
  effectiveTypes,
} from '../../api/index.ts';
import type { Packet } from './packet.ts';
import { ruleMatches } from './rule-matches.ts';
import { selects } from './selection.ts';
import type { Party, World } from './world.ts';

export type Direction = 'ingress' | 'egress';

/** One thing that was asked on the way. */
export interface Step {
  /** `Tier/default`, `NetworkPolicy/prod/web`, `Profile/kns.prod`, or `Endpoint`. */
  readonly asked: string;
  /** The rule that matched: `spec.ingress[1]`. */
  readonly field?: string;
  readonly said: 'Allow' | 'Deny' | 'Pass' | 'Log' | 'no match';
}

export interface Judgement {
  readonly allowed: boolean;
  /** In the order in which they were asked; the last one decided. */
  readonly steps: readonly Step[];
}

export type Policy = NetworkPolicy | GlobalNetworkPolicy;

/** What one workload's policy says to a packet that goes to it (ingress) or comes from it (egress). */
export function judge(
  world: World,
  workload: WorkloadEndpoint,
  direction: Direction,
  packet: Packet,
): Judgement {
  const steps: Step[] = [];
  const tunnelled = packet.protocol === 4 || (packet.protocol === 17 && packet.destinationPort === 4789);
  if (direction === 'egress' && tunnelled) {
    return {
      allowed: false,
      steps: [{ asked: 'Endpoint', field: 'encapsulation from a workload', said: 'Deny' }],
    };
  }
  const question = { world, party: world.workload(workload), direction, packet, steps };
  const said = askTiers(question, isNormal, true);
  const allowed = said === undefined ? askProfiles(question, workload.spec.profiles ?? []) : said === 'Allow';
  return { allowed, steps };
}

export interface Question {
  readonly world: World;
  /** Whose policy is asked. */
  readonly party: Party;
  readonly direction: Direction;
  readonly packet: Packet;
  /** What was asked so far; what is asked is added. */
  readonly steps: Step[];
}

/**
 * Undefined: the tiers passed it, or there are none.
 *
 * @param ends  whether a tier that no policy decides does what it says of its end, or leaves the packet to a later place
 */
export function askTiers(
  question: Question,
  wanted: (policy: Policy) => boolean,
  ends: boolean,
): 'Allow' | 'Deny' | undefined {
  const { steps } = question;
  for (const { name, defaultAction, policies } of tiersFor(question, wanted)) {
    let passed = false;
    for (const policy of policies) {
      const asked = nameOf(question.world.originOf(policy));
      const match = firstMatch(policy, question, asked);
      if (match === undefined) {
        steps.push({ asked, said: 'no match' });
        continue;
      }
      steps.push({ asked, field: match.field, said: match.action });
      if (match.action !== 'Pass') return match.action;
      passed = true;
      break;
    }
    if (passed || !ends) continue;
    steps.push({ asked: `Tier/${name}`, field: 'spec.defaultAction', said: defaultAction });
    if (defaultAction === 'Deny') return 'Deny';
  }
  return undefined;
}

/** Whether one of the profiles allows it; an unknown one allows nothing, but for the one that is there by its name. */
export function askProfiles(question: Question, names: readonly string[]): boolean {
  const { world, steps } = question;
  for (const name of names) {
    const asked = `Profile/${name}`;
    const profile = world.profiles.get(name);
    if (profile === undefined) {
      const said = name === 'projectcalico-default-allow' ? 'Allow' : 'Deny';
      steps.push({ asked, said });
      return said === 'Allow';
    }
    const match = firstMatch(profile, question, asked);
    if (match === undefined || match.action === 'Pass') {
      steps.push({ asked, said: match?.action ?? 'no match' });
      continue;
    }
    steps.push({ asked, field: match.field, said: match.action });
    return match.action === 'Allow';
  }
  steps.push({ asked: 'Endpoint', field: 'no profile allowed it', said: 'Deny' });
  return false;
}

export type Stage = 'normal' | 'preDNAT' | 'untracked';

export function stageOf(policy: Policy): Stage {
  if (policy.kind !== 'GlobalNetworkPolicy') return 'normal';
  return policy.spec.doNotTrack === true ? 'untracked' : policy.spec.preDNAT === true ? 'preDNAT' : 'normal';
}

interface Match {
  readonly field: string;
  readonly action: 'Allow' | 'Deny' | 'Pass';
}

/** A list of rules with one that cannot be enforced denies all that it judges: nobody knows what it would have let pass. */
function firstMatch(
  owner: Policy | Profile,
  { world, direction, packet, steps }: Question,
  asked: string,
): Match | undefined {
  const rules: readonly Rule[] = owner.spec[direction] ?? [];
  const strange = rules.findIndex(({ http }) => http !== undefined);
  if (strange >= 0) return { field: `spec.${direction}[${strange}].http`, action: 'Deny' };
  for (const [index, rule] of rules.entries()) {
    if (!ruleMatches(rule, owner.metadata.namespace, packet, world)) continue;
    const field = `spec.${direction}[${index}]`;
    if (rule.action !== 'Log') return { field, action: rule.action };
    steps.push({ asked, field, said: 'Log' });
  }
  return undefined;
}

export interface TierStep {
  readonly name: string;
  readonly defaultAction: 'Deny' | 'Pass';
  readonly policies: readonly Policy[];
}

/**
 * The tiers and policies that judge a party, in order.
 *
 * @param wanted  which policies; default: those of the place where workloads are judged
 */
export function tiersOf(
  world: World,
  party: Party,
  direction: Direction,
  wanted: (policy: Policy) => boolean = isNormal,
): readonly TierStep[] {
  return tiersFor({ world, party, direction }, wanted);
}

function isNormal(policy: Policy): boolean {
  return stageOf(policy) === 'normal';
}

/** Tiers with at least one policy for this party in this direction. */
function tiersFor(
  { world, party, direction }: Pick<Question, 'world' | 'party' | 'direction'>,
  wanted: (policy: Policy) => boolean,
): readonly TierStep[] {
  const policies = policiesFor(world, party).filter(
    (policy) => wanted(policy) && effectiveTypes(policy.spec)[direction],
  );
  const names = [...new Set(policies.map(({ spec }) => spec.tier))];
  const key = (name: string): readonly [number, number, string] => {
    const order = world.tiers.get(name)?.spec.order ?? FIXED[name]?.order;
    return [world.tiers.has(name) || name in FIXED ? 0 : 1, order ?? Number.POSITIVE_INFINITY, name];
  };
  return names
    .sort((a, b) => compareKeys(key(a), key(b)))
    .map((name) => ({
      name,
      defaultAction: world.tiers.get(name)?.spec.defaultAction ?? FIXED[name]?.defaultAction ?? 'Deny',
      policies: policies
        .filter(({ spec }) => spec.tier === name)
        .sort((a, b) => compareKeys(policyOrder(world, a), policyOrder(world, b))),
    }));
}

const POLICIES = new WeakMap<World, Map<Party, readonly Policy[]>>();

/** Remembered: the same parties are asked about many packets. */
function policiesFor(world: World, party: Party): readonly Policy[] {
  const known = POLICIES.get(world) ?? new Map<Party, readonly Policy[]>();
  POLICIES.set(world, known);
  const policies = known.get(party) ?? world.policies.filter((policy) => appliesTo(policy, party));
  known.set(party, policies);
  return policies;
}

const FIXED: Readonly<Record<string, { readonly order: number; readonly defaultAction: 'Deny' | 'Pass' }>> = {
  'kube-admin': { order: 1000, defaultAction: 'Pass' },
  default: { order: 1_000_000, defaultAction: 'Deny' },
  'kube-baseline': { order: 10_000_000, defaultAction: 'Pass' },
  // Of the forerunners of ClusterNetworkPolicy.
  adminnetworkpolicy: { order: 1000, defaultAction: 'Pass' },
  baselineadminnetworkpolicy: { order: 10_000_000, defaultAction: 'Pass' },
};

/** Policies of Kubernetes are known by the names of their kind; of those of the cluster there are three kinds under one. */
function policyOrder(world: World, policy: Policy): readonly [number, number, string] {
  const { kind, metadata } = world.originOf(policy);
  const prefix = {
    ClusterNetworkPolicy: 'kcnp.',
    AdminNetworkPolicy: 'kanp.',
    BaselineAdminNetworkPolicy: 'kbanp.',
  };
  const [name, as] =
    kind === 'ClusterNetworkPolicy' || kind === 'AdminNetworkPolicy' || kind === 'BaselineAdminNetworkPolicy'
      ? [prefix[kind] + metadata.name, 'KubernetesClusterNetworkPolicy']
      : [metadata.name, kind];
  const order = policy.spec.order ?? Number.POSITIVE_INFINITY;
  return [0, order, `${name}/${metadata.namespace ?? ''}/${as}`];
}

function compareKeys(a: readonly [number, number, string], b: readonly [number, number, string]): number {
  if (a[0] !== b[0]) return a[0] - b[0];
  if (a[1] !== b[1]) return a[1] < b[1] ? -1 : 1;
  return a[2] < b[2] ? -1 : Number(a[2] > b[2]);
}

function appliesTo(policy: Policy, party: Party): boolean {
  const { selector = '', serviceAccountSelector = '' } = policy.spec;
  if (policy.kind === 'NetworkPolicy' && party.namespace !== policy.metadata.namespace) return false;
  if (selector !== '' && !selects(selector, party.labels)) return false;
  if (policy.kind === 'GlobalNetworkPolicy') {
    const { namespaceSelector = '' } = policy.spec;
    if (
      namespaceSelector !== '' &&
      !selects(namespaceSelector, party.labels, 'pcns.', party.namespace !== undefined)
    )
      return false;
  }
  return (
    serviceAccountSelector === '' ||
    selects(serviceAccountSelector, party.labels, 'pcsa.', party.serviceAccount !== undefined)
  );
}

function nameOf({ kind, metadata }: Resource): string {
  return [kind, metadata.namespace, metadata.name].filter((part) => part !== undefined).join('/');
}
