/** What users write: resources, their schemas and checks, manifests, selectors. Pure. */
export {
  fail,
  formatProblem,
  ok,
  PoplinError,
  type Position,
  type Problem,
  type Result,
  unwrap,
} from './problem.ts';

export {
  isTiered,
  type Kind,
  type KindInfo,
  kindInfo,
  KINDS,
  type Resource,
  type ResourceOf,
  TIERED_KINDS,
  type TieredKind,
  writtenKind,
} from './kinds/index.ts';
export { API_VERSION, type Metadata } from './kinds/kind.ts';
export type { AdminNetworkPolicy, BaselineAdminNetworkPolicy } from './kinds/admin-network-policy.ts';
export type { BGPConfiguration } from './kinds/bgp-configuration.ts';
export type { BGPFilter, BGPFilterRule } from './kinds/bgp-filter.ts';
export type { BGPPeer } from './kinds/bgp-peer.ts';
export { type BlockAffinity, blockAffinity } from './kinds/block-affinity.ts';
export type { CalicoNodeStatus } from './kinds/calico-node-status.ts';
export type { ClusterInformation } from './kinds/cluster-information.ts';
export type { ClusterNetworkPolicy } from './kinds/cluster-network-policy.ts';
export type { FelixConfiguration } from './kinds/felix-configuration.ts';
export type { GlobalNetworkPolicy } from './kinds/global-network-policy.ts';
export type { HostEndpoint } from './kinds/host-endpoint.ts';
export type { IPPool } from './kinds/ip-pool.ts';
export type { IPReservation } from './kinds/ip-reservation.ts';
export type { IPAMConfiguration } from './kinds/ipam-configuration.ts';
export type { KubeControllersConfiguration } from './kinds/kube-controllers-configuration.ts';
export {
  type EndpointSlice,
  type Namespace,
  type Pod,
  type Service,
  SERVICE_NAME_LABEL,
  type ServiceAccount,
} from './kinds/kubernetes-data.ts';
export type {
  KubernetesNetworkPolicy,
  StagedKubernetesNetworkPolicy,
} from './kinds/kubernetes-network-policy.ts';
export type { LabelSelector } from './kinds/label-selector.ts';
export type { NetworkPolicy } from './kinds/network-policy.ts';
export type { GlobalNetworkSet, NetworkSet } from './kinds/network-set.ts';
export type { Node } from './kinds/node.ts';
export type { Profile } from './kinds/profile.ts';
export type { StagedGlobalNetworkPolicy, StagedNetworkPolicy } from './kinds/staged-policy.ts';
export type { Tier } from './kinds/tier.ts';
export type { WorkloadEndpoint } from './kinds/workload-endpoint.ts';

export { DEFAULT_TIER, effectiveTypes, type PolicyType, TIER_LABEL } from './kinds/policy.ts';
export { FIXED_TIER_ACTIONS, FIXED_TIER_ORDERS } from './kinds/tier.ts';
export {
  type Action,
  type EntityRule,
  hasPorts,
  parsePort,
  type Port,
  type PortMatch,
  type Protocol,
  protocolNumber,
  type Rule,
} from './kinds/rule.ts';
export { podInterfaceName, wepName, wepNameParts, type WorkloadIdentity } from './kinds/workload-names.ts';
export { parseDuration } from './schema/duration.ts';
export { parsePeerAddress, type PeerAddress } from './schema/network.ts';
export { type FieldPath, formatPath, parsePath } from './schema/path.ts';

export {
  type Encapsulation,
  encapsulationTo,
  IPIP_DEVICE,
  OVERHEADS,
  type PoolRouting,
  poolRoutings,
  routingFor,
  vxlanDevice,
} from './encapsulation.ts';
export { type DeviceRoutes, deviceRouteProblems, deviceRoutes } from './device-routes.ts';
export { podMtu, type PodMtu } from './pod-mtu.ts';
export { ignoredFields, notActedOn } from './ignored.ts';
export {
  asWritten,
  keepingUnknown,
  knownPart,
  type Locate,
  readStored,
  validate,
  writeProblems,
} from './validate.ts';
export { type ManifestDocument, parseManifests } from './manifest/parse.ts';
export { checkTogether } from './check/together.ts';
export { checkUpdate } from './check/update.ts';
export { resourceText } from './check/text.ts';
export {
  canonicalText,
  type Labels,
  mapLabels,
  parseSelector,
  Selector,
  type SelectorNode,
  uniqueId,
} from './selector/index.ts';
