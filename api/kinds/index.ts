/** The table of all kinds: one row a file, in the order in which they are best applied. */
import type { z } from 'zod';
import { type BGPConfiguration, bgpConfiguration } from './bgp-configuration.ts';
import { type BGPFilter, bgpFilter } from './bgp-filter.ts';
import { type BGPPeer, bgpPeer } from './bgp-peer.ts';
import { type ClusterInformation, clusterInformation } from './cluster-information.ts';
import { type FelixConfiguration, felixConfiguration } from './felix-configuration.ts';
import { type GlobalNetworkPolicy, globalNetworkPolicy } from './global-network-policy.ts';
import { type HostEndpoint, hostEndpoint } from './host-endpoint.ts';
import { type IPPool, ipPool } from './ip-pool.ts';
import { type IPReservation, ipReservation } from './ip-reservation.ts';
import { type IPAMConfiguration, ipamConfiguration } from './ipam-configuration.ts';
import { type NetworkPolicy, networkPolicy } from './network-policy.ts';
import { type GlobalNetworkSet, globalNetworkSet, type NetworkSet, networkSet } from './network-set.ts';
import { type Node, node } from './node.ts';
import { type Profile, profile } from './profile.ts';
import { type Tier, tier } from './tier.ts';
import { type WorkloadEndpoint, workloadEndpoint } from './workload-endpoint.ts';

export type Resource =
  | BGPConfiguration
  | BGPFilter
  | BGPPeer
  | ClusterInformation
  | FelixConfiguration
  | GlobalNetworkPolicy
  | GlobalNetworkSet
  | HostEndpoint
  | IPAMConfiguration
  | IPPool
  | IPReservation
  | NetworkPolicy
  | NetworkSet
  | Node
  | Profile
  | Tier
  | WorkloadEndpoint;

export type Kind = Resource['kind'];

/** The resource type of a kind by its name. */
export type ResourceOf<K extends Kind> = Extract<Resource, { readonly kind: K }>;

export interface KindInfo {
  /** As in manifests: `IPPool`. */
  readonly kind: Kind;
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
  felixConfiguration,
  bgpConfiguration,
  ipamConfiguration,
  ipPool,
  ipReservation,
  tier,
  node,
  bgpFilter,
  bgpPeer,
  profile,
  globalNetworkSet,
  networkSet,
  globalNetworkPolicy,
  networkPolicy,
  hostEndpoint,
  workloadEndpoint,
].map((row) => ({ ...row, singular: row.kind.toLowerCase() }));

const BY_NAME: ReadonlyMap<string, KindInfo> = new Map(
  KINDS.flatMap((info) =>
    [info.singular, info.plural, ...info.shortNames].map((name) => [name, info] as const),
  ),
);

/** By kind, plural, singular or short name, in any case. */
export function kindInfo(name: string): KindInfo | undefined {
  return BY_NAME.get(name.toLowerCase());
}
