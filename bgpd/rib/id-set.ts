/**
 * A set of prefix ids, one bit each: what one peer has missed. It owns a reference to each id, so that a prefix that is
 * gone everywhere else can still be named to that peer.
 */
import type { PrefixIndex } from './prefix-index.ts';

export class IdSet {
  readonly #index: PrefixIndex;
  #words = new Uint32Array(0);
  #size = 0;
  /** No word before this one holds an id. */
  #first = 0;

  constructor(index: PrefixIndex) {
    this.#index = index;
  }

  get size(): number {
    return this.#size;
  }

  add(id: number): void {
    const at = id >>> 5;
    if (at >= this.#words.length) this.#widen(at);
    const word = this.#words[at] as number;
    const bit = 1 << (id & 31);
    if ((word & bit) !== 0) return;
    this.#words[at] = word | bit;
    this.#size++;
    this.#first = Math.min(this.#first, at);
    this.#index.retain(id);
  }

  has(id: number): boolean {
    return (((this.#words[id >>> 5] ?? 0) >>> (id & 31)) & 1) === 1;
  }

  *ids(): Generator<number, void> {
    for (let at = this.#first; at < this.#words.length; at++)
      for (let word = this.#words[at] as number; word !== 0; word &= word - 1)
        yield at * 32 + 31 - Math.clz32(word & -word);
  }

  /** Takes out up to `limit` ids, lowest first. The caller owns them now. */
  take(limit: number): number[] {
    const taken: number[] = [];
    while (this.#size > 0 && taken.length < limit) {
      let word = this.#words[this.#first] ?? 0;
      for (; word !== 0 && taken.length < limit; word &= word - 1) {
        taken.push(this.#first * 32 + 31 - Math.clz32(word & -word));
        this.#size--;
      }
      this.#words[this.#first] = word;
      if (word === 0) this.#first++;
    }
    if (this.#size === 0) this.#forget();
    return taken;
  }

  clear(): void {
    while (this.#size > 0) for (const id of this.take(4096)) this.#index.release(id);
  }

  #forget(): void {
    this.#words = new Uint32Array(0);
    this.#first = 0;
  }

  #widen(at: number): void {
    const words = new Uint32Array(Math.max(64, at + 1, this.#words.length * 2));
    words.set(this.#words);
    this.#words = words;
  }
}
