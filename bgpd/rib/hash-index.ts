/**
 * Ids by hash: what interning needs to find the one that is there already. The owner keeps what the ids stand for and
 * says which one it looks for. Open addressing over small tables that grow each by itself, as in `prefix-index.ts`.
 */
const FREE = 0;
const TABLES = 64;
const SHIFT = 26;
const INITIAL_SLOTS = 4;

export class HashIndex {
  /** By the upper bits of the hash. Slot -> id + 1; 0 = free. Each length is a power of two. */
  readonly #tables = Array.from({ length: TABLES }, () => new Uint32Array(INITIAL_SLOTS));
  readonly #used = new Uint32Array(TABLES);
  /** By id. */
  #hashes = new Uint32Array(64);

  /** @param hash  unsigned 32 bits, well mixed */
  find(hash: number, isIt: (id: number) => boolean): number | undefined {
    const table = this.#tables[hash >>> SHIFT] as Uint32Array;
    const mask = table.length - 1;
    let at = hash & mask;
    for (let slot = table[at] ?? FREE; slot !== FREE; slot = table[at] ?? FREE) {
      if (this.#hashes[slot - 1] === hash && isIt(slot - 1)) return slot - 1;
      at = (at + 1) & mask;
    }
    return undefined;
  }

  /** The id must not be in the index. */
  add(hash: number, id: number): void {
    if (id >= this.#hashes.length) {
      const longer = new Uint32Array(Math.max(id + 1, Math.ceil(this.#hashes.length * 1.5)));
      longer.set(this.#hashes);
      this.#hashes = longer;
    }
    this.#hashes[id] = hash;
    const n = hash >>> SHIFT;
    const used = (this.#used[n] ?? 0) + 1;
    this.#used[n] = used;
    if (used * 4 > (this.#tables[n] as Uint32Array).length * 3) this.#grow(n);
    insert(this.#tables[n] as Uint32Array, hash, id + 1);
  }

  remove(id: number): void {
    const hash = this.#hashes[id] ?? 0;
    const table = this.#tables[hash >>> SHIFT] as Uint32Array;
    const mask = table.length - 1;
    let gap = hash & mask;
    while (table[gap] !== id + 1) gap = (gap + 1) & mask;
    // No tombstones: whatever the hole would cut off from its home slot moves into it.
    for (let at = (gap + 1) & mask; table[at] !== FREE; at = (at + 1) & mask) {
      const slot = table[at] ?? FREE;
      const home = (this.#hashes[slot - 1] ?? 0) & mask;
      if (((at - home) & mask) >= ((at - gap) & mask)) {
        table[gap] = slot;
        gap = at;
      }
    }
    table[gap] = FREE;
    this.#used[hash >>> SHIFT] = (this.#used[hash >>> SHIFT] ?? 0) - 1;
  }

  #grow(n: number): void {
    const old = this.#tables[n] as Uint32Array;
    const table = new Uint32Array(old.length * 2);
    for (const slot of old) if (slot !== FREE) insert(table, this.#hashes[slot - 1] ?? 0, slot);
    this.#tables[n] = table;
  }
}

function insert(table: Uint32Array, hash: number, slot: number): void {
  const mask = table.length - 1;
  let at = hash & mask;
  while (table[at] !== FREE) at = (at + 1) & mask;
  table[at] = slot;
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
  return (h ^ (h >>> 16)) >>> 0;
}
