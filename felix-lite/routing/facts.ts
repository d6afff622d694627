/**
 * What routing needs to know of a cluster, read out of resources once, when they change: where nodes are, whose blocks are
 * whose, which addresses live outside the blocks of their node. Pure.
 */
import { createHash } from 'node:crypto';
import { type IPPool, type Node, readStored, type Resource, type WorkloadEndpoint } from '../../api/index.ts';
import { Address, type InterfaceAddress, parseInterfaceAddress, Prefix } from '../../net/addr/index.ts';

/** A node in one version of IP. */
export interface NodeEnd {
  /** With the node's subnet. */
  readonly underlay: InterfaceAddress;
  /** Inner addresses of its tunnels; absent until its agent has taken them from IPAM. */
  readonly ipip?: Address;
  readonly vxlan?: Address;
  /** Of its VXLAN device. */
  readonly mac: string;
}

export interface NodeFacts {
  readonly name: string;
  readonly 4?: NodeEnd;
  readonly 6?: NodeEnd;
}

export interface Destination {
  readonly prefix: Prefix;
  readonly node: string;
}

export const ROUTING_KINDS = ['Node', 'IPPool', 'BlockAffinity', 'WorkloadEndpoint', 'FelixConfiguration'];

/** As the mirror tells it; `value` undefined: gone. */
export interface FactChange {
  readonly key: { readonly kind: string; readonly scope: string; readonly name: string };
  readonly value: unknown;
}

const HOST = 'host:';

export class Facts {
  readonly nodes = new Map<string, NodeFacts>();
  readonly #pools = new Map<string, IPPool>();
  readonly #blocks = new Map<string, Destination>();
  readonly #endpoints = new Map<string, readonly Destination[]>();
  readonly #settings = new Map<string, Extract<Resource, { kind: 'FelixConfiguration' }>['spec']>();

  /** What cannot be read keeps its last readable form: a typing error takes no route down. */
  update(changes: readonly FactChange[]): void {
    for (const { key, value } of changes) {
      if (key.kind === 'BlockAffinity') this.#block(key, value);
      else if (value === undefined) this.#forget(key);
      else {
        const read = readStored(value);
        if (read.ok) this.#take(key, read.value);
      }
    }
  }

  get pools(): readonly IPPool[] {
    return [...this.#pools.values()];
  }

  /** In the order of their names: which of two that overlap wins does not depend on who came first. */
  get blocks(): readonly Destination[] {
    return [...this.#blocks.values()];
  }

  /** Of FelixConfigurations, the node's own over the cluster's. */
  settings(node: string) {
    return { ...this.#settings.get('default'), ...this.#settings.get(`node.${node}`) };
  }

  /** Addresses of workloads and tunnels that no block of their node covers. */
  borrowed(): readonly Destination[] {
    const owners = new Map([...this.#blocks.values()].map(({ prefix, node }) => [prefix.toString(), node]));
    const lengths = { 4: new Set<number>(), 6: new Set<number>() };
    for (const { prefix } of this.#blocks.values()) lengths[prefix.version].add(prefix.length);
    const covered = ({ prefix, node }: Destination): boolean =>
      [...lengths[prefix.version]].some(
        (length) =>
          length <= prefix.length && owners.get(Prefix.of(addressOf(prefix), length).toString()) === node,
      );
    const tunnels = [...this.nodes.values()].flatMap(tunnelAddresses);
    return [...[...this.#endpoints.values()].flat(), ...tunnels].filter((each) => !covered(each));
  }

  #take({ scope, name }: FactChange['key'], resource: Resource): void {
    if (resource.kind === 'Node') this.nodes.set(name, nodeFacts(resource));
    else if (resource.kind === 'IPPool') this.#pools.set(name, resource);
    else if (resource.kind === 'FelixConfiguration') this.#settings.set(name, resource.spec);
    else if (resource.kind === 'WorkloadEndpoint')
      this.#endpoints.set(`${scope}/${name}`, endpointAddresses(resource));
  }

  #forget({ kind, scope, name }: FactChange['key']): void {
    if (kind === 'Node') this.nodes.delete(name);
    else if (kind === 'IPPool') this.#pools.delete(name);
    else if (kind === 'FelixConfiguration') this.#settings.delete(name);
    else this.#endpoints.delete(`${scope}/${name}`);
  }

  #block({ scope, name }: FactChange['key'], value: unknown): void {
    const prefix = Prefix.parse(name);
    const key = `${scope} ${name}`;
    // An affinity without a word about its state is confirmed (calico-data-model §6.2).
    const state = typeof value === 'object' && value !== null && 'state' in value ? value.state : 'confirmed';
    if (value === undefined || prefix === undefined || !scope.startsWith(HOST) || state !== 'confirmed')
      this.#blocks.delete(key);
    else this.#blocks.set(key, { prefix, node: scope.slice(HOST.length) });
  }
}

function nodeFacts({ metadata: { name }, spec }: Node): NodeFacts {
  const { bgp } = spec;
  const four = endOf(bgp?.ipv4Address, bgp?.ipv4IPIPTunnelAddr, spec.ipv4VXLANTunnelAddr);
  const six = endOf(bgp?.ipv6Address, undefined, spec.ipv6VXLANTunnelAddr);
  return {
    name,
    ...(four === undefined ? {} : { 4: { ...four, mac: spec.vxlanTunnelMACAddr ?? vxlanMac(name, 4) } }),
    ...(six === undefined ? {} : { 6: { ...six, mac: spec.vxlanTunnelMACAddrV6 ?? vxlanMac(name, 6) } }),
  };
}

function endOf(
  text: string | undefined,
  ipipText: string | undefined,
  vxlanText: string | undefined,
): Omit<NodeEnd, 'mac'> | undefined {
  const underlay = text === undefined ? undefined : parseInterfaceAddress(text);
  if (underlay === undefined) return undefined;
  const ipip = ipipText === undefined ? undefined : Address.parse(ipipText);
  const vxlan = vxlanText === undefined ? undefined : Address.parse(vxlanText);
  return {
    underlay,
    ...(ipip === undefined ? {} : { ipip }),
    ...(vxlan === undefined ? {} : { vxlan }),
  };
}

/** Calico's, so that both can be nodes of one cluster: `f`, then the SHA-1 of the name, in IPv6 with `-v6` behind it. */
export function vxlanMac(node: string, version: 4 | 6): string {
  const hash = createHash('sha1').update(version === 4 ? node : `${node}-v6`);
  const octets = Buffer.concat([Buffer.from('f'), hash.digest().subarray(0, 5)]);
  return octets.toString('hex').replaceAll(/(..)(?!$)/g, '$1:');
}

function endpointAddresses({ spec }: WorkloadEndpoint): readonly Destination[] {
  return (spec.ipNetworks ?? [])
    .flatMap((text) => parseInterfaceAddress(text) ?? [])
    .map(({ address }) => ({ prefix: Prefix.host(address), node: spec.node }));
}

function tunnelAddresses(facts: NodeFacts): readonly Destination[] {
  const inner = [facts[4]?.ipip, facts[4]?.vxlan, facts[6]?.vxlan].flatMap((address) => address ?? []);
  return inner.map((address) => ({ prefix: Prefix.host(address), node: facts.name }));
}

function addressOf(prefix: Prefix): Address {
  return prefix.nth(0);
}
