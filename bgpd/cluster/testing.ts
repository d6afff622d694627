/** A cluster in a few words, for tests: what is not said is the usual. Everything passes the real schemas. */
import { type Kind, type ResourceOf, unwrap, validate } from '../../api/index.ts';
import { Prefix } from '../../net/addr/index.ts';
import type { ClusterResources } from './resources.ts';

export function resource<K extends Kind>(
  kind: K,
  name: string,
  spec: object,
  labels: Record<string, string> = {},
): ResourceOf<K> {
  const namespaced = kind === 'WorkloadEndpoint' ? { namespace: 'default' } : {};
  const metadata = { name, labels, ...namespaced };
  return unwrap(validate({ apiVersion: 'projectcalico.org/v3', kind, metadata, spec })) as ResourceOf<K>;
}

/** `10.0.0.1/24` and, beside it, its IPv6 twin. */
export function node(name: string, last: number, labels: Record<string, string> = {}, bgp: object = {}) {
  return resource(
    'Node',
    name,
    { bgp: { ipv4Address: `10.0.0.${last}/24`, ipv6Address: `fd00::${last}/64`, ...bgp } },
    labels,
  );
}

export function pool(cidr: string, spec: object = {}) {
  const name = cidr.replaceAll(/[^a-z0-9]/g, '-').replaceAll(/-+/g, '-');
  return resource('IPPool', `pool-${name}`, { cidr, ...spec });
}

export function affinity(owner: string, cidr: string, state = 'confirmed') {
  const block = Prefix.parse(cidr);
  if (block === undefined) throw new Error(`${cidr} is no prefix`);
  return { node: owner, block, state };
}

export function endpoint(on: string, id: string, ...ipNetworks: string[]) {
  const spec = {
    orchestrator: 'cni',
    node: on,
    containerID: id,
    endpoint: 'eth0',
    interfaceName: `cali${id}`,
    ipNetworks,
  };
  return resource('WorkloadEndpoint', `${on}-cni-${id}-eth0`, spec);
}

export function cluster(some: Partial<ClusterResources>): ClusterResources {
  return {
    nodes: [],
    bgpConfigurations: [resource('BGPConfiguration', 'default', { nodeToNodeMeshEnabled: false })],
    bgpPeers: [],
    bgpFilters: [],
    felixConfigurations: [],
    services: [],
    endpointSlices: [],
    ipPools: [pool('10.244.0.0/16'), pool('fd00:10:244::/48')],
    workloadEndpoints: [],
    affinities: [],
    ...some,
  };
}
