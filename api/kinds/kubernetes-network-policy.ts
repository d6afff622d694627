/**
 * NetworkPolicy of Kubernetes (`networking.k8s.io/v1`), which goes by the kind KubernetesNetworkPolicy here because
 * Calico has a NetworkPolicy too; and its staged form, which is Calico's.
 */
import { z } from 'zod';
import { Prefix } from '../../net/addr/index.ts';
import { type Complaint, quote, read, type Reading, rules } from '../schema/field.ts';
import { portNameComplaint } from '../schema/names.ts';
import { cidr } from '../schema/network.ts';
import { integer } from '../schema/scalars.ts';
import { conditions, type KindNames, kubernetesResource, resource } from './kind.ts';
import { labelSelector, withoutEmpty } from './label-selector.ts';
import { stagedAction } from './staged-policy.ts';

const PORT = 'a port from 1 to 65535, or the name of a port';

/** Number or name of a port of a pod. */
export const kubernetesPort = read(
  z.union([z.number(), z.string()], { error: PORT }),
  (input): Reading<number | string> => {
    if (typeof input === 'string') {
      const complaint = portNameComplaint(input);
      return complaint === undefined ? { value: input } : complaint;
    }
    if (Number.isInteger(input) && input >= 1 && input <= 65_535) return { value: input };
    return { what: `${quote(input)} is not a port`, remedy: `use ${PORT}` };
  },
).meta({ examples: [5432, 'http'] });

const policyPort = rules(
  z.strictObject({
    protocol: z.enum(['TCP', 'UDP', 'SCTP']).prefault('TCP'),
    port: z.exactOptional(kubernetesPort),
    /** The last port of a range that begins with `port`. */
    endPort: z.exactOptional(integer(1, 65_535)),
  }),
  function* ({ port, endPort }): Generator<Complaint> {
    if (endPort === undefined) return;
    if (typeof port !== 'number') {
      yield {
        path: ['endPort'],
        what: 'a range needs a number to begin with',
        remedy: 'set port to a number',
      };
    } else if (endPort < port) {
      yield { path: ['endPort'], what: `${endPort} is below port ${port}`, remedy: 'swap them' };
    }
  },
);

const ipBlock = rules(
  z.strictObject({
    cidr: cidr({ hostBits: 'mask' }),
    except: z.exactOptional(z.array(cidr({ hostBits: 'mask' }))),
  }),
  function* ({ cidr, except = [] }): Generator<Complaint> {
    const whole = Prefix.parse(cidr);
    for (const [index, text] of except.entries()) {
      const part = Prefix.parse(text);
      if (whole === undefined || part === undefined) continue;
      if (whole.version === part.version && whole.contains(part.address) && part.length > whole.length)
        continue;
      yield {
        path: ['except', index],
        what: `${quote(text)} is no part of ${quote(cidr)}`,
        remedy: 'except only prefixes inside cidr that are smaller than it',
      };
    }
  },
).overwrite(withoutEmpty('except'));

const peer = rules(
  z.strictObject({
    podSelector: z.exactOptional(labelSelector),
    namespaceSelector: z.exactOptional(labelSelector),
    ipBlock: z.exactOptional(ipBlock),
  }),
  function* (peer): Generator<Complaint> {
    const selects = peer.podSelector !== undefined || peer.namespaceSelector !== undefined;
    if (peer.ipBlock === undefined && !selects) {
      yield {
        what: 'the peer is empty',
        remedy: 'set podSelector, namespaceSelector or ipBlock; for everybody leave the list of peers out',
      };
    }
    if (peer.ipBlock === undefined || !selects) return;
    yield {
      path: ['ipBlock'],
      what: 'ipBlock cannot stand beside selectors',
      remedy: 'make two peers of it',
    };
  },
);

const ingressRule = z
  .strictObject({ from: z.exactOptional(z.array(peer)), ports: z.exactOptional(z.array(policyPort)) })
  .overwrite(withoutEmpty('from', 'ports'));

const egressRule = z
  .strictObject({ to: z.exactOptional(z.array(peer)), ports: z.exactOptional(z.array(policyPort)) })
  .overwrite(withoutEmpty('to', 'ports'));

const policyFields = {
  podSelector: z.exactOptional(labelSelector),
  ingress: z.exactOptional(z.array(ingressRule)),
  egress: z.exactOptional(z.array(egressRule)),
  policyTypes: z.exactOptional(
    z
      .array(z.enum(['Ingress', 'Egress']))
      .min(1)
      .max(2),
  ),
};

const fields = z.strictObject(policyFields);

type Spec = z.output<typeof fields>;

/** What the API server fills in: ingress always, egress where there are rules for it. */
const spec = fields.overwrite(withoutEmpty('ingress', 'egress')).overwrite((spec: Spec) => ({
  ...spec,
  podSelector: spec.podSelector ?? {},
  policyTypes:
    spec.policyTypes ??
    ((spec.egress ?? []).length > 0 ? (['Ingress', 'Egress'] as const).slice() : ['Ingress']),
}));

export const kubernetesNetworkPolicy = {
  kind: 'KubernetesNetworkPolicy',
  plural: 'k8snetworkpolicies',
  shortNames: ['k8snetworkpolicy', 'knp', 'knps'],
  namespaced: true,
  kubernetes: { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
  schema: kubernetesResource('KubernetesNetworkPolicy', 'networking.k8s.io/v1', {
    spec: spec.prefault({}),
  }),
} as const satisfies KindNames<'KubernetesNetworkPolicy'> & { schema: z.ZodType };

const staged = rules(
  z.strictObject({ stagedAction: stagedAction.prefault('Set'), ...policyFields }),
  function* (spec): Generator<Complaint> {
    if (spec.stagedAction !== 'Delete') return;
    for (const field of ['podSelector', 'ingress', 'egress', 'policyTypes'] as const) {
      if (spec[field] === undefined) continue;
      yield {
        path: [field],
        what: 'stagedAction is Delete, which needs no rules',
        remedy: `remove ${field}, or set stagedAction to Set`,
      };
    }
  },
);

export const stagedKubernetesNetworkPolicy = {
  kind: 'StagedKubernetesNetworkPolicy',
  plural: 'stagedkubernetesnetworkpolicies',
  shortNames: ['sknp', 'sknps'],
  namespaced: true,
  schema: resource('StagedKubernetesNetworkPolicy', staged.prefault({})).extend({
    status: z.exactOptional(conditions),
  }),
} as const satisfies KindNames<'StagedKubernetesNetworkPolicy'> & { schema: z.ZodType };

export type KubernetesNetworkPolicy = z.output<typeof kubernetesNetworkPolicy.schema>;
export type StagedKubernetesNetworkPolicy = z.output<typeof stagedKubernetesNetworkPolicy.schema>;
export type KubernetesPeer = z.output<typeof peer>;
export type KubernetesPolicyPort = z.output<typeof policyPort>;
