/** Pools may not share addresses, or one address could be given out twice. */
import { Prefix } from '../../net/addr/index.ts';
import type { Problem } from '../problem.ts';
import type { IPPool } from '../kinds/ip-pool.ts';
import type { Resource } from '../kinds/index.ts';
import { resourceText } from './text.ts';

interface Holding {
  readonly pool: IPPool;
  readonly prefix: Prefix;
}

/**
 * In order of address a pool can only overlap the last one that reaches as far: one pass after the sort.
 * Disabled pools count too: their addresses may still be in use.
 */
export function* poolOverlaps(resources: readonly Resource[]): Generator<Problem> {
  const holdings: Holding[] = [];
  for (const resource of resources) {
    const prefix = resource.kind === 'IPPool' ? Prefix.parse(resource.spec.cidr) : undefined;
    if (resource.kind === 'IPPool' && prefix !== undefined) holdings.push({ pool: resource, prefix });
  }
  holdings.sort((a, b) => a.prefix.compare(b.prefix));
  let widest: Holding | undefined;
  for (const holding of holdings) {
    if (widest !== undefined && widest.prefix.overlaps(holding.prefix)) yield overlap(holding, widest);
    else widest = holding;
  }
}

function overlap({ pool, prefix }: Holding, other: Holding): Problem {
  return {
    code: 'POOL_OVERLAP',
    resource: resourceText(pool),
    field: 'spec.cidr',
    what: `"${prefix.toString()}" overlaps "${other.prefix.toString()}" of ${resourceText(other.pool)}`,
    remedy: `choose a prefix that shares no address with ${other.prefix.toString()}`,
    value: pool.spec.cidr,
  };
}
