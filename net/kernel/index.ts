/** The only door to the kernel: netlink, namespaces, sysctls, processes, and the tools iptables and ipset. */
export { errnoName, isKernelError, KernelError } from './errors.ts';
export * as ipset from './ipset.ts';
export * as iptables from './iptables.ts';
export { presentTables } from './iptables-present.ts';
export { TrafficControl } from './netlink/traffic-control.ts';
export type { Discipline, TokenBucket } from './netlink/shaping.ts';
export { Conntrack } from './netlink/conntrack.ts';
export type { Connection, Tuple } from './netlink/conntrack-codec.ts';
export { IpsetError } from './netlink/ipset/errors.ts';
export { IpsetNetlink } from './netlink/ipset/ipset-netlink.ts';
export {
  createNamespace,
  deleteNamespace,
  inNamespace,
  listNamespaces,
  namespaceIdentity,
  namespacePath,
} from './netns.ts';
export { CommandError, formatCommand, isInstalled, type RunOptions, type RunResult, run } from './process.ts';
export { readSysctl, sysctlPath, writeSysctl } from './sysctl.ts';
export type { AddressOptions, LinkAddress } from './netlink/address.ts';
export type { EventGroup, KernelEvent, Subscription } from './netlink/events.ts';
export {
  type Expression,
  expressionsKey,
  type NftVerdict,
} from './netlink/nftables/expression.ts';
export type {
  BaseChain,
  KeyType,
  ListedRule,
  NftChain,
  NftElement,
  NftOperation,
  NftRule,
  NftSet,
  TableRef,
  WrittenExpressions,
} from './netlink/nftables/model.ts';
export { type ListedSet, makeOf } from './netlink/nftables/messages.ts';
export { type Committed, NftError, Nftables } from './netlink/nftables/nftables.ts';
export {
  type RulesetEdit,
  type RulesetWatch,
  type WatchedTable,
  watchTables,
} from './netlink/nftables/watch.ts';
export type { ForwardingEntry } from './netlink/fdb.ts';
export type { Step } from './netlink/steps.ts';
export type { Ipv4Settings, Link, LinkChange, VethEnd } from './netlink/link.ts';
export type { Neighbour, NeighbourState } from './netlink/neighbour.ts';
export type { NeighbourChange } from './netlink/neighbour-requests.ts';
export { Netlink, type NetlinkOptions, type Veth } from './netlink/netlink.ts';
export {
  formatRoute,
  hasDefaultMetric,
  makeRoute,
  type NextHop,
  PROTOCOL_BOOT,
  PROTOCOL_KERNEL,
  type Route,
  type RouteFilter,
  type RouteOperation,
  type RouteScope,
  type RouteType,
  routeKey,
  sameRoute,
  TABLE_MAIN,
} from './netlink/route.ts';
export { RouteBatch, type RouteDestination, RouteTemplate } from './netlink/route-batch.ts';
export type { RouteChange, RouteOutcome } from './netlink/route-requests.ts';
export type { RouteFailures, RouteSending } from './netlink/route-writer.ts';
export type { Rule } from './netlink/rule.ts';
export type { IpipTunnel, Tunnel, VxlanTunnel } from './netlink/tunnel.ts';
export type { VxlanInfo } from './netlink/vxlan.ts';
export { setTtl } from './ttl.ts';
export { KernelWireGuard } from './wireguard/in-kernel.ts';
export {
  changeBetween,
  type DeviceState,
  type DeviceWish,
  type Endpoint,
  type PeerWish,
  type WireGuardDoor,
} from './wireguard/model.ts';
export {
  answers as userspaceAnswers,
  startUserspace,
  userspace,
  userspaceProgram,
} from './wireguard/userspace.ts';
