/** How full pools and their blocks are, from what IPAM stored. */
import type { IPPool } from '../../api/index.ts';
import type { Store } from '../../datastore/index.ts';
import { affinityOf, allocationsOf, type IPAMBlock, prefixOf } from '../../ipam/block.ts';
import { Records } from '../../ipam/records.ts';
import { Prefix } from '../../net/addr/index.ts';

export interface Usage {
  readonly cidr: string;
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

export async function usageOfPools(store: Store, pools: readonly IPPool[]): Promise<PoolUsage[]> {
  return usageOf(
    pools,
    (await new Records(store).blocks()).map(({ value }) => value),
  ).pools.slice();
}

/** Pools by name; blocks by address. Pure. */
export function usageOf(pools: readonly IPPool[], blocks: readonly IPAMBlock[]): AllUsage {
  const sorted = blocks.toSorted((a, b) => prefixOf(a.cidr).compare(prefixOf(b.cidr)));
  const used = sorted.map(blockUsage);
  const homes = pools.map((pool) => ({ pool, cidr: Prefix.parse(pool.spec.cidr) }));
  return {
    pools: homes.flatMap(({ pool, cidr }) => {
      if (cidr === undefined) return [];
      const own = used.filter((block) => cidr.contains(prefixOf(block.cidr)));
      const inUse = own.reduce((sum, block) => sum + block.inUse, 0n);
      return [{ pool: pool.metadata.name, cidr: cidr.toString(), total: cidr.size, inUse, blocks: own }];
    }),
    orphans: used.filter((block) => !homes.some(({ cidr }) => cidr?.contains(prefixOf(block.cidr)) === true)),
  };
}

function blockUsage(block: IPAMBlock): BlockUsage {
  const owner = affinityOf(block);
  const allocations = allocationsOf(block);
  const borrowed = allocations.filter(({ attributes }) => isBorrowed(owner, attributes['node'])).length;
  return {
    cidr: block.cidr,
    total: prefixOf(block.cidr).size,
    inUse: BigInt(allocations.length),
    owner,
    borrowed,
  };
}

/** An address is borrowed when the node that holds it does not have the block. Unknown holders are not counted. */
export function isBorrowed(owner: string | undefined, node: string | undefined): boolean {
  return node !== undefined && owner !== `host:${node}`;
}
