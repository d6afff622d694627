/**
 * How packets to a pool's addresses get from node to node, and which daemon writes the routes for that: what bgpd and
 * felix-lite, who never speak to each other, have to agree upon. Pure.
 *
 * Routes of VXLAN pools come from the datastore, so felix-lite writes them; those of other pools come by BGP, unless
 * `programClusterRoutes` of FelixConfiguration gives them to felix-lite, or that of BGPConfiguration takes them from bgpd.
 */
import { type Address, type IpVersion, Prefix } from '../net/addr/index.ts';
import type { BGPConfiguration } from './kinds/bgp-configuration.ts';
import type { FelixConfiguration } from './kinds/felix-configuration.ts';
import type { IPPool } from './kinds/ip-pool.ts';

export type Encapsulation = 'none' | 'ipip' | 'vxlan';

export interface PoolRouting {
  readonly pool: string;
  readonly cidr: Prefix;
  readonly encapsulation: Encapsulation;
  /** Between nodes of one subnet, packets go bare. */
  readonly crossSubnet: boolean;
  /** `nobody`: both daemons were told to leave it. */
  readonly writer: 'bgpd' | 'felix' | 'nobody';
}

type Programming = NonNullable<BGPConfiguration['spec']['programClusterRoutes']>;

export interface RoutingOptions {
  /** Default Disabled. */
  readonly felix?: FelixConfiguration['spec']['programClusterRoutes'] | undefined;
  /** Default Enabled. */
  readonly bgp?: Programming | undefined;
}

/** Longest prefix first, so that the first one that contains an address is its own. */
export function poolRoutings(pools: readonly IPPool[], options: RoutingOptions = {}): readonly PoolRouting[] {
  return pools
    .flatMap((pool) => routingOf(pool, options) ?? [])
    .sort((a, b) => b.cidr.length - a.cidr.length || a.cidr.compare(b.cidr));
}

function routingOf({ metadata, spec }: IPPool, options: RoutingOptions): PoolRouting | undefined {
  const cidr = Prefix.parse(spec.cidr);
  if (cidr === undefined) return undefined;
  const encapsulation = spec.vxlanMode !== 'Never' ? 'vxlan' : spec.ipipMode !== 'Never' ? 'ipip' : 'none';
  const mode = encapsulation === 'vxlan' ? spec.vxlanMode : spec.ipipMode;
  return {
    pool: metadata.name,
    cidr,
    encapsulation,
    crossSubnet: mode === 'CrossSubnet',
    writer: writerOf(encapsulation, options),
  };
}

function writerOf(encapsulation: Encapsulation, options: RoutingOptions): PoolRouting['writer'] {
  if (encapsulation === 'vxlan' || includes(options.felix ?? 'Disabled', encapsulation)) return 'felix';
  return includes(options.bgp ?? 'Enabled', encapsulation) ? 'bgpd' : 'nobody';
}

function includes(programming: Programming, encapsulation: 'none' | 'ipip'): boolean {
  if (programming === 'EnabledIPIPOnly') return encapsulation === 'ipip';
  if (programming === 'EnabledNoEncapOnly') return encapsulation === 'none';
  return programming === 'Enabled';
}

export function routingFor(
  routings: readonly PoolRouting[],
  target: Prefix | Address,
): PoolRouting | undefined {
  return routings.find(({ cidr }) => cidr.contains(target));
}

/** What packets from a node in `subnet` are wrapped in on their way to the node at `remote`. */
export function encapsulationTo(
  routing: PoolRouting,
  subnet: Prefix | undefined,
  remote: Address,
): Encapsulation {
  const bare = routing.crossSubnet && subnet?.contains(remote) === true;
  return bare ? 'none' : routing.encapsulation;
}

/** Calico's names; nothing carries IPv6 in IPIP. */
export const IPIP_DEVICE = 'tunl0';

export function vxlanDevice(version: IpVersion): string {
  return version === 4 ? 'vxlan.calico' : 'vxlan-v6.calico';
}

/** Octets that wrapping adds: an IPv4 header; outer IP, UDP, VXLAN and inner Ethernet headers. */
export const OVERHEADS = { ipip: 20, vxlan: { 4: 50, 6: 70 } } as const;
