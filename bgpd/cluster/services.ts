/**
 * Addresses of services, as BGPConfiguration asks for them and Calico tells them: the whole ranges from every node, and
 * single addresses where that would be wrong. A service with externalTrafficPolicy Local is told only by nodes that have a
 * ready endpoint of it, address by address, so that no packet comes to a node that would drop it.
 */
import { type EndpointSlice, type Service, SERVICE_NAME_LABEL } from '../../api/index.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import { configuration } from './identity.ts';
import type { ClusterResources } from './resources.ts';

/** A node with this label takes no traffic for services from outside. */
const EXCLUDED = 'node.kubernetes.io/exclude-from-external-load-balancers';

interface Ranges {
  readonly cluster: readonly Prefix[];
  readonly external: readonly Prefix[];
  readonly loadBalancer: readonly Prefix[];
}

/** Everything that may be told of services, whoever tells it: what an export policy has to let through. */
export function serviceRanges(resources: ClusterResources): readonly Prefix[] {
  return Object.values(rangesOf(resources)).flat();
}

/** What this node tells, in order. */
export function serviceRoutes(node: string, resources: ClusterResources): readonly Prefix[] {
  const ranges = rangesOf(resources);
  const labels = resources.nodes.find(({ metadata }) => metadata.name === node)?.metadata.labels ?? {};
  if (serviceRanges(resources).length === 0 || Object.hasOwn(labels, EXCLUDED)) return [];
  const aggregated = configuration(resources, 'default')?.serviceLoadBalancerAggregation !== 'Disabled';
  const routes = new Map<string, Prefix>();
  const add = (prefix: Prefix): unknown => routes.set(prefix.toString(), prefix);
  for (const range of ranges.cluster) add(range);
  // A range of one address stands for the service that has it, if any.
  for (const range of [...ranges.external, ...(aggregated ? ranges.loadBalancer : [])])
    if (!range.isHost) add(range);
  const here = servicesWithEndpointsOn(node, resources.endpointSlices);
  for (const service of resources.services) {
    if (isPassedOver(service)) continue;
    const { addresses, single } = addressesOf(service, ranges, aggregated);
    const local = service.spec?.externalTrafficPolicy === 'Local';
    const told = local ? addresses.filter(({ version }) => here.has(`${keyOf(service)} ${version}`)) : single;
    for (const address of told) add(Prefix.host(address));
  }
  return [...routes.values()].sort((a, b) => a.compare(b));
}

function rangesOf(resources: ClusterResources): Ranges {
  const spec = configuration(resources, 'default');
  return {
    cluster: prefixesOf(spec?.serviceClusterIPs),
    external: prefixesOf(spec?.serviceExternalIPs),
    loadBalancer: prefixesOf(spec?.serviceLoadBalancerIPs),
  };
}

function prefixesOf(blocks: readonly { readonly cidr: string }[] = []): readonly Prefix[] {
  return blocks.flatMap(({ cidr }) => {
    const address = Address.parse(cidr);
    return (address === undefined ? Prefix.parse(cidr) : Prefix.host(address)) ?? [];
  });
}

/** Nothing answers for a headless service, or for another name, as such. */
function isPassedOver({ spec }: Service): boolean {
  return spec?.clusterIP === 'None' || spec?.type === 'ExternalName';
}

/** Those inside what is to be told; `single`: of them, what no range covers that every node tells. */
function addressesOf(
  { spec, status }: Service,
  ranges: Ranges,
  aggregated: boolean,
): { readonly addresses: readonly Address[]; readonly single: readonly Address[] } {
  const external = inside(spec?.externalIPs ?? [], ranges.external);
  const balanced = inside(
    spec?.type === 'LoadBalancer' ? (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip) : [],
    ranges.loadBalancer,
  );
  const cluster = inside(spec?.clusterIPs ?? [spec?.clusterIP], ranges.cluster);
  return {
    addresses: [...cluster, ...external, ...balanced],
    single: [
      ...external.filter((address) => !isCovered(address, ranges.external)),
      ...balanced.filter((address) => !isCovered(address, aggregated ? ranges.loadBalancer : [])),
    ],
  };
}

function inside(texts: readonly (string | undefined)[], within: readonly Prefix[]): readonly Address[] {
  return texts
    .flatMap((text) => (text === undefined ? [] : (Address.parse(text) ?? [])))
    .filter((address) => within.some((range) => range.contains(address)));
}

function isCovered(address: Address, within: readonly Prefix[]): boolean {
  return within.some((range) => !range.isHost && range.contains(address));
}

/** By `namespace/name` and version of IP. An endpoint that does not say whether it is ready is. */
function servicesWithEndpointsOn(node: string, slices: readonly EndpointSlice[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { metadata, addressType, endpoints = [] } of slices) {
    const name = metadata.labels?.[SERVICE_NAME_LABEL];
    if (name === undefined) continue;
    if (endpoints.some(({ nodeName, conditions }) => nodeName === node && conditions?.ready !== false))
      found.add(`${metadata.namespace ?? 'default'}/${name} ${addressType === 'IPv6' ? 6 : 4}`);
  }
  return found;
}

function keyOf({ metadata }: Service): string {
  return `${metadata.namespace ?? 'default'}/${metadata.name}`;
}
