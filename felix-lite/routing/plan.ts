/**
 * From facts and the name of a node to what its kernel should hold: tunnel devices, who is behind them, and the routes that
 * are felix-lite's to write (see api/encapsulation.ts). Pure: no history; the same facts give the same plan.
 */
import {
  encapsulationTo,
  IPIP_DEVICE,
  OVERHEADS,
  type PoolRouting,
  poolRoutings,
  type Problem,
  routingFor,
  vxlanDevice,
} from '../../api/index.ts';
import type { Address, IpVersion, Prefix } from '../../net/addr/index.ts';
import type { Destination, Facts, NodeEnd } from './facts.ts';
import type { RoutingSettings } from './settings.ts';

/** A device as it shall be, less what only the machine knows. */
export interface TunnelWish {
  readonly name: string;
  readonly version: IpVersion;
  /** The node's own address below: it names the parent interface. */
  readonly underlay: Address;
  /** The address on the device, out of a pool. */
  readonly inner: Address;
  /** Undefined: that of the parent less {@link overhead}. */
  readonly mtu: number | undefined;
  readonly overhead: number;
  /** Absent: IPIP. */
  readonly vxlan?: {
    readonly vni: number;
    readonly port: number;
    readonly mac: string;
    /** Undefined: as this kernel can be trusted with it. */
    readonly checksumOffload?: boolean | undefined;
  };
}

/** The far end of a VXLAN tunnel. */
export interface Vtep {
  readonly inner: Address;
  readonly mac: string;
  readonly underlay: Address;
}

export interface RouteWish {
  readonly prefix: Prefix;
  /** Undefined: a blackhole, so that packets for addresses that nobody has do not come round again. */
  readonly gateway?: Address;
  /** Undefined: the kernel knows the way to the gateway. */
  readonly device?: string;
  /** That this machine sends from, other than the kernel would choose. */
  readonly source?: Address;
}

export interface RoutingPlan {
  /** How each pool is routed, as this node sees it. */
  readonly pools: readonly PoolRouting[];
  readonly tunnels: readonly TunnelWish[];
  /** By device. */
  readonly vteps: ReadonlyMap<string, readonly Vtep[]>;
  readonly routes: readonly RouteWish[];
  /** Routes to these that we wrote in another mode stay until bgpd has taken their place. */
  readonly handedOver: ReadonlySet<string>;
  /** Devices that no mode in use needs. */
  readonly unneeded: readonly string[];
  readonly problems: readonly Problem[];
}

const DEVICES = [IPIP_DEVICE, vxlanDevice(4), vxlanDevice(6)];

export function planRouting(node: string, facts: Facts): RoutingPlan {
  const settings = facts.settings(node);
  const pools = poolRoutings(facts.pools, { felix: settings.clusterRoutes });
  const problems: Problem[] = [...settings.problems, ...doubles(facts), ...overlaps(node, facts, pools)];
  const tunnels = ([4, 6] as const).flatMap((version) =>
    wishes(node, facts, pools, settings, version, problems),
  );
  const names = new Set(tunnels.map(({ name }) => name));
  const vteps = new Map(
    tunnels
      .filter(({ vxlan }) => vxlan !== undefined)
      .map(({ name, version }) => [name, vtepsOf(node, facts, version)]),
  );
  const routes = new Map<string, RouteWish>();
  const handedOver = new Set<string>();
  for (const destination of destinations(facts, settings)) {
    const key = destination.prefix.toString();
    const routing = routingFor(pools, destination.prefix);
    if (routing?.writer === 'bgpd' && destination.node !== node) handedOver.add(key);
    if (routing?.writer !== 'felix') continue;
    const route = routeTo(destination, routing, node, facts, names);
    const source = settings.workloads.source[destination.prefix.version];
    if (route !== undefined)
      routes.set(key, route.gateway === undefined || source === undefined ? route : { ...route, source });
  }
  const unneeded = DEVICES.filter((name) => !isNeeded(name, pools, settings));
  return { pools, tunnels, vteps, routes: [...routes.values()], handedOver, unneeded, problems };
}

/** Blocks, and what lives outside of them; or each address by itself, where blocks are not where addresses come from. */
function destinations(facts: Facts, { perWorkload, floatingIps }: RoutingSettings): readonly Destination[] {
  return perWorkload ? facts.single(floatingIps) : [...facts.blocks, ...facts.borrowed(floatingIps)];
}

function isNeeded(device: string, pools: readonly PoolRouting[], settings: RoutingSettings): boolean {
  const ipip = device === IPIP_DEVICE;
  const forced = ipip ? settings.tunnels.ipip : settings.tunnels.vxlan;
  if (forced !== undefined) return forced;
  return pools.some(({ encapsulation, cidr }) =>
    ipip ? encapsulation === 'ipip' : encapsulation === 'vxlan' && device === vxlanDevice(cidr.version),
  );
}

function wishes(
  node: string,
  facts: Facts,
  pools: readonly PoolRouting[],
  settings: RoutingSettings,
  version: IpVersion,
  problems: Problem[],
): readonly TunnelWish[] {
  const names = version === 4 ? [IPIP_DEVICE, vxlanDevice(4)] : [vxlanDevice(6)];
  const self = facts.nodes.get(node)?.[version];
  return names.flatMap((name) => {
    if (!isNeeded(name, pools, settings)) return [];
    if (self === undefined) {
      problems.push(withoutAddress(node, version, name));
      return [];
    }
    return wishFor(name, version, self, settings) ?? [];
  });
}

/** Undefined while the node's agent has not taken the device's address from IPAM yet. */
function wishFor(
  name: string,
  version: IpVersion,
  self: NodeEnd,
  settings: RoutingSettings,
): TunnelWish | undefined {
  const underlay = self.underlay.address;
  if (name === IPIP_DEVICE) {
    if (self.ipip === undefined) return undefined;
    return {
      name,
      version,
      underlay,
      inner: self.ipip,
      mtu: settings.mtu.ipip,
      overhead: OVERHEADS.ipip,
    };
  }
  if (self.vxlan === undefined) return undefined;
  return {
    name,
    version,
    underlay,
    inner: self.vxlan,
    mtu: settings.mtu.vxlan[version],
    overhead: OVERHEADS.vxlan[version],
    vxlan: { ...settings.vxlan, mac: self.mac, checksumOffload: settings.checksumOffload },
  };
}

function vtepsOf(node: string, facts: Facts, version: IpVersion): readonly Vtep[] {
  return [...facts.nodes.values()].flatMap(({ name, [version]: end }) =>
    name === node || end?.vxlan === undefined
      ? []
      : [{ inner: end.vxlan, mac: end.mac, underlay: end.underlay.address }],
  );
}

function routeTo(
  { prefix, node: owner }: Destination,
  routing: PoolRouting,
  node: string,
  facts: Facts,
  tunnels: ReadonlySet<string>,
): RouteWish | undefined {
  // A local workload's own address has a route to its interface.
  if (owner === node) return prefix.isHost ? undefined : { prefix };
  const { version } = prefix;
  const remote = facts.nodes.get(owner)?.[version];
  if (remote === undefined) return undefined;
  const { address } = remote.underlay;
  const subnet = facts.nodes.get(node)?.[version]?.underlay.prefix;
  const encapsulation = encapsulationTo(routing, subnet, address);
  if (encapsulation === 'none') return { prefix, gateway: address };
  const device = encapsulation === 'ipip' ? IPIP_DEVICE : vxlanDevice(version);
  if (!tunnels.has(device)) return undefined;
  if (encapsulation === 'ipip') return { prefix, gateway: address, device };
  return remote.vxlan === undefined ? undefined : { prefix, gateway: remote.vxlan, device };
}

function withoutAddress(node: string, version: IpVersion, device: string): Problem {
  const field = `spec.bgp.ipv${version}Address`;
  return {
    code: 'NODE_WITHOUT_ADDRESS',
    resource: `Node/${node}`,
    field,
    what: `a pool needs ${device}, and this node has no IPv${version} address to send its packets from`,
    remedy: `set ${field}, or let it be found: poplin node init --ip${version === 6 ? '6' : ''}=autodetect`,
  };
}

/** Packets for one of the two would reach the other. */
function doubles(facts: Facts): readonly Problem[] {
  const owners = new Map<string, string>();
  const problems: Problem[] = [];
  for (const { name, ...ends } of facts.nodes.values())
    for (const version of [4, 6] as const) {
      const text = ends[version]?.underlay.address.toString();
      if (text === undefined) continue;
      const other = owners.get(text);
      if (other === undefined) owners.set(text, name);
      else problems.push(double(text, name, other, version));
    }
  return problems;
}

function double(address: string, node: string, other: string, version: IpVersion): Problem {
  return {
    code: 'NODE_ADDRESS_DOUBLE',
    resource: `Node/${node}`,
    field: `spec.bgp.ipv${version}Address`,
    value: address,
    what: `Node ${other} has the address ${address} too; packets for one of the two reach the other`,
    remedy: 'give one of them another address, or delete the Node that is no more',
  };
}

function overlaps(node: string, facts: Facts, pools: readonly PoolRouting[]): readonly Problem[] {
  const self = facts.nodes.get(node);
  return ([4, 6] as const).flatMap((version) => {
    const subnet = self?.[version]?.underlay.prefix;
    if (subnet === undefined) return [];
    return pools
      .filter(({ cidr }) => cidr.overlaps(subnet))
      .map(({ pool, cidr }) => ({
        code: 'POOL_OVERLAPS_HOST',
        resource: `IPPool/${pool}`,
        field: 'spec.cidr',
        value: cidr.toString(),
        what: `the pool overlaps the subnet ${subnet.toString()} of Node ${node}; its machines and workloads cannot be told apart`,
        remedy: 'move the pool to a prefix of its own',
      }));
  });
}
