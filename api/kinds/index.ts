/** The table of all kinds: one row a file, in the order in which they are best applied. */
import type { z } from 'zod';
import {
  type AdminNetworkPolicy,
  adminNetworkPolicy,
  type BaselineAdminNetworkPolicy,
  baselineAdminNetworkPolicy,
} from './admin-network-policy.ts';
import { type BGPConfiguration, bgpConfiguration } from './bgp-configuration.ts';
import { type BGPFilter, bgpFilter } from './bgp-filter.ts';
import { type BGPPeer, bgpPeer } from './bgp-peer.ts';
import { type CalicoNodeStatus, calicoNodeStatus } from './calico-node-status.ts';
import { type ClusterInformation, clusterInformation } from './cluster-information.ts';
import { type ClusterNetworkPolicy, clusterNetworkPolicy } from './cluster-network-policy.ts';
import { type FelixConfiguration, felixConfiguration } from './felix-configuration.ts';
import { type GlobalNetworkPolicy, globalNetworkPolicy } from './global-network-policy.ts';
import { type HostEndpoint, hostEndpoint } from './host-endpoint.ts';
import { type IPPool, ipPool } from './ip-pool.ts';
import { type IPReservation, ipReservation } from './ip-reservation.ts';
import { type IPAMConfiguration, ipamConfiguration } from './ipam-configuration.ts';
import { API_VERSION, type KindNames } from './kind.ts';
import {
  type KubeControllersConfiguration,
  kubeControllersConfiguration,
} from './kube-controllers-configuration.ts';
import {
  type EndpointSlice,
  endpointSlice,
  type Namespace,
  namespace,
  type Pod,
  pod,
  type Service,
  service,
  type ServiceAccount,
  serviceAccount,
} from './kubernetes-data.ts';
import {
  type KubernetesNetworkPolicy,
  kubernetesNetworkPolicy,
  type StagedKubernetesNetworkPolicy,
  stagedKubernetesNetworkPolicy,
} from './kubernetes-network-policy.ts';
import { type NetworkPolicy, networkPolicy } from './network-policy.ts';
import { type GlobalNetworkSet, globalNetworkSet, type NetworkSet, networkSet } from './network-set.ts';
import { type Node, node } from './node.ts';
import { type Profile, profile } from './profile.ts';
import {
  type StagedGlobalNetworkPolicy,
  stagedGlobalNetworkPolicy,
  type StagedNetworkPolicy,
  stagedNetworkPolicy,
} from './staged-policy.ts';
import { type Tier, tier } from './tier.ts';
import { type WorkloadEndpoint, workloadEndpoint } from './workload-endpoint.ts';

export type Resource =
  | AdminNetworkPolicy
  | BaselineAdminNetworkPolicy
  | BGPConfiguration
  | BGPFilter
  | BGPPeer
  | CalicoNodeStatus
  | ClusterInformation
  | ClusterNetworkPolicy
  | EndpointSlice
  | FelixConfiguration
  | GlobalNetworkPolicy
  | GlobalNetworkSet
  | HostEndpoint
  | IPAMConfiguration
  | IPPool
  | IPReservation
  | KubeControllersConfiguration
  | KubernetesNetworkPolicy
  | Namespace
  | NetworkPolicy
  | NetworkSet
  | Node
  | Pod
  | Profile
  | Service
  | ServiceAccount
  | StagedGlobalNetworkPolicy
  | StagedKubernetesNetworkPolicy
  | StagedNetworkPolicy
  | Tier
  | WorkloadEndpoint;

export type Kind = Resource['kind'];

/** Kinds of policy that name their tier. */
export const TIERED_KINDS = [
  'NetworkPolicy',
  'GlobalNetworkPolicy',
  'StagedNetworkPolicy',
  'StagedGlobalNetworkPolicy',
] as const satisfies readonly Kind[];

export type TieredKind = (typeof TIERED_KINDS)[number];

export function isTiered(resource: Resource): resource is ResourceOf<TieredKind> {
  return TIERED_KINDS.some((kind) => kind === resource.kind);
}

/** The resource type of a kind by its name. */
export type ResourceOf<K extends Kind> = Extract<Resource, { readonly kind: K }>;

export interface KindInfo {
  /** Unique: `IPPool`, `KubernetesNetworkPolicy`. */
  readonly kind: Kind;
  /** How manifests of the kind begin, `NetworkPolicy` for `KubernetesNetworkPolicy`. */
  readonly written: { readonly apiVersion: string; readonly kind: string };
  /** As in datastore keys and on the command line: `ippools`. */
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
  readonly schema: z.ZodType<Resource>;
}

/** What others refer to comes first. */
export const KINDS: readonly KindInfo[] = [
  clusterInformation,
  kubeControllersConfiguration,
  felixConfiguration,
  bgpConfiguration,
  ipamConfiguration,
  ipPool,
  ipReservation,
  tier,
  node,
  bgpFilter,
  bgpPeer,
  calicoNodeStatus,
  namespace,
  serviceAccount,
  service,
  endpointSlice,
  profile,
  globalNetworkSet,
  networkSet,
  adminNetworkPolicy,
  baselineAdminNetworkPolicy,
  clusterNetworkPolicy,
  globalNetworkPolicy,
  networkPolicy,
  kubernetesNetworkPolicy,
  stagedGlobalNetworkPolicy,
  stagedNetworkPolicy,
  stagedKubernetesNetworkPolicy,
  hostEndpoint,
  workloadEndpoint,
  pod,
].map((row) => {
  const { kubernetes } = row as KindNames<string>;
  return {
    ...row,
    singular: row.kind.toLowerCase(),
    written: kubernetes ?? { apiVersion: API_VERSION, kind: row.kind },
  };
});

const BY_NAME: ReadonlyMap<string, KindInfo> = new Map(
  KINDS.flatMap((info) =>
    [info.singular, info.plural, ...info.shortNames].map((name) => [name, info] as const),
  ),
);

/** The kind that a manifest is of, by what it begins with; it may also begin as the value in memory does. */
export function writtenKind(apiVersion: unknown, kind: unknown): KindInfo | undefined {
  return KINDS.find(
    (info) => info.written.apiVersion === apiVersion && (info.written.kind === kind || info.kind === kind),
  );
}

/** By kind, plural, singular or short name, in any case. */
export function kindInfo(name: string): KindInfo | undefined {
  return BY_NAME.get(name.toLowerCase());
}
