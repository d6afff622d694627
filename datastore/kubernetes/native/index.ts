/**
 * All kinds that Kubernetes keeps itself, see `native.ts`. Namespaces and service accounts are served as Profiles and
 * pods as WorkloadEndpoints; policies, services and endpoint slices as they are, for who reads them to convert
 * (`api/kubernetes/`), as in every other datastore.
 */
import type { NativeKind } from './native.ts';
import { nodes } from './nodes.ts';
import { pods } from './pods.ts';
import { namespaces, serviceAccounts } from './profiles.ts';
import { rawKind } from './raw.ts';

export const NATIVE_KINDS: readonly NativeKind[] = [
  nodes,
  namespaces,
  serviceAccounts,
  pods,
  rawKind('KubernetesNetworkPolicy', { writable: true }),
  rawKind('ClusterNetworkPolicy', { optional: true, writable: true }),
  rawKind('AdminNetworkPolicy', { optional: true, writable: true }),
  rawKind('BaselineAdminNetworkPolicy', { optional: true, writable: true }),
  // As they are, for the CNI plugin: their annotations say what a pod asks of its network.
  rawKind('Namespace'),
  rawKind('Pod'),
  rawKind('Service'),
  rawKind('EndpointSlice'),
];
