/** What NetworkPolicy and GlobalNetworkPolicy share: rules in order, in a tier, for selected endpoints. */
import { z } from 'zod';
import type { Complaint } from '../schema/field.ts';
import { shortName } from '../schema/names.ts';
import { selector } from '../schema/scalars.ts';
import { type Rule, rule } from './rule.ts';

export const DEFAULT_TIER = 'default';

/** Label that carries the tier, so that policies can be listed by tier. */
export const TIER_LABEL = 'projectcalico.org/tier';

const policyType = z.enum(['Ingress', 'Egress']);
export type PolicyType = z.output<typeof policyType>;

/** Fields of both kinds of policy. */
export const policyFields = {
  tier: shortName().prefault(DEFAULT_TIER),
  order: z.exactOptional(z.number()),
  selector: z.exactOptional(selector()),
  types: z.exactOptional(z.array(policyType)),
  ingress: z.exactOptional(z.array(rule)),
  egress: z.exactOptional(z.array(rule)),
  serviceAccountSelector: z.exactOptional(selector()),
  performanceHints: z.exactOptional(z.array(z.enum(['AssumeNeededOnEveryNode']))),
};

export interface PolicyDirections {
  readonly types?: readonly PolicyType[];
  readonly ingress?: readonly unknown[];
  readonly egress?: readonly unknown[];
}

/**
 * The directions in which a policy applies. Without `types`: ingress, unless there are only egress rules;
 * both where there are both.
 */
export function effectiveTypes(spec: PolicyDirections): {
  readonly ingress: boolean;
  readonly egress: boolean;
} {
  if (spec.types !== undefined && spec.types.length > 0) {
    return { ingress: spec.types.includes('Ingress'), egress: spec.types.includes('Egress') };
  }
  const egress = (spec.egress ?? []).length > 0;
  return { ingress: !egress || (spec.ingress ?? []).length > 0, egress };
}

/** The spec with `types` written out, as Calico stores it. */
export function withTypes<S extends PolicyDirections>(spec: S): S {
  const { ingress, egress } = effectiveTypes(spec);
  const types: PolicyType[] = [];
  if (ingress) types.push('Ingress');
  if (egress) types.push('Egress');
  return { ...spec, types: spec.types !== undefined && spec.types.length > 0 ? spec.types : types };
}

interface PolicyRules extends PolicyDirections {
  readonly performanceHints?: readonly string[];
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
}

export function* policyComplaints(spec: PolicyRules): Generator<Complaint> {
  const hints = spec.performanceHints ?? [];
  if (new Set(hints).size < hints.length) {
    yield { path: ['performanceHints'], what: 'a hint is given twice', remedy: 'give it once' };
  }
  const types = spec.types ?? [];
  if (new Set(types).size < types.length) {
    yield {
      path: ['types'],
      what: `${types.join(', ')} names a type twice`,
      remedy: 'name Ingress and Egress once each',
    };
  }
  for (const [index, { destination }] of (spec.ingress ?? []).entries()) {
    if (destination?.services === undefined) continue;
    yield {
      path: ['ingress', index, 'destination', 'services'],
      what: 'an ingress rule cannot match services as destination',
      remedy: 'match them as source, or use an egress rule',
    };
  }
  for (const [index, { source, http }] of (spec.egress ?? []).entries()) {
    if (source?.services !== undefined) {
      yield {
        path: ['egress', index, 'source', 'services'],
        what: 'an egress rule cannot match services as source',
        remedy: 'match them as destination, or use an ingress rule',
      };
    }
    if (http !== undefined) {
      yield {
        path: ['egress', index, 'http'],
        what: 'an egress rule cannot match HTTP',
        remedy: 'use an ingress rule',
      };
    }
  }
}
