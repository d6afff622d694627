/** IPAM as people and checks look at it. Pure. */
import { type Address, Prefix } from '../net/addr/index.ts';
import { affinityOf, allocationAt, allocationsOf, type IPAMBlock, ordinalOf, prefixOf } from './block.ts';
import { type AffinityEntry, type BlockAffinity, type BlockEntry, type HandleEntry } from './records.ts';

export interface AllocationView {
  readonly address: Address;
  readonly handle: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
  readonly sequence: bigint | undefined;
  /** Released and not free yet. */
  readonly isCooling: boolean;
  /** When that was (RFC 3339), where it cools down. */
  readonly releasedAt: string | undefined;
  /** The node in the attributes is not the one that holds the block. */
  readonly borrowed: boolean;
}

export interface BlockView {
  readonly cidr: Prefix;
  /** `host:<node>`, `virtual:<name>`, or undefined for nobody's. */
  readonly affinity: string | undefined;
  /** The node, when a node holds it. */
  readonly host: string | undefined;
  /** Of the affinity; undefined when the block says an owner and there is no affinity (a claim or release cut short). */
  readonly state: NonNullable<BlockAffinity['state']> | undefined;
  readonly size: number;
  readonly free: number;
  /** In order of address. */
  readonly allocations: readonly AllocationView[];
}

export interface HandleView {
  readonly handle: string;
  readonly counts: readonly { readonly cidr: string; readonly count: number }[];
}

export interface Holder extends AllocationView {
  readonly block: Prefix;
  readonly pool: string | undefined;
  readonly affinity: string | undefined;
}

export function viewBlocks(blocks: readonly BlockEntry[], affinities: readonly AffinityEntry[]): BlockView[] {
  const states = new Map(
    affinities.map(({ key, value }) => [`${key.scope} ${key.name}`, value.state ?? 'confirmed']),
  );
  return blocks
    .map(({ value }) => viewBlock(value, states.get(`${affinityOf(value) ?? ''} ${value.cidr}`)))
    .toSorted((a, b) => a.cidr.compare(b.cidr));
}

function viewBlock(block: IPAMBlock, state: BlockView['state']): BlockView {
  const cidr = prefixOf(block.cidr);
  const affinity = affinityOf(block);
  const allocations = allocationsOf(block).map((allocation) => viewAllocation(cidr, affinity, allocation));
  const size = block.allocations.length;
  return {
    cidr,
    affinity,
    host: hostOf(affinity),
    state,
    size,
    free: size - allocations.length,
    allocations,
  };
}

function viewAllocation(
  cidr: Prefix,
  affinity: string | undefined,
  { ordinal, ...allocation }: ReturnType<typeof allocationsOf>[number],
): AllocationView {
  const node = allocation.attributes['node'];
  return {
    address: cidr.nth(ordinal),
    ...allocation,
    borrowed: node !== undefined && node !== hostOf(affinity),
  };
}

export function holderOf(block: IPAMBlock, address: Address, pool: string | undefined): Holder | undefined {
  const cidr = prefixOf(block.cidr);
  const allocation = allocationAt(block, ordinalOf(cidr, address));
  if (allocation === undefined) return undefined;
  const affinity = affinityOf(block);
  return { ...viewAllocation(cidr, affinity, allocation), block: cidr, pool, affinity };
}

export function viewHandles(handles: readonly HandleEntry[]): HandleView[] {
  return handles.map(({ key, value }) => ({
    handle: key.name,
    counts: Object.entries(value.block).map(([cidr, count]) => ({ cidr, count })),
  }));
}

function hostOf(affinity: string | undefined): string | undefined {
  return affinity?.startsWith('host:') === true ? affinity.slice('host:'.length) : undefined;
}
