/**
 * A handle counts the addresses that one owner has in each block: an index from the owner to its blocks. Pure.
 *
 * The promise that all writers keep: the count is never smaller than the truth. It may be larger for a while, or for
 * good when a writer dies; a release looks into the blocks and then sets it right.
 */

export interface IPAMHandle {
  /** By block CIDR. */
  readonly block: Readonly<Record<string, number>>;
  readonly deleted?: boolean;
}

export function countIn(handle: IPAMHandle | undefined, cidr: string): number {
  return handle !== undefined && Object.hasOwn(handle.block, cidr) ? (handle.block[cidr] ?? 0) : 0;
}

/** @returns undefined when nothing is left: the handle's key then goes too */
export function withCount(
  handle: IPAMHandle | undefined,
  cidr: string,
  count: number,
): IPAMHandle | undefined {
  const others = Object.entries(handle?.block ?? {}).filter(([other]) => other !== cidr);
  const entries = count > 0 ? [...others, [cidr, count] as const] : others;
  return entries.length === 0 ? undefined : { deleted: false, ...handle, block: Object.fromEntries(entries) };
}

/** @param more  by block, to be added to what is counted; below nothing nothing is counted */
export function withMore(
  handle: IPAMHandle | undefined,
  more: ReadonlyMap<string, number>,
): IPAMHandle | undefined {
  let after = handle;
  for (const [cidr, count] of more) after = withCount(after, cidr, countIn(after, cidr) + count);
  return after;
}
