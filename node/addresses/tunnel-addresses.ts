/**
 * The addresses of this node's tunnel devices: taken from IPAM under Calico's handles, written to the Node, given back when
 * no pool needs the tunnel any more. felix-lite puts them on the devices.
 */
import {
  type FelixConfiguration,
  type IPPool,
  type Node,
  type Problem,
  poolRoutings,
  type Result,
  routingFor,
} from '../../api/index.ts';
import type { Clock, Millis } from '../../clock/clock.ts';
import type { ResourceClient } from '../../datastore/index.ts';
import type { Ipam } from '../../ipam/index.ts';
import { type Tunnel, TUNNELS, tunnelOwner } from '../../ipam/owners.ts';
import { selectsNode } from '../../ipam/pools.ts';
import { Address, Prefix } from '../../net/addr/index.ts';

type Felix = FelixConfiguration['spec'];
const FIELDS: readonly Tunnel[] = ['ipip', 'vxlan', 'vxlan-v6', 'wireguard', 'wireguard-v6'];
/** Other nodes may send through the tunnel a while longer. */
const GRACE: Millis = 60_000;
const ATTEMPTS = 10;

export interface TunnelPorts {
  readonly node: string;
  readonly client: ResourceClient;
  readonly ipam: Ipam;
  readonly clock: Clock;
}

export class TunnelAddresses {
  readonly #ports: TunnelPorts;
  readonly #idleSince = new Map<Tunnel, Millis>();

  constructor(ports: TunnelPorts) {
    this.#ports = ports;
  }

  /**
   * Brings the Node to what the pools ask for.
   *
   * @param felix  what FelixConfigurations say of this node
   * @returns what could not be had; the rest was done
   */
  async reconcile(pools: readonly IPPool[], felix: Felix = {}): Promise<readonly Problem[]> {
    const found = await this.#ports.client.get('Node', this.#ports.node);
    // Without a Node there is nobody to have an address.
    if (!found.ok) return [];
    const problems: Problem[] = [];
    for (const tunnel of FIELDS) {
      const outcome = await this.#one(tunnel, found.value, pools, felix);
      if (!outcome.ok) problems.push(...outcome.problems);
    }
    return problems;
  }

  async #one(tunnel: Tunnel, node: Node, pools: readonly IPPool[], felix: Felix): Promise<Result<void>> {
    const { ipam, clock } = this.#ports;
    const current = addressIn(node, tunnel);
    const fitting = poolsFor(tunnel, node, pools, felix);
    if (fitting.length === 0) {
      if (current === undefined) return NOTHING;
      const since = this.#idleSince.get(tunnel) ?? clock.now();
      this.#idleSince.set(tunnel, since);
      return clock.now() - since < GRACE ? NOTHING : this.#giveBack(tunnel);
    }
    this.#idleSince.delete(tunnel);
    const owner = tunnelOwner(tunnel, this.#ports.node);
    if (
      current !== undefined &&
      fitting.some(({ spec }) => Prefix.parse(spec.cidr)?.contains(current) === true)
    ) {
      const holder = await ipam.whoHas(current);
      if (holder?.handle === owner.handle) return NOTHING;
      // Written by hand, or lost by IPAM: take the very same where nobody else has it.
      if (holder === undefined) {
        const retaken = await ipam.assign({
          address: current,
          host: this.#ports.node,
          ...owned(owner),
          use: 'Tunnel',
        });
        if (retaken.ok) return NOTHING;
      }
    }
    return this.#take(tunnel, node, fitting);
  }

  async #take(tunnel: Tunnel, node: Node, fitting: readonly IPPool[]): Promise<Result<void>> {
    const { ipam, node: host } = this.#ports;
    const owner = tunnelOwner(tunnel, host);
    // Of another pool, or taken by a predecessor that died before it wrote the Node.
    await ipam.releaseByHandle(owner.handle ?? '');
    const names = fitting.map(({ metadata }) => metadata.name);
    const { version } = TUNNELS[tunnel];
    const taken = await ipam.autoAssign({
      host,
      ...owned(owner),
      v4: version === 4 ? 1 : 0,
      v6: version === 6 ? 1 : 0,
      ...(version === 4 ? { v4Pools: names } : { v6Pools: names }),
      use: 'Tunnel',
      nodeLabels: node.metadata.labels ?? {},
    });
    if (!taken.ok) return taken;
    const [address] = [...taken.value.v4, ...taken.value.v6];
    return this.#write(tunnel, address);
  }

  /** The Node first: others must not send to an address that is somebody else's by then. */
  async #giveBack(tunnel: Tunnel): Promise<Result<void>> {
    const written = await this.#write(tunnel, undefined);
    if (written.ok)
      await this.#ports.ipam.releaseByHandle(tunnelOwner(tunnel, this.#ports.node).handle ?? '');
    return written;
  }

  async #write(tunnel: Tunnel, address: Address | undefined): Promise<Result<void>> {
    const { client, node: name } = this.#ports;
    for (let attempt = 1; ; attempt++) {
      const found = await client.get('Node', name);
      if (!found.ok) return found;
      const written = await client.update(withAddress(found.value, tunnel, address?.toString()));
      if (written.ok) return NOTHING;
      const raced = written.problems.some(({ code }) => code === 'RESOURCE_CONFLICT');
      if (!raced || attempt === ATTEMPTS) return written;
    }
  }
}

const NOTHING: Result<void> = { ok: true, value: undefined };

function owned({ handle, attributes }: ReturnType<typeof tunnelOwner>) {
  return { handle: handle ?? '', attributes: attributes ?? {} };
}

/**
 * Enabled pools of the mode that give addresses to tunnels and to this node. WireGuard goes with any mode, once the node has
 * published a key, that is, could make the device. Pure.
 */
export function poolsFor(
  tunnel: Tunnel,
  node: Node,
  pools: readonly IPPool[],
  felix: Felix,
): readonly IPPool[] {
  if (isWireGuard(tunnel) && !encrypts(tunnel, node, felix)) return [];
  const { version } = TUNNELS[tunnel];
  const routings = poolRoutings(pools);
  return pools.filter((pool) => {
    const { spec } = pool;
    const cidr = Prefix.parse(spec.cidr);
    if (cidr === undefined || cidr.version !== version || spec.disabled === true) return false;
    const wanted = tunnel === 'ipip' ? 'ipip' : 'vxlan';
    return (
      (isWireGuard(tunnel) || routingFor(routings, cidr)?.encapsulation === wanted) &&
      spec.allowedUses.includes('Tunnel') &&
      selectsNode(pool, node.metadata.labels ?? {})
    );
  });
}

function isWireGuard(tunnel: Tunnel): boolean {
  return tunnel === 'wireguard' || tunnel === 'wireguard-v6';
}

function encrypts(tunnel: Tunnel, { status }: Node, felix: Felix): boolean {
  return tunnel === 'wireguard'
    ? felix.wireguardEnabled === true && status?.wireguardPublicKey !== undefined
    : felix.wireguardEnabledV6 === true && status?.wireguardPublicKeyV6 !== undefined;
}

function addressIn({ spec }: Node, tunnel: Tunnel): Address | undefined {
  const text = {
    ipip: spec.bgp?.ipv4IPIPTunnelAddr,
    vxlan: spec.ipv4VXLANTunnelAddr,
    'vxlan-v6': spec.ipv6VXLANTunnelAddr,
    wireguard: spec.wireguard?.interfaceIPv4Address,
    'wireguard-v6': spec.wireguard?.interfaceIPv6Address,
  }[tunnel];
  return text === undefined ? undefined : Address.parse(text);
}

/** Of the spec, where a tunnel's address is: a section (undefined: the spec itself) and the field in it. */
const PLACES = {
  ipip: { section: 'bgp', field: 'ipv4IPIPTunnelAddr' },
  vxlan: { section: undefined, field: 'ipv4VXLANTunnelAddr' },
  'vxlan-v6': { section: undefined, field: 'ipv6VXLANTunnelAddr' },
  wireguard: { section: 'wireguard', field: 'interfaceIPv4Address' },
  'wireguard-v6': { section: 'wireguard', field: 'interfaceIPv6Address' },
} as const;

function withAddress(node: Node, tunnel: Tunnel, text: string | undefined): Node {
  const { section, field } = PLACES[tunnel];
  const spec: Record<string, unknown> = { ...node.spec };
  const holder = section === undefined ? spec : { ...node.spec[section] };
  if (text === undefined) Reflect.deleteProperty(holder, field);
  else Reflect.set(holder, field, text);
  if (section !== undefined) {
    // A node without a word about BGP or WireGuard has no such section.
    if (Object.keys(holder).length > 0) spec[section] = holder;
    else Reflect.deleteProperty(spec, section);
  }
  return { ...node, spec };
}
