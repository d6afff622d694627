/**
 * What routing needs to know of a cluster, read out of resources once, when they change: where nodes are, whose blocks are
 * whose, which addresses live outside the blocks of their node. Pure.
 */
import { createHash } from 'node:crypto';
import { type IPPool, type Node, readStored, type Resource } from '../../api/index.ts';
import { Address, type InterfaceAddress, parseInterfaceAddress, Prefix } from '../../net/addr/index.ts';
import { type RoutingSettings, routingSettings } from './settings.ts';

/** A node in one version of IP. */
export interface NodeEnd {
  /** With the node's subnet. */
  readonly underlay: InterfaceAddress;
  /** Inner addresses of its tunnels; absent until its agent has taken them from IPAM. */
  readonly ipip?: Address;
  readonly vxlan?: Address;
  /** Of its VXLAN device. */
  readonly mac: string;
  readonly wireguard?: {
    /** On its device; absent until its agent has taken it from IPAM. */
    readonly inner?: Address;
    /** As it publishes it; absent: packets to it go unencrypted. */
    readonly publicKey?: string;
  };
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

export interface EndpointFacts {
  /** `namespace/name`. */
  readonly name: string;
  readonly node: string;
  readonly interfaceName: string;
  readonly addresses: readonly Destination[];
  /** Other addresses that lead to it, where floating IPs are switched on. */
  readonly floating: readonly Destination[];
}

export interface Difference {
  readonly everybody: boolean;
  /** Names of those whose own endpoints are different. */
  readonly nodes: ReadonlySet<string>;
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
  readonly #endpoints = new Map<string, EndpointFacts>();
  readonly #settings = new Map<string, Extract<Resource, { kind: 'FelixConfiguration' }>['spec']>();
  /** Who has which block, and how long blocks are; undefined: not worked out since they changed. */
  #coverage: Coverage | undefined;
  /** Endpoints with an address that no block of their node covers; undefined as {@link #coverage} is. */
  #stray: Set<EndpointFacts> | undefined;

  /**
   * What cannot be read keeps its last readable form: a typing error takes no route down.
   *
   * @returns what is different for whom: workloads come and go all day, nearly all of them inside the blocks of their node,
   *   and each node of Kubernetes says every few minutes that it is well
   */
  update(changes: readonly FactChange[]): Difference {
    let everybody = false;
    const nodes = new Set<string>();
    for (const { key, value } of changes) {
      if (key.kind === 'WorkloadEndpoint') everybody = this.#endpoint(key, value, nodes) || everybody;
      else if (key.kind === 'BlockAffinity') everybody = this.#block(key, value) || everybody;
      else if (value === undefined) everybody = this.#forget(key) || everybody;
      else {
        const read = readStored(value);
        if (read.ok) everybody = this.#take(key, read.value) || everybody;
      }
    }
    return { everybody, nodes };
  }

  get pools(): readonly IPPool[] {
    return [...this.#pools.values()];
  }

  /** In the order of their names: which of two that overlap wins does not depend on who came first. */
  get blocks(): readonly Destination[] {
    return [...this.#blocks.values()];
  }

  /** Of FelixConfigurations, the node's own over the cluster's. */
  settings(node: string): RoutingSettings {
    return routingSettings({ ...this.#settings.get('default'), ...this.#settings.get(`node.${node}`) });
  }

  /** Addresses of workloads and tunnels that no block of their node covers. @param floating  those of floating IPs too */
  borrowed(floating: boolean): readonly Destination[] {
    this.#stray ??= new Set([...this.#endpoints.values()].filter((each) => this.#isStray(each)));
    return this.#singleOf(this.#stray, floating).filter((each) => !this.#covered(each));
  }

  /** Addresses of all workloads and tunnels. */
  single(floating: boolean): readonly Destination[] {
    return this.#singleOf(this.#endpoints.values(), floating);
  }

  #singleOf(endpoints: Iterable<EndpointFacts>, floating: boolean): readonly Destination[] {
    const workloads = [...endpoints].flatMap((endpoint) => [
      ...endpoint.addresses,
      ...(floating ? endpoint.floating : []),
    ]);
    return [...workloads, ...[...this.nodes.values()].flatMap(tunnelAddresses)];
  }

  /** Of the whole cluster. */
  get endpoints(): Iterable<EndpointFacts> {
    return this.#endpoints.values();
  }

  endpointsOn(node: string): readonly EndpointFacts[] {
    return [...this.#endpoints.values()].filter((endpoint) => endpoint.node === node);
  }

  #isStray({ addresses, floating }: EndpointFacts): boolean {
    return [...addresses, ...floating].some((each) => !this.#covered(each));
  }

  #covered({ prefix, node }: Destination): boolean {
    this.#coverage ??= coverageOf([...this.#blocks.values()]);
    const { owners, lengths } = this.#coverage;
    return lengths[prefix.version].some(
      (length) =>
        length <= prefix.length && owners.get(Prefix.of(addressOf(prefix), length).toString()) === node,
    );
  }

  /** @param nodes  gets those that it is and was on, where anything about it is different */
  #endpoint({ scope, name }: FactChange['key'], value: unknown, nodes: Set<string>): boolean {
    const key = `${scope}/${name}`;
    const before = this.#endpoints.get(key);
    const after = value === undefined ? undefined : endpointFacts(key, value);
    if (value !== undefined && after === undefined) return false;
    if (JSON.stringify(before) === JSON.stringify(after)) return false;
    for (const each of [before, after]) if (each !== undefined) nodes.add(each.node);
    if (after === undefined) this.#endpoints.delete(key);
    else this.#endpoints.set(key, after);
    if (before !== undefined) this.#stray?.delete(before);
    if (after !== undefined && this.#stray !== undefined && this.#isStray(after)) this.#stray.add(after);
    const perWorkload = [...this.#settings.values()].some(({ routeSource }) => routeSource === 'WorkloadIPs');
    return [before, after].some((each) => each !== undefined && (perWorkload || this.#isStray(each)));
  }

  /** @returns whether it says anything else about routes than before */
  #take({ name }: FactChange['key'], resource: Resource): boolean {
    switch (resource.kind) {
      case 'Node':
        return exchange(this.nodes, name, nodeFacts(resource));
      case 'IPPool': {
        const before = this.#pools.get(name)?.spec;
        this.#pools.set(name, resource);
        return JSON.stringify(before) !== JSON.stringify(resource.spec);
      }
      case 'FelixConfiguration':
        return exchange(this.#settings, name, resource.spec);
      default:
        return false;
    }
  }

  #forget({ kind, name }: FactChange['key']): boolean {
    if (kind === 'Node') return this.nodes.delete(name);
    if (kind === 'IPPool') return this.#pools.delete(name);
    return kind === 'FelixConfiguration' && this.#settings.delete(name);
  }

  #block({ scope, name }: FactChange['key'], value: unknown): boolean {
    const prefix = Prefix.parse(name);
    const key = `${scope} ${name}`;
    // An affinity without a word about its state is confirmed (calico-data-model §6.2).
    const state = typeof value === 'object' && value !== null && 'state' in value ? value.state : 'confirmed';
    const confirmed =
      value !== undefined && prefix !== undefined && scope.startsWith(HOST) && state === 'confirmed';
    if (confirmed === this.#blocks.has(key)) return false;
    if (confirmed) this.#blocks.set(key, { prefix, node: scope.slice(HOST.length) });
    else this.#blocks.delete(key);
    this.#coverage = undefined;
    this.#stray = undefined;
    return true;
  }
}

/** @returns whether the new value says anything else than the old one */
function exchange<T>(map: Map<string, T>, key: string, after: T): boolean {
  const before = map.get(key);
  map.set(key, after);
  return JSON.stringify(before) !== JSON.stringify(after);
}

function nodeFacts({ metadata: { name }, spec, status }: Node): NodeFacts {
  const { bgp, wireguard } = spec;
  const four = endOf({
    underlay: bgp?.ipv4Address,
    ipip: bgp?.ipv4IPIPTunnelAddr,
    vxlan: spec.ipv4VXLANTunnelAddr,
    mac: spec.vxlanTunnelMACAddr ?? vxlanMac(name, 4),
    wireguard: wireguard?.interfaceIPv4Address,
    publicKey: status?.wireguardPublicKey,
  });
  const six = endOf({
    underlay: bgp?.ipv6Address,
    vxlan: spec.ipv6VXLANTunnelAddr,
    mac: spec.vxlanTunnelMACAddrV6 ?? vxlanMac(name, 6),
    wireguard: wireguard?.interfaceIPv6Address,
    publicKey: status?.wireguardPublicKeyV6,
  });
  return { name, ...(four === undefined ? {} : { 4: four }), ...(six === undefined ? {} : { 6: six }) };
}

interface EndTexts {
  readonly underlay: string | undefined;
  readonly ipip?: string | undefined;
  readonly vxlan: string | undefined;
  readonly mac: string;
  readonly wireguard: string | undefined;
  readonly publicKey: string | undefined;
}

function endOf({ mac, publicKey, ...texts }: EndTexts): NodeEnd | undefined {
  const underlay = texts.underlay === undefined ? undefined : parseInterfaceAddress(texts.underlay);
  if (underlay === undefined) return undefined;
  const [ipip, vxlan, inner] = [texts.ipip, texts.vxlan, texts.wireguard].map((text) =>
    text === undefined ? undefined : Address.parse(text),
  );
  const wireguard = {
    ...(inner === undefined ? {} : { inner }),
    ...(publicKey === undefined || !isKey(publicKey) ? {} : { publicKey }),
  };
  return {
    underlay,
    mac,
    ...(ipip === undefined ? {} : { ipip }),
    ...(vxlan === undefined ? {} : { vxlan }),
    ...(Object.keys(wireguard).length === 0 ? {} : { wireguard }),
  };
}

/** 32 octets in base64, not all of them zero: that is how Calico says "none". */
function isKey(text: string): boolean {
  const octets = Buffer.from(text, 'base64');
  return octets.length === 32 && octets.toString('base64') === text && octets.some((octet) => octet !== 0);
}

/** Calico's, so that both can be nodes of one cluster: `f`, then the SHA-1 of the name, in IPv6 with `-v6` behind it. */
export function vxlanMac(node: string, version: 4 | 6): string {
  const hash = createHash('sha1').update(version === 4 ? node : `${node}-v6`);
  const octets = Buffer.concat([Buffer.from('f'), hash.digest().subarray(0, 5)]);
  return octets.toString('hex').replaceAll(/(..)(?!$)/g, '$1:');
}

/**
 * Read by hand: there may be a hundred thousand of them, each was checked when it was written, and the whole schema takes most
 * of the time of a start.
 *
 * @param name  `namespace/name`
 * @returns undefined for what cannot be read
 */
function endpointFacts(name: string, value: unknown): EndpointFacts | undefined {
  const spec = fieldOf(value, 'spec');
  const node = fieldOf(spec, 'node');
  if (typeof node !== 'string') return undefined;
  const interfaceName = fieldOf(spec, 'interfaceName');
  const at = (text: unknown): readonly Destination[] => {
    const address = typeof text === 'string' ? parseInterfaceAddress(text)?.address : undefined;
    return address === undefined ? [] : [{ prefix: Prefix.host(address), node }];
  };
  return {
    name,
    node,
    interfaceName: typeof interfaceName === 'string' ? interfaceName : '',
    addresses: listOf(spec, 'ipNetworks').flatMap(at),
    floating: listOf(spec, 'ipNATs').flatMap((pair) => at(fieldOf(pair, 'externalIP'))),
  };
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function listOf(value: unknown, name: string): readonly unknown[] {
  const list = fieldOf(value, name);
  return Array.isArray(list) ? list : [];
}

interface Coverage {
  readonly owners: ReadonlyMap<string, string>;
  readonly lengths: Readonly<Record<4 | 6, readonly number[]>>;
}

function coverageOf(blocks: readonly Destination[]): Coverage {
  const lengthsOf = (version: 4 | 6): readonly number[] => [
    ...new Set(blocks.filter(({ prefix }) => prefix.version === version).map(({ prefix }) => prefix.length)),
  ];
  return {
    owners: new Map(blocks.map(({ prefix, node }) => [prefix.toString(), node])),
    lengths: { 4: lengthsOf(4), 6: lengthsOf(6) },
  };
}

function tunnelAddresses(facts: NodeFacts): readonly Destination[] {
  const { 4: four, 6: six } = facts;
  const inner = [four?.ipip, four?.vxlan, four?.wireguard?.inner, six?.vxlan, six?.wireguard?.inner].flatMap(
    (address) => address ?? [],
  );
  return inner.map((address) => ({ prefix: Prefix.host(address), node: facts.name }));
}

function addressOf(prefix: Prefix): Address {
  return prefix.nth(0);
}
