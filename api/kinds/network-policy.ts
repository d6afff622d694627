/** NetworkPolicy: policy for the workload endpoints of one namespace. */
import { z } from 'zod';
import { rules } from '../schema/field.ts';
import { conditions, type KindNames, resource } from './kind.ts';
import { policyComplaints, policyFields, withTypes } from './policy.ts';

const spec = rules(z.strictObject(policyFields), policyComplaints).overwrite(withTypes);

export const networkPolicy = {
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  shortNames: ['np', 'nps', 'policy', 'policies', 'pol', 'pols'],
  namespaced: true,
  schema: resource('NetworkPolicy', spec.prefault({})).extend({ status: z.exactOptional(conditions) }),
} as const satisfies KindNames<'NetworkPolicy'> & { schema: z.ZodType };

export type NetworkPolicy = z.output<typeof networkPolicy.schema>;
