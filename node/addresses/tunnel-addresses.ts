/**
 * The addresses of this node's tunnel devices: taken from IPAM under Calico's handles, written to the Node, given back when
 * no pool needs the tunnel any more. felix-lite puts them on the devices.
 */
import {
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

type Field = 'ipip' | 'vxlan' | 'vxlan-v6';
const FIELDS: readonly Field[] = ['ipip', 'vxlan', 'vxlan-v6'];
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
  readonly #idleSince = new Map<Field, Millis>();

  constructor(ports: TunnelPorts) {
    this.#ports = ports;
  }

  /** Brings the Node to what the pools ask for. @returns what could not be had; the rest was done */
  async reconcile(pools: readonly IPPool[]): Promise<readonly Problem[]> {
    const found = await this.#ports.client.get('Node', this.#ports.node);
    // Without a Node there is nobody to have an address.
    if (!found.ok) return [];
    const problems: Problem[] = [];
    for (const tunnel of FIELDS) {
      const outcome = await this.#one(tunnel, found.value, pools);
      if (!outcome.ok) problems.push(...outcome.problems);
    }
    return problems;
  }

  async #one(tunnel: Field, node: Node, pools: readonly IPPool[]): Promise<Result<void>> {
    const { ipam, clock } = this.#ports;
    const current = addressIn(node, tunnel);
    const fitting = poolsFor(tunnel, node, pools);
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

  async #take(tunnel: Field, node: Node, fitting: readonly IPPool[]): Promise<Result<void>> {
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
  async #giveBack(tunnel: Field): Promise<Result<void>> {
    const written = await this.#write(tunnel, undefined);
    if (written.ok)
      await this.#ports.ipam.releaseByHandle(tunnelOwner(tunnel, this.#ports.node).handle ?? '');
    return written;
  }

  async #write(tunnel: Field, address: Address | undefined): Promise<Result<void>> {
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

/** Enabled pools of the mode that give addresses to tunnels and to this node. Pure. */
export function poolsFor(tunnel: Tunnel, node: Node, pools: readonly IPPool[]): readonly IPPool[] {
  const { version } = TUNNELS[tunnel];
  const routings = poolRoutings(pools);
  return pools.filter((pool) => {
    const { spec } = pool;
    const cidr = Prefix.parse(spec.cidr);
    if (cidr === undefined || cidr.version !== version || spec.disabled === true) return false;
    const wanted = tunnel === 'ipip' ? 'ipip' : 'vxlan';
    return (
      routingFor(routings, cidr)?.encapsulation === wanted &&
      spec.allowedUses.includes('Tunnel') &&
      selectsNode(pool, node.metadata.labels ?? {})
    );
  });
}

function addressIn({ spec }: Node, tunnel: Field): Address | undefined {
  const text = {
    ipip: spec.bgp?.ipv4IPIPTunnelAddr,
    vxlan: spec.ipv4VXLANTunnelAddr,
    'vxlan-v6': spec.ipv6VXLANTunnelAddr,
  }[tunnel];
  return text === undefined ? undefined : Address.parse(text);
}

function withAddress(node: Node, tunnel: Field, text: string | undefined): Node {
  const spec: Record<string, unknown> = { ...node.spec };
  const holder = tunnel === 'ipip' ? { ...node.spec.bgp } : spec;
  const field = {
    ipip: 'ipv4IPIPTunnelAddr',
    vxlan: 'ipv4VXLANTunnelAddr',
    'vxlan-v6': 'ipv6VXLANTunnelAddr',
  }[tunnel];
  if (text === undefined) Reflect.deleteProperty(holder, field);
  else Reflect.set(holder, field, text);
  if (tunnel === 'ipip') {
    // A node without a word about BGP has no such section.
    if (Object.keys(holder).length > 0) spec['bgp'] = holder;
    else delete spec['bgp'];
  }
  return { ...node, spec };
}
