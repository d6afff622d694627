/**
 * Policies on trial as if they were in force: `Set` puts the policy in the place of the one of the same name or beside the
 * others, `Delete` takes that one away; `Learn` and `Ignore` are for tools that propose policies. Pure.
 */
import { type Resource, validate } from '../../api/index.ts';

export const STAGED_KINDS = [
  'StagedNetworkPolicy',
  'StagedGlobalNetworkPolicy',
  'StagedKubernetesNetworkPolicy',
] as const satisfies readonly Resource['kind'][];

export type StagedPolicy = Extract<Resource, { kind: (typeof STAGED_KINDS)[number] }>;

const ENFORCED = {
  StagedNetworkPolicy: 'NetworkPolicy',
  StagedGlobalNetworkPolicy: 'GlobalNetworkPolicy',
  StagedKubernetesNetworkPolicy: 'KubernetesNetworkPolicy',
} as const;

export function isStaged(resource: Resource): resource is StagedPolicy {
  return STAGED_KINDS.some((kind) => kind === resource.kind);
}

export interface Enforced {
  readonly resources: readonly Resource[];
  /** What is asked under a name that was staged: `NetworkPolicy/shop/db` to `StagedNetworkPolicy/shop/db`. */
  readonly renamed: ReadonlyMap<string, string>;
}

/** @param chosen  which of the staged ones; default: all */
export function enforceStaged(
  resources: readonly Resource[],
  chosen: (policy: StagedPolicy) => boolean = () => true,
): Enforced {
  const replaced = new Map<string, Resource | undefined>();
  const renamed = new Map<string, string>();
  for (const each of resources) {
    if (!isStaged(each) || !chosen(each)) continue;
    const { stagedAction } = each.spec;
    if (stagedAction !== 'Set' && stagedAction !== 'Delete') continue;
    const name = nameOf(ENFORCED[each.kind], each);
    const policy = stagedAction === 'Delete' ? undefined : enforcedForm(each);
    // What is not valid by itself would not be let in: nothing changes.
    if (policy === undefined && stagedAction === 'Set') continue;
    replaced.set(name, policy);
    renamed.set(name, nameOf(each.kind, each));
  }
  const kept = resources.filter((each) => !isStaged(each) && !replaced.has(nameOf(each.kind, each)));
  const put = [...replaced.values()].filter((each) => each !== undefined);
  return { resources: [...kept, ...put], renamed };
}

/** The policy that a staged one would become. */
export function enforcedForm({ kind, metadata, spec }: StagedPolicy): Resource | undefined {
  const { stagedAction: _, ...rest } = spec;
  const kubernetes = kind === 'StagedKubernetesNetworkPolicy';
  const read = validate({
    apiVersion: kubernetes ? 'networking.k8s.io/v1' : 'projectcalico.org/v3',
    kind: kubernetes ? 'NetworkPolicy' : ENFORCED[kind],
    metadata,
    spec: rest,
  });
  return read.ok ? read.value : undefined;
}

export function nameOf(kind: string, { metadata }: Resource): string {
  return [kind, metadata.namespace, metadata.name].filter((part) => part !== undefined).join('/');
}
