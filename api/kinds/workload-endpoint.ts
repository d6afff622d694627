/** WorkloadEndpoint: one interface of one workload. The CNI plugin writes these; people read them. */
import { z } from 'zod';
import { Prefix } from '../../net/addr/index.ts';
import { type Complaint, quote, read, type Reading, rules } from '../schema/field.ts';
import { interfaceName, name, portName } from '../schema/names.ts';
import { address, cidr, macAddress, readPrefix } from '../schema/network.ts';
import { dscp, integer, port } from '../schema/scalars.ts';
import { type KindNames, resource } from './kind.ts';
import { hasPorts, protocol } from './rule.ts';
import { wepName } from './workload-names.ts';

/** One address, kept as /32 or /128. */
const single = read(z.string(), (text): Reading<string> => {
  const prefix = readPrefix(text, { bare: true, hostBits: 'mask' });
  if (!(prefix instanceof Prefix)) return prefix;
  if (prefix.isHost) return { value: prefix.toString() };
  return { what: `${quote(text)} holds more than one address`, remedy: 'use /32 (IPv4) or /128 (IPv6)' };
}).meta({ examples: ['10.244.7.66/32', 'fd00:10:244::1/128'] });

const workloadPort = rules(
  z.strictObject({
    name: z.exactOptional(z.union([z.literal(''), portName()])),
    protocol,
    port: port(),
    hostPort: z.exactOptional(integer(0, 65_535)),
    hostIP: z.exactOptional(z.string()),
  }),
  function* (value): Generator<Complaint> {
    if (!hasPorts(value.protocol)) {
      yield { path: ['protocol'], what: `${value.protocol} has no ports`, remedy: 'use TCP, UDP or SCTP' };
    }
    if ((value.name ?? '') === '' && (value.hostPort ?? 0) === 0) {
      yield { path: ['name'], what: 'a port without a name and without a hostPort', remedy: 'name it' };
    }
  },
);

const count = () => z.exactOptional(integer(0, Number.MAX_SAFE_INTEGER));

const qosControls = z.strictObject({
  ingressBandwidth: count(),
  egressBandwidth: count(),
  ingressBurst: count(),
  egressBurst: count(),
  ingressPeakrate: count(),
  egressPeakrate: count(),
  ingressMinburst: count(),
  egressMinburst: count(),
  ingressPacketRate: count(),
  egressPacketRate: count(),
  ingressPacketBurst: count(),
  egressPacketBurst: count(),
  ingressMaxConnections: count(),
  egressMaxConnections: count(),
  dscp: z.exactOptional(dscp()),
});

const fields = z.strictObject({
  orchestrator: z.string().min(1),
  node: name(),
  /** The workload's id under orchestrators other than Kubernetes and CNI. */
  workload: z.exactOptional(z.string()),
  pod: z.exactOptional(name()),
  containerID: z.exactOptional(z.string()),
  endpoint: z.exactOptional(z.string()),
  serviceAccountName: z.exactOptional(z.string()),
  interfaceName: z.exactOptional(interfaceName()),
  mac: z.exactOptional(macAddress()),
  ipNetworks: z.exactOptional(z.array(single)),
  ipNATs: z.exactOptional(z.array(z.strictObject({ internalIP: address(), externalIP: address() }))),
  ipv4Gateway: z.exactOptional(address(4)),
  ipv6Gateway: z.exactOptional(address(6)),
  profiles: z.exactOptional(z.array(name())),
  ports: z.exactOptional(z.array(workloadPort)),
  allowSpoofedSourcePrefixes: z.exactOptional(z.array(cidr({ bare: true, hostBits: 'mask' }))),
  qosControls: z.exactOptional(qosControls),
});

type WorkloadEndpointSpec = z.output<typeof fields>;

const spec = rules(fields, natComplaints);

function* natComplaints(spec: WorkloadEndpointSpec): Generator<Complaint> {
  const own = new Set((spec.ipNetworks ?? []).map((network) => network.slice(0, network.indexOf('/'))));
  for (const [index, { internalIP, externalIP }] of (spec.ipNATs ?? []).entries()) {
    if (!own.has(internalIP)) {
      yield {
        path: ['ipNATs', index, 'internalIP'],
        what: `${quote(internalIP)} is not an address of this endpoint`,
        remedy: 'use one of ipNetworks',
      };
    }
    if (internalIP.includes(':') !== externalIP.includes(':')) {
      yield {
        path: ['ipNATs', index],
        what: 'the two addresses are of different IP versions',
        remedy: 'use one version',
      };
    }
  }
}

const schema = rules(
  resource('WorkloadEndpoint', spec),
  function* ({ metadata, spec }): Generator<Complaint> {
    const wanted = wepName(spec);
    if (wanted === undefined || wanted === metadata.name) return;
    yield {
      path: ['metadata', 'name'],
      what: `${quote(metadata.name)} is not the name that node, orchestrator and workload give`,
      remedy: `name it ${wanted}`,
    };
  },
);

export const workloadEndpoint = {
  kind: 'WorkloadEndpoint',
  plural: 'workloadendpoints',
  shortNames: ['wep', 'weps'],
  namespaced: true,
  schema,
} as const satisfies KindNames<'WorkloadEndpoint'> & { schema: z.ZodType };

export type WorkloadEndpoint = z.output<typeof workloadEndpoint.schema>;
