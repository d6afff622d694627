/** How full pools and their blocks are. Pure. */
import type { IPPool } from '../../api/index.ts';
import type { BlockView } from '../../ipam/index.ts';
import { Prefix } from '../../net/addr/index.ts';

export interface Usage {
  readonly cidr: Prefix;
  readonly total: bigint;
  readonly inUse: bigint;
}

export interface BlockUsage extends Usage {
  /** `host:a1`; undefined for a block that no one has. */
  readonly owner: string | undefined;
  /** Addresses that other nodes took from it. */
  readonly borrowed: number;
}

export interface PoolUsage extends Usage {
  readonly pool: string;
  readonly blocks: readonly BlockUsage[];
}

export interface AllUsage {
  readonly pools: readonly PoolUsage[];
  /** Blocks that no pool contains: their pool was deleted. */
  readonly orphans: readonly BlockUsage[];
}

/** Pools in the order given; blocks by address, as IPAM lists them. */
export function usageOf(pools: readonly IPPool[], blocks: readonly BlockView[]): AllUsage {
  const used = blocks.map(blockUsage);
  const homes = pools.flatMap((pool) => {
    const cidr = Prefix.parse(pool.spec.cidr);
    return cidr === undefined ? [] : [{ pool: pool.metadata.name, cidr }];
  });
  return {
    pools: homes.map(({ pool, cidr }) => {
      const own = used.filter((block) => cidr.contains(block.cidr));
      return {
        pool,
        cidr,
        total: cidr.size,
        inUse: own.reduce((sum, { inUse }) => sum + inUse, 0n),
        blocks: own,
      };
    }),
    orphans: used.filter((block) => !homes.some(({ cidr }) => cidr.contains(block.cidr))),
  };
}

function blockUsage({ cidr, size, allocations, affinity }: BlockView): BlockUsage {
  return {
    cidr,
    total: BigInt(size),
    inUse: BigInt(allocations.length),
    owner: affinity,
    borrowed: allocations.filter(({ borrowed }) => borrowed).length,
  };
}
