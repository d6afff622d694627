/**
 * Policies of Kubernetes as policies of ours, on any datastore. What the conversion cannot express is closed and told by
 * the conversion; an object that is not even valid (another tool wrote it) denies all to those it is for.
 */
import { type Resource, validate } from '../../api/index.ts';
import { madeFrom } from '../../api/kubernetes/index.ts';
import type { Problem } from '../../api/problem.ts';
import { plainRule } from './compile.ts';
import type { PolicyId } from './model.ts';
import { CLOSED, NOBODY, type ReadPolicy, readPolicy, so } from './policies.ts';

export const KUBERNETES_POLICIES = [
  'KubernetesNetworkPolicy',
  'ClusterNetworkPolicy',
  'AdminNetworkPolicy',
  'BaselineAdminNetworkPolicy',
] as const satisfies readonly Resource['kind'][];

export type KubernetesPolicyKind = (typeof KUBERNETES_POLICIES)[number];

export function isKubernetesPolicy(kind: string): kind is KubernetesPolicyKind {
  return KUBERNETES_POLICIES.some((each) => each === kind);
}

const PREFIX: Readonly<Record<KubernetesPolicyKind, string>> = {
  KubernetesNetworkPolicy: '',
  ClusterNetworkPolicy: 'kcnp.',
  AdminNetworkPolicy: 'kanp.',
  BaselineAdminNetworkPolicy: 'kbanp.',
};

/** Names of the three kinds of the cluster are kept apart: one may be called like another. */
export function kubernetesPolicyId(kind: KubernetesPolicyKind, namespace: string, name: string): PolicyId {
  if (kind === 'KubernetesNetworkPolicy') return { kind, namespace, name };
  return { kind: 'KubernetesClusterNetworkPolicy', namespace: '', name: `${PREFIX[kind]}${name}` };
}

export function readKubernetesPolicy(id: PolicyId, resource: Resource): ReadPolicy {
  const made = madeFrom(resource);
  if (made?.resource?.kind !== 'NetworkPolicy' && made?.resource?.kind !== 'GlobalNetworkPolicy')
    return { policy: undefined, problems: made?.problems ?? [] };
  const { policy, problems } = readPolicy(made.resource);
  return {
    policy: policy === undefined ? undefined : { ...policy, id },
    problems: [...made.problems, ...problems],
  };
}

/** As much is kept as says whom it is for; with less, a policy of a namespace is for all of it. */
export function readBrokenKubernetesPolicy(
  id: PolicyId,
  value: unknown,
  problems: readonly Problem[],
): ReadPolicy {
  const { spec, ...head } = fieldsOf(value);
  const { podSelector, tier, priority, subject } = fieldsOf(spec);
  const attempts =
    id.kind === 'KubernetesNetworkPolicy'
      ? [podSelector, {}].map((each) => ({ podSelector: each, policyTypes: ['Ingress', 'Egress'] }))
      : [{ tier, priority, subject }, { priority, subject }, { subject }];
  for (const attempt of attempts) {
    const kept = Object.fromEntries(Object.entries(attempt).filter(([, field]) => field !== undefined));
    const read = validate({ ...head, spec: kept });
    const policy = read.ok ? readKubernetesPolicy(id, read.value).policy : undefined;
    if (policy === undefined) continue;
    const rules = [plainRule('Deny', 'spec')];
    return {
      policy: {
        ...policy,
        types: { ingress: true, egress: true },
        rules: { ingress: rules, egress: rules },
        sets: [],
      },
      problems: so(problems, CLOSED),
    };
  }
  return { policy: undefined, problems: so(problems, NOBODY) };
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
