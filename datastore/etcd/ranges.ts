/** Reading folders of etcd at one revision, in pages. */
import type { IKeyValue, IRangeRequest, IRangeResponse } from 'etcd3';

/** Keys a request; a page of endpoints is then well below etcd's limits. */
const PAGE = 1000;

export interface KeyRange {
  readonly key: Buffer;
  readonly range_end?: Buffer;
}

/** Everything in a folder that ends in `/`; else the one key. */
export function rangeOf(folder: string): KeyRange {
  const key = Buffer.from(folder);
  if (!folder.endsWith('/')) return { key };
  // "0" is the character behind "/": the smallest key that is no longer inside.
  return { key, range_end: Buffer.from(`${folder.slice(0, -1)}0`) };
}

/** The smallest stretch of keys that holds all of the folders. */
export function coverOf(folders: readonly string[]): KeyRange {
  const ranges = folders.map((folder) => {
    const { key, range_end } = rangeOf(folder);
    return { key, range_end: range_end ?? Buffer.concat([key, Buffer.of(0)]) };
  });
  const [first] = ranges;
  if (first === undefined) throw new RangeError('no folder is held by nothing');
  return ranges.reduce(
    (a, b) => ({
      key: Buffer.compare(a.key, b.key) <= 0 ? a.key : b.key,
      range_end: Buffer.compare(a.range_end, b.range_end) >= 0 ? a.range_end : b.range_end,
    }),
    first,
  );
}

/**
 * A page at a time: what is read of it is all that stays in memory, and the thread is free between pages.
 *
 * @param at  undefined: now, which the first page settles for all
 * @param read  what there is in one pair; undefined for nothing
 * @returns in key order, and the revision that all was read at
 */
export async function readFolders<T>(
  range: (request: IRangeRequest) => Promise<IRangeResponse>,
  folders: readonly string[],
  at: string | undefined,
  read: (kv: IKeyValue) => T | undefined,
): Promise<{ readonly found: readonly T[]; readonly revision: string }> {
  const found: T[] = [];
  let revision = at;
  for (const folder of folders) {
    const { range_end, key } = rangeOf(folder);
    for (let next: Buffer | undefined = key; next !== undefined; ) {
      const answer: IRangeResponse = await range({
        key: next,
        ...(range_end === undefined ? {} : { range_end }),
        limit: PAGE,
        ...(revision === undefined ? {} : { revision }),
      });
      revision ??= answer.header.revision;
      for (const kv of answer.kvs) {
        const one = read(kv);
        if (one !== undefined) found.push(one);
      }
      const last = answer.kvs.at(-1);
      next = answer.more && last !== undefined ? Buffer.concat([last.key, Buffer.of(0)]) : undefined;
    }
  }
  return { found, revision: revision ?? '0' };
}
