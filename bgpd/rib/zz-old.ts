/**
 * Ids by hash: what interning needs to find the one that is there already. The owner keeps what the ids stand for, and
 * says whether an id of the right hash is the one it looks for.
 *
 * Hot (bench/micro/bgp-inbound.ts). Open addressing, hash and id side by side, so that a lookup reads one cache line
 * and asks the owner about one id. Spread over 256 tables that grow each by itself, so that no single insert pays for
 * moving a million others.
 */
import { discard } from './widen.ts';

const FREE = 0;
const TABLES = 256;
const INITIAL_SLOTS = 4;

export class HashIndex {
  /** By the upper bits of the hash. Slot n is [2n] hash, [2n + 1] id + 1 or free; their number is a power of two. */
  readonly #tables = Array.from({ length: TABLES }, () => new Int32Array(2 * INITIAL_SLOTS));
  readonly #used = new Uint32Array(TABLES);

  /** @param hash  signed 32 bits (larger numbers would be objects on the heap), well mixed */
  find(hash: number, isIt: (id: number) => boolean): number | undefined {
    const table = this.#tables[hash >>> 24] as Int32Array;
    const mask = table.length - 2;
    for (let at = (hash << 1) & mask; ; at = (at + 2) & mask) {
      const slot = table[at + 1] as number;
      if (slot === FREE) return undefined;
      if (table[at] === hash && isIt(slot - 1)) return slot - 1;
    }
  }

  /** The id must not be in the index. */
  add(hash: number, id: number): void {
    const n = hash >>> 24;
    const used = (this.#used[n] as number) + 1;
    this.#used[n] = used;
    const table = this.#tables[n] as Int32Array;
    // Three quarters of the slots.
    insert(used * 8 > table.length * 3 ? this.#grow(n) : table, hash, id + 1);
  }

  /** @param hash  under which the id was added */
  remove(hash: number, id: number): void {
    const n = hash >>> 24;
    const table = this.#tables[n] as Int32Array;
    const mask = table.length - 2;
    let gap = (hash << 1) & mask;
    while (table[gap + 1] !== id + 1) gap = (gap + 2) & mask;
    // No tombstones: whatever the hole would cut off from its home slot moves into it.
    for (let at = (gap + 2) & mask; table[at + 1] !== FREE; at = (at + 2) & mask) {
      const home = ((table[at] as number) << 1) & mask;
      if (((at - home) & mask) < ((at - gap) & mask)) continue;
      table[gap] = table[at] as number;
      table[gap + 1] = table[at + 1] as number;
      gap = at;
    }
    table[gap + 1] = FREE;
    this.#used[n] = (this.#used[n] as number) - 1;
  }

  #grow(n: number): Int32Array {
    const old = this.#tables[n] as Int32Array;
    const table = new Int32Array(old.length * 2);
    for (let at = 0; at < old.length; at += 2)
      if (old[at + 1] !== FREE) insert(table, old[at] as number, old[at + 1] as number);
    this.#tables[n] = table;
    discard(old);
    return table;
  }
}

function insert(table: Int32Array, hash: number, slot: number): void {
  const mask = table.length - 2;
  let at = (hash << 1) & mask;
  while (table[at + 1] !== FREE) at = (at + 2) & mask;
  table[at] = hash;
  table[at + 1] = slot;
}

/** Murmur3, one word at a time: start with any number, {@link mixWord} each word, {@link finishHash}. */
export function mixWord(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const mixed = hash ^ Math.imul(k, 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

export function finishHash(mixed: number): number {
  let h = mixed ^ (mixed >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/**
 * The hash, in the table that all of a group share: what is looked for together stays in the cache. The upper 8 bits
 * choose the table. Groups should be many or small, as one of a million would grow in one go.
 */
export function inTableOf(group: number, hash: number): number {
  return (Math.imul(group, 0x9e3779b1) & 0xff000000) | (hash & 0x00ffffff);
}
