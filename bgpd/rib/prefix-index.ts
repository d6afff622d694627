/**
 * A small dense number for each prefix in use, shared by every RIB of one family, so that the RIBs are columns of
 * integers.
 *
 * Hot (bench/micro/bgp-inbound.ts). No object per prefix: its words, length and owners stand in typed arrays, and a
 * {@link Prefix} is made when somebody asks for one. Lookup is open addressing over 256 small tables that grow each by
 * itself, so that no single insert pays for rehashing a million others.
 *
 * An id lives as long as somebody owns it (counted by hand) and is then given to another prefix: who keeps state under
 * an id owns it.
 */
import { Address, Prefix } from '../../net/addr/index.ts';

const FREE = 0;
const TABLES = 256;
const INITIAL_SLOTS = 8;
const INITIAL_IDS = 64;
/** In the column of lengths: the mark of an IPv6 prefix. */
const V6 = 0x100;

/** A prefix as the hot paths carry it: signed 32-bit words in network order, host bits zero, unused words 0. */
export interface PrefixWords {
  readonly version: 4 | 6;
  readonly length: number;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
}

export class PrefixIndex {
  /** By the upper bits of the hash. Slot -> id + 1; 0 = free. Each length is a power of two. */
  readonly #tables = Array.from({ length: TABLES }, () => new Uint32Array(INITIAL_SLOTS));
  readonly #used = new Uint32Array(TABLES);
  /** By id: the length, with {@link V6} for the version. Says nothing while the id has no owner. */
  #lengths = new Uint16Array(INITIAL_IDS);
  #owners = new Uint32Array(INITIAL_IDS);
  #w0 = new Int32Array(INITIAL_IDS);
  /** The other words are there once the first IPv6 prefix is. */
  #w1 = new Int32Array(0);
  #w2 = new Int32Array(0);
  #w3 = new Int32Array(0);
  readonly #spare: number[] = [];
  #limit = 0;
  #size = 0;

  /** Prefixes in use. */
  get size(): number {
    return this.#size;
  }

  /** One more than the highest id ever given out: the bound for a walk over all ids. */
  get limit(): number {
    return this.#limit;
  }

  find(prefix: PrefixWords): number | undefined {
    const h = hashOf(prefix);
    const slot = this.#tables[h >>> 24]?.[this.#probe(h, prefix)] ?? FREE;
    return slot === FREE ? undefined : slot - 1;
  }

  /** A new object each time; undefined for an id that is not in use. */
  prefix(id: number): Prefix | undefined {
    if ((this.#owners[id] ?? 0) === 0) return undefined;
    const address =
      this.version(id) === 4
        ? Address.v4(this.word(id, 0))
        : Address.v6(this.word(id, 0), this.word(id, 1), this.word(id, 2), this.word(id, 3));
    return Prefix.of(address, this.length(id));
  }

  /** Length in bits of a prefix in use; with {@link word} and {@link version} what an encoder needs, without an object. */
  length(id: number): number {
    return (this.#lengths[id] ?? 0) & (V6 - 1);
  }

  version(id: number): 4 | 6 {
    return ((this.#lengths[id] ?? 0) & V6) === 0 ? 4 : 6;
  }

  /** Word 0 (the only one of IPv4) to 3 of the address, in network order, as a signed 32-bit integer. */
  word(id: number, n: 0 | 1 | 2 | 3): number {
    const words = n === 0 ? this.#w0 : n === 1 ? this.#w1 : n === 2 ? this.#w2 : this.#w3;
    return words[id] ?? 0;
  }

  /** The id of the prefix, new if need be; the caller owns one reference. */
  acquire(prefix: PrefixWords): number {
    const h = hashOf(prefix);
    const table = this.#tables[h >>> 24] as Uint32Array;
    const at = this.#probe(h, prefix);
    const slot = table[at] ?? FREE;
    if (slot !== FREE) return this.retain(slot - 1);
    const id = this.#spare.pop() ?? this.#limit++;
    this.#store(id, prefix);
    table[at] = id + 1;
    this.#size++;
    const used = (this.#used[h >>> 24] ?? 0) + 1;
    this.#used[h >>> 24] = used;
    if (used * 4 > table.length * 3) this.#grow(h >>> 24);
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

  #store(id: number, prefix: PrefixWords): void {
    if (id >= this.#owners.length) this.#moreIds();
    const six = prefix.version === 6;
    if (six && this.#w1.length === 0) this.#allWords();
    this.#lengths[id] = prefix.length | (six ? V6 : 0);
    this.#owners[id] = 1;
    this.#w0[id] = prefix.w0;
    if (this.#w1.length === 0) return;
    this.#w1[id] = six ? prefix.w1 : 0;
    this.#w2[id] = six ? prefix.w2 : 0;
    this.#w3[id] = six ? prefix.w3 : 0;
  }

  /** Copying a column of a million numbers takes less than a millisecond. */
  #moreIds(): void {
    const length = Math.ceil(this.#owners.length * 1.5);
    this.#lengths = longer(this.#lengths, new Uint16Array(length));
    this.#owners = longer(this.#owners, new Uint32Array(length));
    this.#w0 = longer(this.#w0, new Int32Array(length));
    if (this.#w1.length > 0) this.#allWords();
  }

  #allWords(): void {
    const { length } = this.#w0;
    this.#w1 = longer(this.#w1, new Int32Array(length));
    this.#w2 = longer(this.#w2, new Int32Array(length));
    this.#w3 = longer(this.#w3, new Int32Array(length));
  }

  #remove(id: number): void {
    const h = this.#hashAt(id);
    const n = h >>> 24;
    const table = this.#tables[n] as Uint32Array;
    let at = h & (table.length - 1);
    while (table[at] !== id + 1) at = (at + 1) & (table.length - 1);
    this.#closeGap(table, at);
    this.#used[n] = (this.#used[n] ?? 0) - 1;
    this.#spare.push(id);
    this.#size--;
  }

  /** Linear probing without tombstones: whatever the hole would cut off from its home slot moves into it. */
  #closeGap(table: Uint32Array, hole: number): void {
    const mask = table.length - 1;
    let gap = hole;
    for (let at = (gap + 1) & mask; table[at] !== FREE; at = (at + 1) & mask) {
      const slot = table[at] ?? FREE;
      const home = this.#hashAt(slot - 1) & mask;
      if (((at - home) & mask) >= ((at - gap) & mask)) {
        table[gap] = slot;
        gap = at;
      }
    }
    table[gap] = FREE;
  }

  /** The slot that holds the prefix, or the free one where it belongs. */
  #probe(h: number, prefix: PrefixWords): number {
    const table = this.#tables[h >>> 24] as Uint32Array;
    const mask = table.length - 1;
    const six = prefix.version === 6;
    const length = prefix.length | (six ? V6 : 0);
    const w0 = prefix.w0 | 0;
    let at = h & mask;
    for (let slot = table[at] ?? FREE; slot !== FREE; slot = table[at] ?? FREE) {
      const id = slot - 1;
      if (this.#w0[id] === w0 && this.#lengths[id] === length && (!six || this.#sameTail(id, prefix)))
        return at;
      at = (at + 1) & mask;
    }
    return at;
  }

  #sameTail(id: number, { w1, w2, w3 }: PrefixWords): boolean {
    return this.#w1[id] === (w1 | 0) && this.#w2[id] === (w2 | 0) && this.#w3[id] === (w3 | 0);
  }

  #grow(n: number): void {
    const old = this.#tables[n] as Uint32Array;
    const table = new Uint32Array(old.length * 2);
    const mask = table.length - 1;
    for (const slot of old) {
      if (slot === FREE) continue;
      let at = this.#hashAt(slot - 1) & mask;
      while (table[at] !== FREE) at = (at + 1) & mask;
      table[at] = slot;
    }
    this.#tables[n] = table;
  }

  #hashAt(id: number): number {
    const length = this.#lengths[id] ?? 0;
    const w0 = this.#w0[id] ?? 0;
    return (length & V6) === 0
      ? hash4(length, w0)
      : hash6(length, w0, this.#w1[id] ?? 0, this.#w2[id] ?? 0, this.#w3[id] ?? 0);
  }
}

function longer<T extends Uint16Array | Uint32Array | Int32Array>(old: T, created: T): T {
  created.set(old);
  return created;
}

function hashOf(prefix: PrefixWords): number {
  return prefix.version === 4
    ? hash4(prefix.length, prefix.w0)
    : hash6(prefix.length | V6, prefix.w0, prefix.w1, prefix.w2, prefix.w3);
}

/** Murmur3's mixing of the words: neighbouring blocks, the common case, must not fall into neighbouring slots. */
function hash4(length: number, w0: number): number {
  return finish(mix(length, w0));
}

function hash6(length: number, w0: number, w1: number, w2: number, w3: number): number {
  return finish(mix(mix(mix(mix(length, w0), w1), w2), w3));
}

function mix(h: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const mixed = h ^ Math.imul(k, 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(mixed: number): number {
  let h = mixed ^ (mixed >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
