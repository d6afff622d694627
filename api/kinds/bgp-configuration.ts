/** BGPConfiguration: BGP for the cluster (`default`) or for one node (`node.<name>`). */
import { z } from 'zod';
import { type Complaint, quote, rules } from '../schema/field.ts';
import { duration } from '../schema/duration.ts';
import { interfaceName, name } from '../schema/names.ts';
import { address, asNumber, cidr, community, isCommunity } from '../schema/network.ts';
import { integer, port, word } from '../schema/scalars.ts';
import { type KindNames, resource } from './kind.ts';
import { clusterOrNode } from './naming.ts';
import { secretKeyRef } from './secret.ts';

const serviceBlocks = z.array(z.strictObject({ cidr: cidr({ bare: true, hostBits: 'refuse' }) }));

const fields = z.strictObject({
  logSeverityScreen: z.exactOptional(word(['Trace', 'Debug', 'Info', 'Warning', 'Error', 'Fatal'])),
  nodeToNodeMeshEnabled: z.exactOptional(z.boolean()),
  asNumber: z.exactOptional(asNumber()),
  listenPort: z.exactOptional(port()),
  bindMode: z.exactOptional(z.enum(['None', 'NodeIP'])),
  serviceClusterIPs: z.exactOptional(serviceBlocks),
  serviceExternalIPs: z.exactOptional(serviceBlocks),
  serviceLoadBalancerIPs: z.exactOptional(serviceBlocks),
  serviceLoadBalancerAggregation: z.exactOptional(z.enum(['Enabled', 'Disabled'])),
  communities: z.exactOptional(z.array(z.strictObject({ name: name(), value: community() }))),
  prefixAdvertisements: z.exactOptional(
    z.array(z.strictObject({ cidr: cidr({ hostBits: 'refuse' }), communities: z.array(z.string()) })),
  ),
  nodeMeshPassword: z.exactOptional(z.strictObject({ secretKeyRef })),
  nodeMeshMaxRestartTime: z.exactOptional(duration()),
  ignoredInterfaces: z.exactOptional(z.array(interfaceName({ wildcard: true }))),
  localWorkloadPeeringIPV4: z.exactOptional(address(4)),
  localWorkloadPeeringIPV6: z.exactOptional(address(6)),
  programClusterRoutes: z.exactOptional(
    z.enum(['Enabled', 'Disabled', 'EnabledNoEncapOnly', 'EnabledIPIPOnly']),
  ),
  ipv4NormalRoutePriority: z.exactOptional(integer(1, 2_147_483_646)),
  ipv6NormalRoutePriority: z.exactOptional(integer(1, 2_147_483_646)),
});

type BGPConfigurationSpec = z.output<typeof fields>;

const spec = rules(fields, configurationComplaints);

function* configurationComplaints(spec: BGPConfigurationSpec): Generator<Complaint> {
  const defined = new Set((spec.communities ?? []).map((entry) => entry.name));
  for (const [index, advertisement] of (spec.prefixAdvertisements ?? []).entries()) {
    for (const [position, value] of advertisement.communities.entries()) {
      if (defined.has(value) || isCommunity(value)) continue;
      yield {
        path: ['prefixAdvertisements', index, 'communities', position],
        what: `${quote(value)} is neither a community nor a name defined in spec.communities`,
        remedy: 'define it there, or write aa:nn or aa:nn:mm',
      };
    }
  }
  if (defined.size > 0 && (spec.prefixAdvertisements ?? []).length === 0) {
    yield {
      path: ['communities'],
      what: 'the communities are never used',
      remedy: 'use them in prefixAdvertisements, or remove them',
    };
  }
  if (spec.nodeToNodeMeshEnabled !== false) return;
  for (const field of ['nodeMeshPassword', 'nodeMeshMaxRestartTime'] as const) {
    if (spec[field] === undefined) continue;
    yield {
      path: [field],
      what: 'it belongs to the mesh, which is off',
      remedy: 'remove it, or set nodeToNodeMeshEnabled to true',
    };
  }
}

const schema = rules(
  resource('BGPConfiguration', spec.prefault({})),
  function* (resource): Generator<Complaint> {
    yield* clusterOrNode(resource);
    if (resource.metadata.name === 'default') return;
    for (const field of ['nodeToNodeMeshEnabled', 'nodeMeshPassword', 'nodeMeshMaxRestartTime'] as const) {
      if (resource.spec[field] === undefined) continue;
      yield {
        path: ['spec', field],
        what: 'the mesh belongs to all nodes',
        remedy: 'set it in the BGPConfiguration named default',
      };
    }
  },
);

export const bgpConfiguration = {
  kind: 'BGPConfiguration',
  plural: 'bgpconfigurations',
  shortNames: ['bgpconfig', 'bgpconfigs'],
  namespaced: false,
  schema,
} as const satisfies KindNames<'BGPConfiguration'> & { schema: z.ZodType };

export type BGPConfiguration = z.output<typeof bgpConfiguration.schema>;
