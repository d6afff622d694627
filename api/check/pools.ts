/** Pools may not share addresses, or one address could be given out twice. */
import { Prefix } from '../../net/addr/index.ts';
import type { Problem } from '../problem.ts';
import type { IPPool } from '../kinds/ip-pool.ts';
import type { Resource } from '../kinds/index.ts';
import { resourceText } from './text.ts';

interface Holding {
  readonly pool: IPPool;
  readonly prefix: Prefix;
  /** Place in the list that was given. */
  readonly index: number;
}

/**
 * Prefixes nest or are apart, so in order of address a pool can only overlap the widest one before it: one
 * pass after the sort. Disabled pools count too: their addresses may still be in use.
 */
export function* poolOverlaps(resources: readonly Resource[]): Generator<Problem> {
  const holdings = resources.flatMap((pool, index): Holding[] => {
    const prefix = pool.kind === 'IPPool' ? Prefix.parse(pool.spec.cidr) : undefined;
    return pool.kind === 'IPPool' && prefix !== undefined ? [{ pool, prefix, index }] : [];
  });
  let widest: Holding | undefined;
  for (const holding of holdings.toSorted((a, b) => a.prefix.compare(b.prefix))) {
    if (widest === undefined || !widest.prefix.overlaps(holding.prefix)) widest = holding;
    else if (holding.index > widest.index) yield overlap(holding, widest);
    else yield overlap(widest, holding);
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
