/**
 * Ids by hash: what interning needs to find the one that is there already. The owner keeps what the ids stand for, and
 * says whether an id of the right hash is the one it looks for.
 *
 * Hot (bench/micro/bgp-inbound.ts). Open addressing, hash and id side by side, so that a lookup reads one cache line
 * and asks the owner about one id. Spread over 256 tables that grow each by itself, so that no single insert pays for
 * moving a million others; and by half once it is large, as doubling left a third of it empty, 9 MiB beside a table of
 * a million.
 */
import { discard } from './widen.ts';

const TABLES = 256;
const INITIAL_SLOTS = 4;
/** Smaller tables double: what they leave free is little, and a table of 200,000 is made of them. */
const DOUBLES_BELOW = 512;
/** Words of a slot: 16 bits of the hash, lower and upper half of id + 1; a free one has zeros. */
const SLOT = 3;
const HASHES = 2 ** 16;

export class HashIndex {
  /** By the upper 8 bits of the hash. */
  readonly #tables = Array.from({ length: TABLES }, () => new Uint16Array(SLOT * INITIAL_SLOTS));
  readonly #used = new Uint32Array(TABLES);

  /** @param hash  signed 32 bits (larger numbers would be objects on the heap), well mixed */
  find(hash: number, isIt: (id: number) => boolean): number | undefined {
    const table = this.#tables[hash >>> 24] as Uint16Array;
    const low = hash & (HASHES - 1);
    const end = table.length;
    for (let at = homeOf(low, end); ; ) {
      const slot = slotAt(table, at);
      if (slot === 0) return undefined;
      if (table[at] === low && isIt(slot - 1)) return slot - 1;
      at += SLOT;
      if (at === end) at = 0;
    }
  }

  /** The id must not be in the index. */
  add(hash: number, id: number): void {
    const n = hash >>> 24;
    const used = (this.#used[n] as number) + 1;
    this.#used[n] = used;
    const table = this.#tables[n] as Uint16Array;
    // Three quarters of the slots.
    insert(used * 4 * SLOT > table.length * 3 ? this.#grow(n) : table, hash & (HASHES - 1), id + 1);
  }

  /** @param hash  under which the id was added */
  remove(hash: number, id: number): void {
    const n = hash >>> 24;
    const table = this.#tables[n] as Uint16Array;
    const end = table.length;
    let gap = homeOf(hash & (HASHES - 1), end);
    while (slotAt(table, gap) !== id + 1) gap = behind(gap, end);
    // No tombstones: whatever the hole would cut off from its home slot moves into it.
    for (let at = behind(gap, end); slotAt(table, at) !== 0; at = behind(at, end)) {
      const home = homeOf(table[at] as number, end);
      if (distance(home, at, end) < distance(gap, at, end)) continue;
      put(table, gap, table[at] as number, slotAt(table, at));
      gap = at;
    }
    put(table, gap, 0, 0);
    this.#used[n] = (this.#used[n] as number) - 1;
  }

  #grow(n: number): Uint16Array {
    const old = this.#tables[n] as Uint16Array;
    const slots = old.length / SLOT;
    const table = new Uint16Array(SLOT * (slots < DOUBLES_BELOW ? slots * 2 : Math.ceil(slots * 1.5)));
    for (let at = 0; at < old.length; at += SLOT) {
      const slot = slotAt(old, at);
      if (slot !== 0) insert(table, old[at] as number, slot);
    }
    this.#tables[n] = table;
    discard(old);
    return table;
  }
}

/** Where a hash belongs: in the order of hashes, so a table that grows is read and written from one end to the other. */
function homeOf(low: number, end: number): number {
  return ((low * (end / (SLOT * HASHES))) | 0) * SLOT;
}

function slotAt(table: Uint16Array, at: number): number {
  return (table[at + 1] as number) | ((table[at + 2] as number) << 16);
}

function behind(at: number, end: number): number {
  return at + SLOT === end ? 0 : at + SLOT;
}

function distance(from: number, to: number, end: number): number {
  return to >= from ? to - from : to - from + end;
}

function insert(table: Uint16Array, low: number, slot: number): void {
  const end = table.length;
  let at = homeOf(low, end);
  while (slotAt(table, at) !== 0) at = behind(at, end);
  put(table, at, low, slot);
}

function put(table: Uint16Array, at: number, low: number, slot: number): void {
  table[at] = low;
  table[at + 1] = slot;
  table[at + 2] = slot >>> 16;
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
 * choose the table, the lower 16 the place in it. Groups should be many or small, as one of a million would grow in one
 * go.
 */
export function inTableOf(group: number, hash: number): number {
  return (Math.imul(group, 0x9e3779b1) & 0xff000000) | (hash & 0x00ffffff);
}
