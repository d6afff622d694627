/** How full pools and their blocks are. Pure. */
import type { IPPool } from '../../api/index.ts';
import { type BlockView, Reservations } from '../../ipam/index.ts';
import { Prefix } from '../../net/addr/index.ts';

export interface Usage {
  readonly cidr: Prefix;
  readonly total: bigint;
  readonly inUse: bigint;
  /** Never given out by themselves. One that was given before it was reserved is in use, too. */
  readonly reserved: bigint;
  /** Neither in use nor reserved. */
  readonly free: bigint;
  /** Of those in use: released, and not to be given again yet. */
  readonly cooling: bigint;
  /** In use and reserved. */
  readonly both: bigint;
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
export function usageOf(
  pools: readonly IPPool[],
  blocks: readonly BlockView[],
  reservations: Reservations = new Reservations([]),
): AllUsage {
  const used = blocks.map((block) => blockUsage(block, reservations));
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
        ...sharesOf(cidr, own, reservations),
        blocks: own,
      };
    }),
    orphans: used.filter((block) => !homes.some(({ cidr }) => cidr.contains(block.cidr))),
  };
}

function sharesOf(
  cidr: Prefix,
  parts: readonly Pick<Usage, 'inUse' | 'cooling' | 'both'>[],
  reservations: Reservations,
): Omit<Usage, 'cidr'> {
  const sum = (member: 'inUse' | 'cooling' | 'both'): bigint =>
    parts.reduce((total, part) => total + part[member], 0n);
  const [inUse, both, reserved] = [sum('inUse'), sum('both'), reservations.countIn(cidr)];
  const free = cidr.size - inUse - reserved + both;
  return { total: cidr.size, inUse, reserved, free, cooling: sum('cooling'), both };
}

function blockUsage({ cidr, allocations, affinity }: BlockView, reservations: Reservations): BlockUsage {
  const inUse = BigInt(allocations.length);
  const cooling = BigInt(allocations.filter(({ isCooling }) => isCooling).length);
  const both = BigInt(allocations.filter(({ address }) => reservations.has(address)).length);
  return {
    cidr,
    ...sharesOf(cidr, [{ inUse, cooling, both }], reservations),
    owner: affinity,
    borrowed: allocations.filter(({ borrowed }) => borrowed).length,
  };
}
