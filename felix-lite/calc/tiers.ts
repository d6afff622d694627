/** Tiers: their order and what their end means, and the policies of an endpoint put into them. */
import type { PolicyRef, TierPolicies } from './model.ts';
import { type Policy, type TierSettings, comparePolicies, compareTiers, fixedTier } from './policies.ts';

export class Tiers {
  readonly #tiers = new Map<string, TierSettings>();
  /** How often policies were put into tiers: the work that a change of a tier makes. */
  arrangements = 0;

  /** Undefined: there is no such resource. */
  put(name: string, settings: Omit<TierSettings, 'exists'> | undefined): void {
    if (settings === undefined) this.#tiers.delete(name);
    else this.#tiers.set(name, { ...settings, exists: true });
  }

  /** In the order in which they are asked; tiers without a policy are left out. */
  arrange(policies: Iterable<Policy>): readonly TierPolicies[] {
    this.arrangements++;
    const byTier = Map.groupBy(policies, ({ tier }) => tier);
    return [...byTier.keys()]
      .map((name): readonly [string, TierSettings] => [name, this.#tiers.get(name) ?? fixedTier(name)])
      .sort(compareTiers)
      .map(([name, { defaultAction }]) => {
        const ordered = (byTier.get(name) ?? []).sort(comparePolicies);
        return {
          name,
          defaultAction,
          ingress: ordered.filter(({ types }) => types.ingress).map(reference),
          egress: ordered.filter(({ types }) => types.egress).map(reference),
        };
      });
  }
}

function reference({ id, selector }: Policy): PolicyRef {
  return { id, selector: selector.canonical };
}
