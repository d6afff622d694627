/**
 * What a node tells the world, as Calico does (calico-data-model §19): its confirmed blocks as aggregates and nothing
 * inside them, addresses borrowed from other nodes' blocks one by one, what it learned inside the pools, nothing from
 * pools with disableBGPExport, addresses of services, and nothing else.
 */
import { type FelixConfiguration, type IPPool, routingFor } from '../../api/index.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import { addCommunity, type PolicyRule } from '../filter/policy.ts';
import type { OriginatedRoute } from '../speaker/config.ts';
import type { PathAttributes } from '../wire/types.ts';
import { routings } from './carriage.ts';
import { communityOf, prefixOf } from './filters.ts';
import { configuration } from './identity.ts';
import { ownPriority } from './priorities.ts';
import type { ClusterResources } from './resources.ts';
import { serviceRanges, serviceRoutes } from './services.ts';

export function ownBlocks(node: string, resources: ClusterResources): readonly Prefix[] {
  return resources.affinities
    .filter((affinity) => affinity.node === node && affinity.state === 'confirmed')
    .map((affinity) => affinity.block)
    .sort((a, b) => a.compare(b));
}

/** Blocks with their blackhole, then single addresses of local workloads that lie outside of them. */
export function originated(node: string, resources: ClusterResources): readonly OriginatedRoute[] {
  const blocks = ownBlocks(node, resources);
  const pools = routings(node, resources);
  const routes = new Map<string, OriginatedRoute>();
  for (const prefix of blocks)
    routes.set(prefix.toString(), {
      prefix,
      // A block of one address is that of its workload: a blackhole would stand in the workload's own place. Where
      // felix-lite writes the pool's routes, the blackhole is its too.
      kernel: prefix.isHost || routingFor(pools, prefix)?.writer === 'felix' ? 'none' : 'blackhole',
      ...attributesOf(prefix, resources),
    });
  for (const prefix of workloadAddresses(node, resources)) {
    if (blocks.some((block) => block.contains(prefix))) continue;
    routes.set(prefix.toString(), { prefix, kernel: 'none', ...attributesOf(prefix, resources) });
  }
  // What answers for a service is kube-proxy's business: the kernel gets no route.
  for (const prefix of serviceRoutes(node, resources))
    routes.set(prefix.toString(), { prefix, kernel: 'none', ...attributesOf(prefix, resources) });
  return [...routes.values()];
}

/** Rules that follow a peer's own filters. What they do not accept is not told. */
export function exportRules(
  node: string,
  version: 4 | 6,
  resources: ClusterResources,
): readonly PolicyRule[] {
  const inside = ownBlocks(node, resources)
    .filter((block) => block.version === version && !block.isHost)
    .map((block) => insideBlock(block));
  const pools = resources.ipPools
    .map((pool) => ({ pool, cidr: prefixOf(pool.spec.cidr) }))
    .filter(({ cidr }) => cidr.version === version)
    .sort((a, b) => a.cidr.compare(b.cidr))
    .map(({ pool, cidr }) => poolRule(pool, cidr));
  const services = serviceRanges(resources)
    .filter((range) => range.version === version)
    .map(serviceRule);
  return [...inside, ...services, ...pools];
}

function insideBlock(block: Prefix): PolicyRule {
  return {
    name: `inside our own block ${block.toString()}, which goes out as one`,
    match: { prefix: { operator: 'In', cidr: block, minLength: block.length + 1 } },
    action: 'reject',
  };
}

function serviceRule(range: Prefix): PolicyRule {
  return {
    name: `services in ${range.toString()}`,
    match: { prefix: { operator: 'In', cidr: range } },
    action: 'accept',
  };
}

/** A disabled pool hands out no more addresses; those it has handed out must stay reachable. */
function poolRule(pool: IPPool, cidr: Prefix): PolicyRule {
  const withheld = pool.spec.disableBGPExport === true;
  return {
    name: `IPPool/${pool.metadata.name}${withheld ? ' spec.disableBGPExport' : ''}`,
    match: { prefix: { operator: 'In', cidr } },
    action: withheld ? 'reject' : 'accept',
  };
}

/** With floating IPs, where they are switched on: like other addresses they are told of only inside a pool. */
function workloadAddresses(node: string, resources: ClusterResources): readonly Prefix[] {
  const floating = felixOf(node, resources).floatingIPs === 'Enabled';
  return resources.workloadEndpoints
    .filter((endpoint) => endpoint.spec.node === node)
    .flatMap(({ spec: { ipNetworks = [], ipNATs = [] } }) => [
      ...ipNetworks.map(prefixOf),
      ...(floating ? ipNATs.flatMap(({ externalIP }) => hostOf(externalIP)) : []),
    ])
    .sort((a, b) => a.compare(b));
}

/** The node's own over the cluster's. */
function felixOf(node: string, { felixConfigurations }: ClusterResources): FelixConfiguration['spec'] {
  const spec = (name: string): FelixConfiguration['spec'] | undefined =>
    felixConfigurations.find(({ metadata }) => metadata.name === name)?.spec;
  return { ...spec('default'), ...spec(`node.${node}`) };
}

function hostOf(text: string): readonly Prefix[] {
  const address = Address.parse(text);
  return address === undefined ? [] : [Prefix.host(address)];
}

function attributesOf(prefix: Prefix, resources: ClusterResources): { attributes?: Partial<PathAttributes> } {
  const spec = configuration(resources, 'default');
  const named = new Map((spec?.communities ?? []).map(({ name, value }) => [name, value]));
  const values = (spec?.prefixAdvertisements ?? [])
    .filter(({ cidr }) => prefixOf(cidr).version === prefix.version && prefixOf(cidr).contains(prefix))
    .flatMap((advertisement) => advertisement.communities);
  const priority = ownPriority(prefix.version, resources);
  if (values.length === 0 && priority.localPref === undefined) return {};
  const bare: PathAttributes = { origin: 'IGP', asPath: [], ...priority };
  return {
    attributes: values.reduce<PathAttributes>(
      (attributes, value) => addCommunity(attributes, communityOf(named.get(value) ?? value)),
      bare,
    ),
  };
}
