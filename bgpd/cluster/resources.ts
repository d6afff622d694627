/** What the configuration of one node's speaker is made of: resources, as they are in the datastore. */
import type {
  BGPConfiguration,
  BGPFilter,
  BGPPeer,
  EndpointSlice,
  FelixConfiguration,
  IPPool,
  Node,
  Service,
  WorkloadEndpoint,
} from '../../api/index.ts';
import type { Prefix } from '../../net/addr/index.ts';
import type { SecretLookup } from './passwords.ts';

export interface ClusterResources {
  readonly nodes: readonly Node[];
  readonly bgpConfigurations: readonly BGPConfiguration[];
  readonly bgpPeers: readonly BGPPeer[];
  readonly bgpFilters: readonly BGPFilter[];
  /** Of these only who writes which routes, and whether there are floating IPs. */
  readonly felixConfigurations: readonly FelixConfiguration[];
  readonly ipPools: readonly IPPool[];
  readonly services: readonly Service[];
  readonly endpointSlices: readonly EndpointSlice[];
  readonly workloadEndpoints: readonly WorkloadEndpoint[];
  readonly affinities: readonly Affinity[];
  /** Absent: no Secrets are to be had. */
  readonly secret?: SecretLookup;
}

/** A block that a node claims; only confirmed ones are routed (calico-data-model §6.2). */
export interface Affinity {
  /** Node name, without the `host:` of the key. */
  readonly node: string;
  readonly block: Prefix;
  readonly state: string;
}
