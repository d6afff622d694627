/** How routes inside pools leave this node, from pools and from who was told to write their routes. */
import { type PoolRouting, poolRoutings } from '../../api/index.ts';
import { parseInterfaceAddress } from '../../net/addr/index.ts';
import type { CarriageConfig } from '../fib/carriage.ts';
import { configuration } from './identity.ts';
import type { ClusterResources } from './resources.ts';

export function routings(node: string, resources: ClusterResources): readonly PoolRouting[] {
  const felix = (name: string) =>
    resources.felixConfigurations.find(({ metadata }) => metadata.name === name)?.spec.programClusterRoutes;
  const bgp = (name: string) => configuration(resources, name)?.programClusterRoutes;
  const own = `node.${node}`;
  return poolRoutings(resources.ipPools, {
    felix: felix(own) ?? felix('default'),
    bgp: bgp(own) ?? bgp('default'),
  });
}

export function carriageOf(node: string, resources: ClusterResources): CarriageConfig {
  const spec = resources.nodes.find(({ metadata }) => metadata.name === node)?.spec.bgp;
  const subnet =
    spec?.ipv4Address === undefined ? undefined : parseInterfaceAddress(spec.ipv4Address)?.prefix;
  return { pools: routings(node, resources), subnet };
}
