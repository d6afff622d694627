/**
 * What objects of Kubernetes mean in our terms. The same whether they are read from a Kubernetes API or were applied to
 * another datastore, where they lie as they are and are converted by who reads them. Pure.
 */
import type { Resource } from '../kinds/index.ts';
import type { Problem } from '../problem.ts';
import { adminPolicyOf, baselinePolicyOf, clusterPolicyOf } from './cluster-policy.ts';
import { networkPolicyOf, stagedNetworkPolicyOf } from './network-policy.ts';
import { podEndpoint } from './pod.ts';
import { namespaceProfile, serviceAccountProfile } from './profiles.ts';

export { adminPolicyOf, baselinePolicyOf, clusterPolicyOf } from './cluster-policy.ts';
export { MADE_PREFIXES, madeUid } from './identity.ts';
export type { Made } from './made.ts';
export { networkPolicyOf, stagedNetworkPolicyOf } from './network-policy.ts';
export { hasEndpoint, isFinished, POD_ANNOTATIONS, POD_NOTES, podEndpoint, podEndpointName } from './pod.ts';
export {
  NAMESPACE_LABELS,
  namespaceProfile,
  namespaceProfileName,
  SERVICE_ACCOUNT_LABELS,
  serviceAccountProfile,
  serviceAccountProfileName,
} from './profiles.ts';

/** Kinds that {@link madeFrom} makes something of. Services and their endpoints are read as they are. */
export const CONVERTED_KINDS = [
  'Namespace',
  'ServiceAccount',
  'Pod',
  'KubernetesNetworkPolicy',
  'ClusterNetworkPolicy',
  'AdminNetworkPolicy',
  'BaselineAdminNetworkPolicy',
  'StagedKubernetesNetworkPolicy',
] as const satisfies readonly Resource['kind'][];

export interface MadeFrom {
  /** At most one; its key (kind, namespace, name) is that of no other object's. Undefined: a pod without endpoint. */
  readonly resource: Resource | undefined;
  readonly problems: readonly Problem[];
}

/** What an object means; undefined for kinds that are not in {@link CONVERTED_KINDS}. */
export function madeFrom(object: Resource): MadeFrom | undefined {
  switch (object.kind) {
    case 'Namespace':
      return { resource: namespaceProfile(object), problems: [] };
    case 'ServiceAccount':
      return { resource: serviceAccountProfile(object), problems: [] };
    case 'Pod':
      return podEndpoint(object);
    case 'KubernetesNetworkPolicy':
      return { resource: networkPolicyOf(object), problems: [] };
    case 'StagedKubernetesNetworkPolicy':
      return { resource: stagedNetworkPolicyOf(object), problems: [] };
    case 'ClusterNetworkPolicy':
      return clusterPolicyOf(object);
    case 'AdminNetworkPolicy':
      return adminPolicyOf(object);
    case 'BaselineAdminNetworkPolicy':
      return baselinePolicyOf(object);
    default:
      return undefined;
  }
}
