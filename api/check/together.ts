/**
 * Rules that no resource can break alone. They are asked of the whole set as it would be after a change,
 * before anything is written.
 */
import type { Problem } from '../problem.ts';
import { isTiered, kindInfo, type Resource } from '../kinds/index.ts';
import { DEFAULT_TIER } from '../kinds/policy.ts';
import { FIXED_TIER_ORDERS } from '../kinds/tier.ts';
import { nearest } from '../schema/suggest.ts';
import { poolOverlaps } from './pools.ts';
import { resourceText } from './text.ts';

/**
 * All problems of the set. Where two resources clash, the one later in the list is blamed: put what exists
 * first and what is new after it.
 */
export function checkTogether(resources: readonly Resource[]): Problem[] {
  return [...scopes(resources), ...repeats(resources), ...tiers(resources), ...poolOverlaps(resources)];
}

function* scopes(resources: readonly Resource[]): Generator<Problem> {
  for (const resource of resources) {
    const namespaced = kindInfo(resource.kind)?.namespaced ?? false;
    const { namespace } = resource.metadata;
    if (namespaced === (namespace !== undefined)) continue;
    yield {
      code: namespaced ? 'FIELD_MISSING' : 'FIELD_INVALID',
      resource: resourceText(resource),
      field: 'metadata.namespace',
      what: namespaced ? 'is missing' : `a ${resource.kind} belongs to the whole cluster, not to a namespace`,
      remedy: namespaced ? `add the namespace of this ${resource.kind}` : 'remove it',
      ...(namespace === undefined ? {} : { value: namespace }),
    };
  }
}

function* repeats(resources: readonly Resource[]): Generator<Problem> {
  const seen = new Set<string>();
  for (const resource of resources) {
    const name = resourceText(resource);
    if (seen.has(name)) {
      yield {
        code: 'RESOURCE_REPEATED',
        resource: name,
        field: 'metadata.name',
        what: 'is given twice',
        remedy: 'keep one of them, or rename one',
        value: resource.metadata.name,
      };
    }
    seen.add(name);
  }
}

function* tiers(resources: readonly Resource[]): Generator<Problem> {
  const known = new Set([...Object.keys(FIXED_TIER_ORDERS), DEFAULT_TIER]);
  for (const resource of resources) if (resource.kind === 'Tier') known.add(resource.metadata.name);
  for (const resource of resources) {
    if (!isTiered(resource)) continue;
    // Others may have stored a policy without what our schema fills in.
    const tier = (resource.spec as { readonly tier?: string } | undefined)?.tier ?? DEFAULT_TIER;
    if (known.has(tier)) continue;
    const meant = nearest(tier, [...known]);
    yield {
      code: 'REFERENCE_MISSING',
      resource: resourceText(resource),
      field: 'spec.tier',
      what: `there is no tier ${JSON.stringify(tier)}`,
      remedy:
        meant === undefined
          ? `create the Tier ${tier} first, or leave spec.tier out`
          : `write ${meant}, or create the Tier ${tier} first`,
      value: tier,
    };
  }
}
