/**
 * StagedNetworkPolicy and StagedGlobalNetworkPolicy: policies on trial. They change no verdict; they say what the policy
 * of the same name would become.
 */
import { z } from 'zod';
import { type Complaint, rules } from '../schema/field.ts';
import { globalComplaints, globalPolicyFields } from './global-network-policy.ts';
import { conditions, type KindNames, resource } from './kind.ts';
import { type PolicyDirections, policyComplaints, policyFields, withTypes } from './policy.ts';

/** `Set` creates or replaces the policy, `Delete` takes it away; the others are for tools that propose policies. */
export const stagedAction = z.enum(['Set', 'Delete', 'Learn', 'Ignore']);

interface Staged {
  readonly stagedAction: z.output<typeof stagedAction>;
  readonly tier: string;
}

/** A deletion says which policy goes, and nothing of what it was. */
function* deletionComplaints(spec: Staged): Generator<Complaint> {
  if (spec.stagedAction !== 'Delete') return;
  for (const [field, value] of Object.entries(spec)) {
    if (field === 'stagedAction' || field === 'tier' || value === undefined) continue;
    yield {
      path: [field],
      what: 'stagedAction is Delete, which needs no rules',
      remedy: `remove ${field}, or set stagedAction to Set`,
    };
  }
}

function withStagedTypes<S extends Staged & PolicyDirections>(spec: S): S {
  return spec.stagedAction === 'Delete' ? spec : withTypes(spec);
}

const namespacedSpec = rules(
  z.strictObject({ stagedAction: stagedAction.prefault('Set'), ...policyFields }),
  function* (spec): Generator<Complaint> {
    yield* policyComplaints(spec);
    yield* deletionComplaints(spec);
  },
).overwrite(withStagedTypes);

const globalSpec = rules(
  z.strictObject({ stagedAction: stagedAction.prefault('Set'), ...globalPolicyFields }),
  function* (spec): Generator<Complaint> {
    yield* globalComplaints(spec);
    yield* deletionComplaints(spec);
  },
).overwrite(withStagedTypes);

export const stagedNetworkPolicy = {
  kind: 'StagedNetworkPolicy',
  plural: 'stagednetworkpolicies',
  shortNames: ['snp', 'snps'],
  namespaced: true,
  schema: resource('StagedNetworkPolicy', namespacedSpec.prefault({})).extend({
    status: z.exactOptional(conditions),
  }),
} as const satisfies KindNames<'StagedNetworkPolicy'> & { schema: z.ZodType };

export const stagedGlobalNetworkPolicy = {
  kind: 'StagedGlobalNetworkPolicy',
  plural: 'stagedglobalnetworkpolicies',
  shortNames: ['sgnp', 'sgnps'],
  namespaced: false,
  schema: resource('StagedGlobalNetworkPolicy', globalSpec.prefault({})).extend({
    status: z.exactOptional(conditions),
  }),
} as const satisfies KindNames<'StagedGlobalNetworkPolicy'> & { schema: z.ZodType };

export type StagedNetworkPolicy = z.output<typeof stagedNetworkPolicy.schema>;
export type StagedGlobalNetworkPolicy = z.output<typeof stagedGlobalNetworkPolicy.schema>;
