/**
 * ClusterNetworkPolicy (`policy.networking.k8s.io/v1alpha2`): policy of the cluster's administrators, before
 * (`Admin`) or after (`Baseline`) those of namespaces.
 */
import { z } from 'zod';
import { type Complaint, rules } from '../schema/field.ts';
import { portName } from '../schema/names.ts';
import { cidr } from '../schema/network.ts';
import { integer, port } from '../schema/scalars.ts';
import { conditions, type KindNames, kubernetesResource } from './kind.ts';
import { labelSelector } from './label-selector.ts';

/** Exactly one of the fields is set; an empty one is how a reader meets a field of a newer release. */
export function oneField(what: string) {
  return function* (value: object): Generator<Complaint> {
    const set = Object.values(value).filter((field) => field !== undefined).length;
    if (set === 1) return;
    yield {
      what: set === 0 ? `${what} is empty` : `${what} has ${set} fields`,
      remedy: 'set exactly one field',
    };
  };
}

/** Pods by their labels, in namespaces by theirs. */
export const podPeer = z.strictObject({ namespaceSelector: labelSelector, podSelector: labelSelector });

export const subject = rules(
  z.strictObject({ namespaces: z.exactOptional(labelSelector), pods: z.exactOptional(podPeer) }),
  oneField('the subject'),
);

export const ingressPeer = rules(
  z.strictObject({ namespaces: z.exactOptional(labelSelector), pods: z.exactOptional(podPeer) }),
  oneField('the peer'),
);

export const egressPeer = rules(
  z.strictObject({
    namespaces: z.exactOptional(labelSelector),
    pods: z.exactOptional(podPeer),
    nodes: z.exactOptional(labelSelector),
    networks: z.exactOptional(
      z
        .array(cidr({ hostBits: 'mask' }))
        .min(1)
        .max(25),
    ),
    domainNames: z.exactOptional(z.array(z.string()).min(1).max(25)),
  }),
  oneField('the peer'),
);

const portMatch = rules(
  z.strictObject({
    number: z.exactOptional(port()),
    range: z.exactOptional(
      rules(z.strictObject({ start: port(), end: port() }), function* ({ start, end }): Generator<Complaint> {
        if (start < end) return;
        yield { path: ['start'], what: `start ${start} is not below end ${end}`, remedy: 'mend the range' };
      }),
    ),
  }),
  oneField('the port'),
);

const transport = z.exactOptional(z.strictObject({ destinationPort: z.exactOptional(portMatch) }));

const protocol = rules(
  z.strictObject({
    tcp: transport,
    udp: transport,
    sctp: transport,
    destinationNamedPort: z.exactOptional(portName()),
  }),
  oneField('the protocol'),
);

const common = {
  name: z.exactOptional(z.string().max(100)),
  action: z.enum(['Accept', 'Deny', 'Pass']),
  protocols: z.exactOptional(z.array(protocol).min(1).max(25)),
};

const ingressRule = z.strictObject({ ...common, from: z.array(ingressPeer).min(1).max(25) });
const egressRule = z.strictObject({ ...common, to: z.array(egressPeer).min(1).max(25) });

const spec = z.strictObject({
  tier: z.enum(['Admin', 'Baseline']),
  /** Lower comes first. */
  priority: integer(0, 1000),
  subject,
  ingress: z.exactOptional(z.array(ingressRule).max(25)),
  egress: z.exactOptional(z.array(egressRule).max(25)),
});

export const clusterNetworkPolicy = {
  kind: 'ClusterNetworkPolicy',
  plural: 'clusternetworkpolicies',
  shortNames: ['cnp', 'cnps', 'kcnp'],
  namespaced: false,
  kubernetes: { apiVersion: 'policy.networking.k8s.io/v1alpha2', kind: 'ClusterNetworkPolicy' },
  schema: kubernetesResource('ClusterNetworkPolicy', 'policy.networking.k8s.io/v1alpha2', {
    spec,
    status: z.exactOptional(conditions),
  }),
} as const satisfies KindNames<'ClusterNetworkPolicy'> & { schema: z.ZodType };

export type ClusterNetworkPolicy = z.output<typeof clusterNetworkPolicy.schema>;
export type ClusterPolicyProtocol = z.output<typeof protocol>;
export type ClusterIngressRule = z.output<typeof ingressRule>;
export type ClusterEgressRule = z.output<typeof egressRule>;
export type ClusterIngressPeer = z.output<typeof ingressPeer>;
export type ClusterEgressPeer = z.output<typeof egressPeer>;
export type ClusterSubject = z.output<typeof subject>;
