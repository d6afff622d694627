/**
 * The maths of one allocation block, as Calico stores it (`AllocationBlock`): pure functions from a block to the block
 * that replaces it. Whoever writes the result must compare-and-swap on the revision of the block it was made from.
 *
 * An ordinal is an address's offset from the block's base. Fields that this release does not know stay as they are.
 */
import { Address, Prefix } from '../net/addr/index.ts';
import { sameForCalico } from '../datastore/etcd/go-json.ts';
import { type AllocationAttribute, withoutUnusedAttributes } from './attributes.ts';
import { AT_ONCE, type Cooldown, hasRested, isResting, restingSince } from './cooldown.ts';

export interface IPAMBlock {
  /** Canonical. */
  readonly cidr: string;
  /** `host:<node>`, `virtual:<owner>`; null or absent when no one has the block. */
  readonly affinity?: string | null;
  /** RFC 3339. */
  readonly affinity_claim_time?: string | null;
  /** By ordinal: null when free, else an index into `attributes`. */
  readonly allocations: readonly (number | null)[];
  /** Free ordinals, the next to be given first: an address returns to use as late as possible. */
  readonly unallocated: readonly number[];
  readonly attributes: readonly AllocationAttribute[];
  /** Unix nanoseconds of the creation, one more with every later write. */
  readonly sequenceNumber: bigint | number;
  /** By ordinal in decimal: the block's sequence number when the address was given. */
  readonly sequenceNumberForAllocation?: Readonly<Record<string, bigint | number>> | null;
  readonly deleted?: boolean;
  /** Old form of `affinity`: the bare name of the node. */
  readonly hostAffinity?: string | null;
}

export interface Owner {
  readonly handle: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export function newBlock(cidr: Prefix, affinity: string, now: Date): IPAMBlock {
  const size = Number(cidr.size);
  return {
    cidr: cidr.toString(),
    affinity,
    // Whole seconds, as Calico writes it.
    affinity_claim_time: now.toISOString().replace(/\.\d+Z$/, 'Z'),
    allocations: Array.from({ length: size }, () => null),
    unallocated: Array.from({ length: size }, (_, ordinal) => ordinal),
    attributes: [],
    sequenceNumber: BigInt(now.getTime()) * 1_000_000n,
    sequenceNumberForAllocation: {},
    deleted: false,
  };
}

export function affinityOf({ affinity, hostAffinity }: IPAMBlock): string | undefined {
  if (affinity !== undefined && affinity !== null && affinity !== '') return affinity;
  return hostAffinity === undefined || hostAffinity === null || hostAffinity === ''
    ? undefined
    : `host:${hostAffinity}`;
}

/** A write that changes nothing but the revision: whoever still holds the block as it was cannot write it any more. */
export function bumped(block: IPAMBlock): IPAMBlock {
  return { ...block, sequenceNumber: BigInt(block.sequenceNumber) + 1n };
}

export function withoutAffinity(block: IPAMBlock): IPAMBlock {
  const { hostAffinity: _old, affinity_claim_time: _time, ...rest } = bumped(block);
  return { ...rest, affinity: null };
}

/** Addresses that Windows keeps for itself in a block of its own: held, and yet the block counts as empty. */
const WINDOWS_HANDLE = 'windows-reserved-ipam-handle';

export function isEmpty({ allocations, attributes }: IPAMBlock): boolean {
  return allocations.every(
    (index) => index === null || attributes[index]?.handle_id?.toLowerCase() === WINDOWS_HANDLE,
  );
}

/** What one write does to a block. */
export interface BlockChange {
  /** Ordinals; those that are free already, or rest, stay so. Applied first. */
  readonly freed: readonly number[];
  /** By ordinal; an address may be freed and given in one go, unless it has to rest in between. */
  readonly given: readonly (readonly [ordinal: number, owner: Owner])[];
}

/**
 * The block after one write: its sequence number is one more, whatever the write brings.
 *
 * @param cooldown  how long what is freed rests before it can be given
 */
export function changed(
  block: IPAMBlock,
  { freed, given }: BlockChange,
  cooldown: Cooldown = AT_ONCE,
): IPAMBlock {
  const allocations = [...block.allocations];
  const sequences = { ...block.sequenceNumberForAllocation };
  const attributes = [...block.attributes];
  const reallyFreed = [...new Set(freed)].filter((ordinal) => isHeld(block, ordinal));
  const resting =
    cooldown.seconds > 0 && reallyFreed.length > 0 ? placeOf(attributes, restingSince(cooldown)) : null;
  for (const ordinal of reallyFreed) {
    allocations[ordinal] = resting;
    if (resting === null) delete sequences[String(ordinal)];
    else sequences[String(ordinal)] = block.sequenceNumber;
  }
  const places = new Map<Owner, number>();
  for (const [ordinal, owner] of given) {
    const { handle: handle_id, attributes: secondary } = owner;
    const index = places.get(owner) ?? placeOf(attributes, { handle_id, secondary });
    places.set(owner, index);
    allocations[ordinal] = index;
    sequences[String(ordinal)] = block.sequenceNumber;
  }
  const taken = new Set(given.map(([ordinal]) => ordinal));
  const free = resting === null ? reallyFreed : [];
  return bumped({
    ...block,
    ...(reallyFreed.length > 0
      ? withoutUnusedAttributes({ allocations, attributes })
      : { allocations, attributes }),
    unallocated: [...block.unallocated, ...free].filter((ordinal) => !taken.has(ordinal)),
    sequenceNumberForAllocation: sequences,
  });
}

/**
 * The block as it is for whoever gives addresses: what has rested long enough is free, last in the queue, in the order of
 * release. Not a write by itself: the next one, whatever it brings, stores it so.
 *
 * @returns the same object when nothing has rested long enough
 */
export function rested(block: IPAMBlock, cooldown: Cooldown): IPAMBlock {
  const hasEnded = block.attributes.map((attribute) => hasRested(attribute, cooldown));
  if (!hasEnded.includes(true)) return block;
  const released = (ordinal: number): number =>
    Date.parse(block.attributes[block.allocations[ordinal]!]?.releasedAt ?? '') || 0;
  const free = block.allocations
    .flatMap((index, ordinal) => (index !== null && hasEnded[index] === true ? [ordinal] : []))
    .toSorted((a, b) => released(a) - released(b) || a - b);
  const ended = new Set(free);
  const sequences = Object.entries(block.sequenceNumberForAllocation ?? {});
  return {
    ...block,
    ...withoutUnusedAttributes({
      allocations: block.allocations.map((index, ordinal) => (ended.has(ordinal) ? null : index)),
      attributes: block.attributes,
    }),
    unallocated: [...block.unallocated, ...free],
    sequenceNumberForAllocation: Object.fromEntries(
      sequences.filter(([ordinal]) => !ended.has(Number(ordinal))),
    ),
  };
}

/** Of any value that lies where a block should. */
export function hasResting({ attributes }: IPAMBlock): boolean {
  return Array.isArray(attributes) && attributes.some(isResting);
}

/** Whether somebody has the address: it is not free, and does not rest. */
function isHeld({ allocations, attributes }: IPAMBlock, ordinal: number): boolean {
  const index = allocations[ordinal];
  return typeof index === 'number' && !isResting(attributes[index] ?? {});
}

/** Where one stands among the attributes, put there if it is new: equal ones share a place. */
function placeOf(attributes: AllocationAttribute[], one: AllocationAttribute): number {
  const known = attributes.findIndex(
    (other) =>
      other.handle_id === one.handle_id && sameForCalico({ attributes: [other] }, { attributes: [one] }),
  );
  return known >= 0 ? known : attributes.push(one) - 1;
}

/**
 * Gives up to `count` free addresses to one owner, in the order of `unallocated`.
 *
 * @param isReserved  ordinals to pass over; they keep their place in the queue
 * @returns undefined when none is to be had
 */
export function allocate(
  block: IPAMBlock,
  count: number,
  owner: Owner,
  isReserved: (ordinal: number) => boolean = () => false,
): { readonly block: IPAMBlock; readonly ordinals: readonly number[] } | undefined {
  const ordinals = block.unallocated.filter((ordinal) => !isReserved(ordinal)).slice(0, count);
  return ordinals.length === 0 ? undefined : { block: give(block, ordinals, owner), ordinals };
}

/** Gives one particular address; undefined when it is taken. */
export function allocateOrdinal(block: IPAMBlock, ordinal: number, owner: Owner): IPAMBlock | undefined {
  return block.allocations[ordinal] === null ? give(block, [ordinal], owner) : undefined;
}

function give(block: IPAMBlock, ordinals: readonly number[], owner: Owner): IPAMBlock {
  return changed(block, { freed: [], given: ordinals.map((ordinal) => [ordinal, owner]) });
}

/** Frees the given ordinals; those that are free already, or rest, stay so. */
export function release(block: IPAMBlock, ordinals: readonly number[], cooldown?: Cooldown): IPAMBlock {
  return changed(block, { freed: ordinals, given: [] }, cooldown);
}

/** Ordinals that a handle holds. */
export function ordinalsOf(block: IPAMBlock, handle: string): number[] {
  const found: number[] = [];
  for (const [ordinal, index] of block.allocations.entries()) {
    if (index !== null && block.attributes[index]?.handle_id === handle) found.push(ordinal);
  }
  return found;
}

export interface Allocation {
  readonly ordinal: number;
  /** Absent when Calico gave the address without one, or it cools down. */
  readonly handle: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
  /** Released, and not free yet. */
  readonly isCooling: boolean;
  /** When that was (RFC 3339), where it cools down. */
  readonly releasedAt: string | undefined;
  /** For a release that must not hit a later allocation of the same address. */
  readonly sequence: bigint | undefined;
}

export function allocationAt(block: IPAMBlock, ordinal: number): Allocation | undefined {
  const index = block.allocations[ordinal];
  if (index === undefined || index === null) return undefined;
  const attribute = block.attributes[index];
  const sequence = block.sequenceNumberForAllocation?.[String(ordinal)];
  return {
    ordinal,
    handle: attribute?.handle_id ?? undefined,
    attributes: attribute?.secondary ?? {},
    isCooling: attribute !== undefined && isResting(attribute),
    releasedAt: attribute?.releasedAt ?? undefined,
    sequence: sequence === undefined ? undefined : BigInt(sequence),
  };
}

export function allocationsOf(block: IPAMBlock): Allocation[] {
  return block.allocations.flatMap((_, ordinal) => allocationAt(block, ordinal) ?? []);
}

/** The prefix of a stored block. @throws Error when it is none: such a block was not written by any IPAM */
export function prefixOf(cidr: string): Prefix {
  const prefix = Prefix.parse(cidr);
  if (prefix === undefined) throw new Error(`IPAMBlock ${JSON.stringify(cidr)} is not named by a CIDR`);
  return prefix;
}

export function ordinalOf(block: Prefix, address: Address): number {
  return Number(block.indexOf(address) ?? -1n);
}
