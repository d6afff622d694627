/** All that IPAM's objects say about one address, whether it is held or not. Reads only. */
import type { IPPool, IPReservation } from '../api/index.ts';
import type { Store } from '../datastore/index.ts';
import { type Address, Prefix } from '../net/addr/index.ts';
import { affinityOf, prefixOf } from './block.ts';
import { poolsAround } from './pools.ts';
import { Records } from './records.ts';
import { type AllocationView, type BlockView, type HandleView, viewBlocks, viewHandles } from './view.ts';

export interface Explanation {
  readonly address: Address;
  /** Enabled or not; more than one only where pools overlap, which no tool lets through. */
  readonly pools: readonly IPPool[];
  /** Names of the IPReservations that keep the address from being given by itself. */
  readonly reservations: readonly string[];
  readonly block:
    | (BlockView & {
        /** When the owner claimed it (RFC 3339), where the block says so: Calico does from 3.32 on. */
        readonly claimed: string | undefined;
      })
    | undefined;
  readonly allocation:
    | (AllocationView & {
        /** When it was given, as whoever gave it wrote it down. */
        readonly since: string | undefined;
      })
    | undefined;
  /** The handle that holds it, with all that it counts; undefined also where the handle's object is missing. */
  readonly handle: HandleView | undefined;
}

export async function explain(store: Store, address: Address): Promise<Explanation> {
  const records = new Records(store);
  const pools = poolsAround(await records.resources<IPPool>('IPPool'), address);
  const reservations = (await records.resources<IPReservation>('IPReservation'))
    .filter(({ spec }) => (spec.reservedCIDRs ?? []).some((cidr) => covers(cidr, address)))
    .map(({ metadata }) => metadata.name);
  // All blocks: the pool may be gone, or have another block size than it had.
  const entry = (await records.blocks()).find(({ value }) => prefixOf(value.cidr).contains(address));
  if (entry === undefined)
    return { address, pools, reservations, block: undefined, allocation: undefined, handle: undefined };
  const owner = affinityOf(entry.value);
  const affinity = owner === undefined ? undefined : await records.affinity(owner, entry.value.cidr);
  const block = viewBlocks([entry], affinity === undefined ? [] : [affinity])[0]!;
  const allocation = block.allocations.find((one) => one.address.equals(address));
  const handle = allocation?.handle === undefined ? undefined : await records.handle(allocation.handle);
  return {
    address,
    pools,
    reservations,
    block: { ...block, claimed: entry.value.affinity_claim_time ?? undefined },
    allocation: allocation && { ...allocation, since: allocation.attributes['timestamp'] },
    handle: handle === undefined ? undefined : viewHandles([handle])[0],
  };
}

function covers(cidr: string, address: Address): boolean {
  return Prefix.parse(cidr, { hostBits: 'mask' })?.contains(address) === true;
}
