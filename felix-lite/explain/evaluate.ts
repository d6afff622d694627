/**
 * The verdict of policy on the first packet of a connection, with every step that led to it. A plain function
 * of the resources, written from the specification of the model and not from our rules: it answers `explain`,
 * and the rules are tested against it.
 */
import {
  type GlobalNetworkPolicy,
  type NetworkPolicy,
  type Rule,
  type WorkloadEndpoint,
  effectiveTypes,
  parseSelector,
} from '../../api/index.ts';
import type { Packet } from './packet.ts';
import { ruleMatches } from './rule-matches.ts';
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

type Policy = NetworkPolicy | GlobalNetworkPolicy;

/** What one workload's policy says to a packet that goes to it (ingress) or comes from it (egress). */
export function judge(
  world: World,
  workload: WorkloadEndpoint,
  direction: Direction,
  packet: Packet,
): Judgement {
  const steps: Step[] = [];
  const decide = (allowed: boolean, step: Step): Judgement => ({ allowed, steps: [...steps, step] });
  const tunnelled = packet.protocol === 4 || (packet.protocol === 17 && packet.destinationPort === 4789);
  if (direction === 'egress' && tunnelled) {
    return decide(false, { asked: 'Endpoint', field: 'encapsulation from a workload', said: 'Deny' });
  }
  for (const { name, defaultAction, policies } of tiersFor(world, workload, direction)) {
    let passed = false;
    for (const policy of policies) {
      const asked = nameOf(policy);
      const match = firstMatch(
        policy.spec[direction] ?? [],
        direction,
        policy.metadata.namespace,
        packet,
        world,
        (field) => steps.push({ asked, field, said: 'Log' }),
      );
      if (match === undefined) {
        steps.push({ asked, said: 'no match' });
        continue;
      }
      const step: Step = { asked, field: match.field, said: match.action };
      if (match.action !== 'Pass') return decide(match.action === 'Allow', step);
      steps.push(step);
      passed = true;
      break;
    }
    if (passed) continue;
    const step: Step = { asked: `Tier/${name}`, field: 'spec.defaultAction', said: defaultAction };
    if (defaultAction === 'Deny') return decide(false, step);
    steps.push(step);
  }
  for (const name of workload.spec.profiles ?? []) {
    const asked = `Profile/${name}`;
    const profile = world.profiles.get(name);
    if (profile === undefined) {
      return decide(name === 'projectcalico-default-allow', {
        asked,
        said: name === 'projectcalico-default-allow' ? 'Allow' : 'Deny',
      });
    }
    const match = firstMatch(profile.spec[direction] ?? [], direction, undefined, packet, world, (field) =>
      steps.push({ asked, field, said: 'Log' }),
    );
    if (match === undefined || match.action === 'Pass') {
      steps.push({ asked, said: match?.action ?? 'no match' });
      continue;
    }
    return decide(match.action === 'Allow', { asked, field: match.field, said: match.action });
  }
  return decide(false, { asked: 'Endpoint', field: 'no profile allowed it', said: 'Deny' });
}

interface Match {
  readonly field: string;
  readonly action: 'Allow' | 'Deny' | 'Pass';
}

function firstMatch(
  rules: readonly Rule[],
  direction: Direction,
  namespace: string | undefined,
  packet: Packet,
  world: World,
  log: (field: string) => void,
): Match | undefined {
  for (const [index, rule] of rules.entries()) {
    if (!ruleMatches(rule, namespace, packet, world)) continue;
    const field = `spec.${direction}[${index}]`;
    if (rule.action !== 'Log') return { field, action: rule.action };
    log(field);
  }
  return undefined;
}

interface TierStep {
  readonly name: string;
  readonly defaultAction: 'Deny' | 'Pass';
  readonly policies: readonly Policy[];
}

/** Tiers with at least one policy for this workload in this direction. */
function tiersFor(world: World, workload: WorkloadEndpoint, direction: Direction): readonly TierStep[] {
  const party = world.workload(workload);
  const policies = world.policies.filter((policy) => {
    if (
      policy.kind === 'GlobalNetworkPolicy' &&
      (policy.spec.doNotTrack === true || policy.spec.preDNAT === true)
    )
      return false;
    return effectiveTypes(policy.spec)[direction] && appliesTo(policy, party);
  });
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
        .sort((a, b) => compareKeys(policyOrder(a), policyOrder(b))),
    }));
}

const FIXED: Readonly<Record<string, { readonly order: number; readonly defaultAction: 'Deny' | 'Pass' }>> = {
  'kube-admin': { order: 1000, defaultAction: 'Pass' },
  default: { order: 1_000_000, defaultAction: 'Deny' },
  'kube-baseline': { order: 10_000_000, defaultAction: 'Pass' },
};

function policyOrder({ kind, metadata, spec }: Policy): readonly [number, number, string] {
  return [0, spec.order ?? Number.POSITIVE_INFINITY, `${metadata.name}/${metadata.namespace ?? ''}/${kind}`];
}

function compareKeys(a: readonly [number, number, string], b: readonly [number, number, string]): number {
  if (a[0] !== b[0]) return a[0] - b[0];
  if (a[1] !== b[1]) return a[1] < b[1] ? -1 : 1;
  return a[2] < b[2] ? -1 : Number(a[2] > b[2]);
}

function appliesTo(policy: Policy, party: Party): boolean {
  const { selector = '', serviceAccountSelector = '' } = policy.spec;
  if (policy.kind === 'NetworkPolicy' && party.namespace !== policy.metadata.namespace) return false;
  if (selector !== '' && !selects(selector, party.labels, '', true)) return false;
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

function selects(text: string, labels: Party['labels'], prefix: string, all: boolean): boolean {
  const parsed = parseSelector(text);
  if (!parsed.ok) return false;
  if (parsed.value.canonical === 'all()') return all;
  const seen = Object.entries(labels).filter(([label]) => label.startsWith(prefix));
  return parsed.value.matches(
    Object.fromEntries(seen.map(([label, value]) => [label.slice(prefix.length), value])),
  );
}

function nameOf({ kind, metadata }: Policy): string {
  return [kind, metadata.namespace, metadata.name].filter((part) => part !== undefined).join('/');
}
