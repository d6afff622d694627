/**
 * What an update group tells about its routes, each distinct thing once and under a small number: whom the route came
 * from, and the octets of its attributes and next hop as they go on the wire. Two routes are told the same when their
 * octets are the same, so nothing is compared but octets.
 *
 * Hot and large (a full table has some 200,000), so it is columns of numbers and one store of octets. Owners are
 * counted: a set nobody owns is gone and its number given to another.
 */

import { OctetStore } from './octet-store.ts';
import { discard, widen } from './widen.ts';

/** No set: the group is told nothing. */
export const NO_SET = 0;

const INITIAL_SETS = 256;
/** In place of the birth of a set that is gone; births go round below it. */
const GONE = 0xffffffff;
const LAST_BIRTH = GONE - 1;

export class ExportedSets {
  #source = new Int32Array(INITIAL_SETS);
  /** Where the octets are in the store. */
  #place = new Uint32Array(INITIAL_SETS);
  #length = new Uint32Array(INITIAL_SETS);
  #hash = new Uint32Array(INITIAL_SETS);
  #owners = new Uint32Array(INITIAL_SETS);
  /** Next set of the same bucket; of a number that is free, the next free one. */
  #next = new Uint32Array(INITIAL_SETS);
  #birth = new Uint32Array(INITIAL_SETS);
  #births = 0;
  #buckets = new Uint32Array(INITIAL_SETS);
  #free = NO_SET;
  #limit = 1;
  #count = 0;
  readonly #octets = new OctetStore();

  /** Sets alive. */
  get size(): number {
    return this.#count;
  }

  /** One more than the highest number ever given out. */
  get limit(): number {
    return this.#limit;
  }

  /** The number of the set with these octets from this source; the caller owns one reference. */
  acquire(source: number, octets: Uint8Array, at: number, length: number): number {
    const hash = hashOf(source, octets, at, length);
    const bucket = hash & (this.#buckets.length - 1);
    for (let set = this.#buckets[bucket] ?? NO_SET; set !== NO_SET; set = this.#next[set] ?? NO_SET) {
      if (this.#hash[set] !== hash || !this.#equals(set, source, octets, at, length)) continue;
      this.retain(set);
      return set;
    }
    return this.#add(hash, source, octets, at, length);
  }

  retain(set: number): void {
    this.#owners[set] = (this.#owners[set] ?? 0) + 1;
  }

  release(set: number): void {
    const owners = this.#owners[set] ?? 0;
    if (owners === 0) throw new Error(`exported set ${set} used after its last release`);
    this.#owners[set] = owners - 1;
    if (owners === 1) this.#remove(set);
  }

  /** Different for each set that has the number, for four billion sets; 0 for {@link NO_SET}. */
  birth(set: number): number {
    return this.#birth[set] as number;
  }

  /** Id of the source that the routes of the set came from. */
  source(set: number): number {
    return this.#source[set] as number;
  }

  /** The buffer that the octets of the set are in, among others; not to be kept over {@link release}. */
  octets(set: number): Uint8Array {
    return this.#octets.chunk(this.#place[set] as number);
  }

  at(set: number): number {
    return this.#octets.at(this.#place[set] as number);
  }

  length(set: number): number {
    return this.#length[set] as number;
  }

  #equals(set: number, source: number, octets: Uint8Array, at: number, length: number): boolean {
    if (this.#source[set] !== source || this.#length[set] !== length) return false;
    const own = this.octets(set);
    const start = this.at(set);
    for (let i = 0; i < length; i++) if (own[start + i] !== octets[at + i]) return false;
    return true;
  }

  #add(hash: number, source: number, octets: Uint8Array, at: number, length: number): number {
    if (this.#count === this.#buckets.length) this.#rehash();
    const set = this.#number();
    const bucket = hash & (this.#buckets.length - 1);
    this.#hash[set] = hash;
    this.#source[set] = source;
    this.#place[set] = this.#octets.put(octets, length, at);
    this.#length[set] = length;
    this.#owners[set] = 1;
    this.#births = (this.#births % LAST_BIRTH) + 1;
    this.#birth[set] = this.#births;
    this.#next[set] = this.#buckets[bucket] as number;
    this.#buckets[bucket] = set;
    this.#count++;
    return set;
  }

  #number(): number {
    const free = this.#free;
    if (free !== NO_SET) {
      this.#free = this.#next[free] as number;
      return free;
    }
    if (this.#limit === this.#source.length) this.#widen();
    return this.#limit++;
  }

  #remove(set: number): void {
    const bucket = (this.#hash[set] as number) & (this.#buckets.length - 1);
    if (this.#buckets[bucket] === set) this.#buckets[bucket] = this.#next[set] as number;
    else {
      let before = this.#buckets[bucket] as number;
      while (this.#next[before] !== set) before = this.#next[before] as number;
      this.#next[before] = this.#next[set] as number;
    }
    this.#octets.free(this.#place[set] as number, this.#length[set] as number);
    this.#length[set] = 0;
    this.#birth[set] = GONE;
    this.#next[set] = this.#free;
    this.#free = set;
    this.#count--;
  }

  #widen(): void {
    const length = this.#source.length * 2;
    this.#source = widen(this.#source, length);
    this.#place = widen(this.#place, length);
    this.#length = widen(this.#length, length);
    this.#hash = widen(this.#hash, length);
    this.#owners = widen(this.#owners, length);
    this.#next = widen(this.#next, length);
    this.#birth = widen(this.#birth, length);
  }

  #rehash(): void {
    const old = this.#buckets;
    const mask = old.length * 2 - 1;
    const buckets = new Uint32Array(old.length * 2);
    for (let head of old) {
      while (head !== NO_SET) {
        const next = this.#next[head] as number;
        const bucket = (this.#hash[head] as number) & mask;
        this.#next[head] = buckets[bucket] as number;
        buckets[bucket] = head;
        head = next;
      }
    }
    this.#buckets = buckets;
    discard(old);
  }
}

/** FNV-1a with a last mixing, since buckets go by the low bits. */
function hashOf(source: number, octets: Uint8Array, at: number, length: number): number {
  let hash = 0x811c9dc5 ^ source;
  for (let i = at, end = at + length; i < end; i++)
    hash = Math.imul(hash ^ (octets[i] as number), 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
