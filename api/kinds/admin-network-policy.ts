/**
 * AdminNetworkPolicy and BaselineAdminNetworkPolicy (`policy.networking.k8s.io/v1alpha1`), which ClusterNetworkPolicy
 * replaces; clusters of before still serve them.
 */
import { z } from 'zod';
import { type Complaint, rules } from '../schema/field.ts';
import { portName } from '../schema/names.ts';
import { integer, port } from '../schema/scalars.ts';
import { egressPeer, ingressPeer, oneField, subject } from './cluster-network-policy.ts';
import { conditions, type KindNames, kubernetesResource } from './kind.ts';
import { onlyNamed } from './naming.ts';

const API = 'policy.networking.k8s.io/v1alpha1';

const transport = z.enum(['TCP', 'UDP', 'SCTP']).prefault('TCP');

const adminPort = rules(
  z.strictObject({
    portNumber: z.exactOptional(z.strictObject({ protocol: transport, port: port() })),
    portRange: z.exactOptional(
      rules(
        z.strictObject({ protocol: transport, start: port(), end: port() }),
        function* ({ start, end }): Generator<Complaint> {
          if (start <= end) return;
          yield { path: ['start'], what: `start ${start} is above end ${end}`, remedy: 'swap them' };
        },
      ),
    ),
    namedPort: z.exactOptional(portName()),
  }),
  oneField('the port'),
);

function rulesOf<A extends z.ZodType>(action: A) {
  const common = {
    name: z.exactOptional(z.string().max(100)),
    action,
    ports: z.exactOptional(z.array(adminPort).max(100)),
  };
  return {
    subject,
    ingress: z.exactOptional(
      z.array(z.strictObject({ ...common, from: z.array(ingressPeer).min(1).max(100) })).max(100),
    ),
    egress: z.exactOptional(
      z.array(z.strictObject({ ...common, to: z.array(egressPeer).min(1).max(100) })).max(100),
    ),
  };
}

const adminSpec = z.strictObject({
  /** Lower comes first. */
  priority: integer(0, 1000),
  ...rulesOf(z.enum(['Allow', 'Deny', 'Pass'])),
});

const baselineSpec = z.strictObject(rulesOf(z.enum(['Allow', 'Deny'])));

export const adminNetworkPolicy = {
  kind: 'AdminNetworkPolicy',
  plural: 'adminnetworkpolicies',
  shortNames: ['anp', 'anps'],
  namespaced: false,
  kubernetes: { apiVersion: API, kind: 'AdminNetworkPolicy' },
  schema: kubernetesResource('AdminNetworkPolicy', API, {
    spec: adminSpec,
    status: z.exactOptional(conditions),
  }),
} as const satisfies KindNames<'AdminNetworkPolicy'> & { schema: z.ZodType };

export const baselineAdminNetworkPolicy = {
  kind: 'BaselineAdminNetworkPolicy',
  plural: 'baselineadminnetworkpolicies',
  shortNames: ['banp', 'banps'],
  namespaced: false,
  kubernetes: { apiVersion: API, kind: 'BaselineAdminNetworkPolicy' },
  schema: rules(
    kubernetesResource('BaselineAdminNetworkPolicy', API, {
      spec: baselineSpec,
      status: z.exactOptional(conditions),
    }),
    onlyNamed('default'),
  ),
} as const satisfies KindNames<'BaselineAdminNetworkPolicy'> & { schema: z.ZodType };

export type AdminNetworkPolicy = z.output<typeof adminNetworkPolicy.schema>;
export type BaselineAdminNetworkPolicy = z.output<typeof baselineAdminNetworkPolicy.schema>;
export type AdminPolicyPort = z.output<typeof adminPort>;
