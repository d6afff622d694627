/**
 * A small dense number for each prefix in use, shared by every RIB of one family, so that the RIBs are arrays and
 * sets of integers.
 *
 * Hot. Open addressing over a Uint32Array: a lookup builds no string and allocates nothing. An id lives as long as
 * somebody owns it (counted by hand) and is then given to another prefix: who keeps state under an id owns it.
 */
import type { Prefix } from '../../net/addr/index.ts';

const FREE = 0;
const INITIAL_SLOTS = 64;

export class PrefixIndex {
  /** Slot -> id + 1; 0 = free. The length is a power of two. */
  #slots = new Uint32Array(INITIAL_SLOTS);
  readonly #prefixes: (Prefix | undefined)[] = [];
  readonly #owners: number[] = [];
  readonly #spare: number[] = [];
  #size = 0;

  /** Prefixes in use. */
  get size(): number {
    return this.#size;
  }

  /** One more than the highest id ever given out: the bound for a walk over all ids. */
  get limit(): number {
    return this.#prefixes.length;
  }

  find(prefix: Prefix): number | undefined {
    const slot = this.#slots[this.#probe(prefix)] ?? FREE;
    return slot === FREE ? undefined : slot - 1;
  }

  /** Undefined for an id that is not in use. */
  prefix(id: number): Prefix | undefined {
    return this.#prefixes[id];
  }

  /** The id of the prefix, new if need be; the caller owns one reference. */
  acquire(prefix: Prefix): number {
    const at = this.#probe(prefix);
    const slot = this.#slots[at] ?? FREE;
    if (slot !== FREE) return this.retain(slot - 1);
    const id = this.#spare.pop() ?? this.#prefixes.length;
    this.#prefixes[id] = prefix;
    this.#owners[id] = 1;
    this.#slots[at] = id + 1;
    this.#size++;
    if (this.#size * 2 > this.#slots.length) this.#resize(this.#slots.length * 2);
    return id;
  }

  retain(id: number): number {
    this.#owners[id] = this.#ownersOf(id) + 1;
    return id;
  }

  release(id: number): void {
    const owners = this.#ownersOf(id) - 1;
    this.#owners[id] = owners;
    if (owners === 0) this.#remove(id);
  }

  #ownersOf(id: number): number {
    const owners = this.#owners[id] ?? 0;
    if (owners === 0) throw new Error(`prefix id ${id} used after its last release`);
    return owners;
  }

  #remove(id: number): void {
    const prefix = this.#prefixes[id] as Prefix;
    this.#closeGap(this.#probe(prefix));
    this.#prefixes[id] = undefined;
    this.#spare.push(id);
    this.#size--;
  }

  /** Linear probing without tombstones: whatever the hole would cut off from its home slot moves into it. */
  #closeGap(hole: number): void {
    const mask = this.#slots.length - 1;
    let gap = hole;
    for (let at = (gap + 1) & mask; this.#slots[at] !== FREE; at = (at + 1) & mask) {
      const id = (this.#slots[at] ?? FREE) - 1;
      const home = hash(this.#prefixes[id] as Prefix) & mask;
      if (((at - home) & mask) >= ((at - gap) & mask)) {
        this.#slots[gap] = id + 1;
        gap = at;
      }
    }
    this.#slots[gap] = FREE;
  }

  /** The slot that holds the prefix, or the free one where it belongs. */
  #probe(prefix: Prefix): number {
    const mask = this.#slots.length - 1;
    let at = hash(prefix) & mask;
    for (let slot = this.#slots[at] ?? FREE; slot !== FREE; slot = this.#slots[at] ?? FREE) {
      if (this.#prefixes[slot - 1]?.equals(prefix)) return at;
      at = (at + 1) & mask;
    }
    return at;
  }

  #resize(length: number): void {
    this.#slots = new Uint32Array(length);
    for (let id = 0; id < this.#prefixes.length; id++) {
      const prefix = this.#prefixes[id];
      if (prefix !== undefined) this.#slots[this.#probe(prefix)] = id + 1;
    }
  }
}

/** Murmur3's mixing of the words: neighbouring blocks, the common case, must not fall into neighbouring slots. */
function hash(prefix: Prefix): number {
  let h = prefix.length ^ (prefix.version << 8);
  h = mix(h, prefix.w0);
  if (prefix.version === 6) h = mix(mix(mix(h, prefix.w1), prefix.w2), prefix.w3);
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  return (h ^ (h >>> 16)) >>> 0;
}

function mix(h: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const mixed = h ^ Math.imul(k, 0x1b873593);
  return Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64;
}
