/** Tier: a step in the order of policies, and what happens to traffic that no policy in it judged. */
import { z } from 'zod';
import { type Complaint, quote, rules } from '../schema/field.ts';
import { MAX_LABEL } from '../schema/names.ts';
import { conditions, type KindNames, resource } from './kind.ts';

/**
 * Tiers that exist without being created, with the only order each may have. `kube-admin` and `kube-baseline` hold the
 * policies that are made from ClusterNetworkPolicy; the two after them those from its forerunners.
 */
export const FIXED_TIER_ORDERS: Readonly<Record<string, number>> = {
  'kube-admin': 1000,
  default: 1_000_000,
  'kube-baseline': 10_000_000,
  adminnetworkpolicy: 1000,
  baselineadminnetworkpolicy: 10_000_000,
};

/** What becomes of traffic that a fixed tier left undecided. */
export const FIXED_TIER_ACTIONS: Readonly<Record<string, 'Deny' | 'Pass'>> = {
  'kube-admin': 'Pass',
  default: 'Deny',
  'kube-baseline': 'Pass',
  adminnetworkpolicy: 'Pass',
  baselineadminnetworkpolicy: 'Pass',
};

const spec = z.strictObject({
  order: z.exactOptional(z.number()),
  defaultAction: z.enum(['Deny', 'Pass']).prefault('Deny'),
});

const shape = resource('Tier', spec.prefault({})).extend({ status: z.exactOptional(conditions) });

export type Tier = z.output<typeof shape>;

function* tierComplaints(tier: Tier): Generator<Complaint> {
  const { name } = tier.metadata;
  if (name.includes('.') || name.length > MAX_LABEL) {
    yield {
      path: ['metadata', 'name'],
      what: `${quote(name)} is not a name for a tier`,
      remedy: `use at most ${MAX_LABEL} lower-case letters, digits and "-": the name becomes part of policies' names`,
    };
  }
  const fixed = Object.hasOwn(FIXED_TIER_ORDERS, name) ? FIXED_TIER_ORDERS[name] : undefined;
  if (fixed !== undefined && tier.spec.order !== fixed) {
    yield {
      path: ['spec', 'order'],
      what: `the order of the tier ${name} is ${tier.spec.order ?? 'not set'}`,
      remedy: `write ${fixed}`,
    };
  }
  const action = Object.hasOwn(FIXED_TIER_ACTIONS, name) ? FIXED_TIER_ACTIONS[name] : undefined;
  if (action !== undefined && tier.spec.defaultAction !== action) {
    yield {
      path: ['spec', 'defaultAction'],
      what: `the default action of the tier ${name} is ${tier.spec.defaultAction}`,
      remedy: `write ${action}`,
    };
  }
}

export const tier = {
  kind: 'Tier',
  plural: 'tiers',
  shortNames: [],
  namespaced: false,
  schema: rules(shape, tierComplaints),
} as const satisfies KindNames<'Tier'> & { schema: z.ZodType };
