/** Profile: rules and labels that endpoints take on by naming it; judged after all policies. */
import { z } from 'zod';
import { rules } from '../schema/field.ts';
import { labelComplaints } from '../schema/names.ts';
import { type KindNames, resource } from './kind.ts';
import { rule } from './rule.ts';

const spec = z.strictObject({
  ingress: z.exactOptional(z.array(rule)),
  egress: z.exactOptional(z.array(rule)),
  labelsToApply: z.exactOptional(rules(z.record(z.string(), z.string()), labelComplaints)),
});

export const profile = {
  kind: 'Profile',
  plural: 'profiles',
  shortNames: ['pro', 'pros'],
  namespaced: false,
  schema: resource('Profile', spec.prefault({})),
} as const satisfies KindNames<'Profile'> & { schema: z.ZodType };

export type Profile = z.output<typeof profile.schema>;
