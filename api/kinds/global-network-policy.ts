/** GlobalNetworkPolicy: policy for workloads of every namespace and for hosts. */
import { z } from 'zod';
import { type Complaint, rules } from '../schema/field.ts';
import { selector } from '../schema/scalars.ts';
import { conditions, type KindNames, resource } from './kind.ts';
import { policyComplaints, policyFields, withTypes } from './policy.ts';

/** Fields of a policy that is not of one namespace, staged or not. */
export const globalPolicyFields = {
  ...policyFields,
  namespaceSelector: z.exactOptional(selector()),
  doNotTrack: z.exactOptional(z.boolean()),
  preDNAT: z.exactOptional(z.boolean()),
  applyOnForward: z.exactOptional(z.boolean()),
};

const fields = z.strictObject(globalPolicyFields);

type GlobalNetworkPolicySpec = z.output<typeof fields>;

const spec = rules(fields, globalComplaints).overwrite(withTypes);

export function* globalComplaints(spec: GlobalNetworkPolicySpec): Generator<Complaint> {
  yield* policyComplaints(spec);
  const { preDNAT = false, doNotTrack = false, applyOnForward = false } = spec;
  if (preDNAT && doNotTrack) {
    yield {
      path: ['preDNAT'],
      what: 'preDNAT and doNotTrack are both true',
      remedy: 'set one of them, or use two policies',
    };
  }
  if ((preDNAT || doNotTrack) && !applyOnForward) {
    yield {
      path: ['applyOnForward'],
      what: `${preDNAT ? 'preDNAT' : 'doNotTrack'} is true, so the policy also sees forwarded traffic`,
      remedy: 'set applyOnForward to true',
    };
  }
  if (preDNAT && ((spec.egress ?? []).length > 0 || spec.types?.includes('Egress') === true)) {
    yield {
      path: ['preDNAT'],
      what: 'a preDNAT policy cannot act on egress',
      remedy: 'remove its egress rules and the type Egress',
    };
  }
  for (const [direction, side] of [
    ['ingress', 'source'],
    ['egress', 'destination'],
  ] as const) {
    for (const [index, rule] of (spec[direction] ?? []).entries()) {
      const services = rule[side]?.services;
      if (services === undefined || services.namespace !== undefined) continue;
      yield {
        path: [direction, index, side, 'services'],
        what: `the service ${services.name} has no namespace, and a global policy has none to lend`,
        remedy: 'add services.namespace',
      };
    }
  }
}

export const globalNetworkPolicy = {
  kind: 'GlobalNetworkPolicy',
  plural: 'globalnetworkpolicies',
  shortNames: ['gnp', 'gnps'],
  namespaced: false,
  schema: resource('GlobalNetworkPolicy', spec.prefault({})).extend({ status: z.exactOptional(conditions) }),
} as const satisfies KindNames<'GlobalNetworkPolicy'> & { schema: z.ZodType };

export type GlobalNetworkPolicy = z.output<typeof globalNetworkPolicy.schema>;
