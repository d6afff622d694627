/**
 * A small dense number for each prefix in use, shared by every RIB of one family, so that the RIBs are columns of
 * integers.
 *
 * Hot (bench/micro/bgp-inbound.ts). No object per prefix: its words, length and owners stand in typed arrays, and a
 * {@link Prefix} is made when somebody asks for one.
 *
 * An id lives as long as somebody owns it (counted by hand) and is then given to another prefix: who keeps state under
 * an id owns it.
 */
import { Address, Prefix } from '../../net/addr/index.ts';
import { finishHash, HashIndex, inTableOf, mixWord } from './hash-index.ts';
import { widen } from './widen.ts';

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
  readonly #byPrefix = new HashIndex();
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
  /** What {@link PrefixIndex.#isSought} compares with. */
  #sought: PrefixWords | undefined;

  /** Prefixes in use. */
  get size(): number {
    return this.#size;
  }

  /** One more than the highest id ever given out: the bound for a walk over all ids. */
  get limit(): number {
    return this.#limit;
  }

  find(prefix: PrefixWords): number | undefined {
    this.#sought = prefix;
    return this.#byPrefix.find(hashOf(prefix), this.#isSought);
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
    const hash = hashOf(prefix);
    this.#sought = prefix;
    const known = this.#byPrefix.find(hash, this.#isSought);
    if (known !== undefined) return this.retain(known);
    const id = this.#spare.pop() ?? this.#limit++;
    this.#store(id, prefix);
    this.#byPrefix.add(hash, id);
    this.#size++;
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
    this.#lengths = widen(this.#lengths, length);
    this.#owners = widen(this.#owners, length);
    this.#w0 = widen(this.#w0, length);
    if (this.#w1.length > 0) this.#allWords();
  }

  #allWords(): void {
    const { length } = this.#w0;
    this.#w1 = widen(this.#w1, length);
    this.#w2 = widen(this.#w2, length);
    this.#w3 = widen(this.#w3, length);
  }

  #remove(id: number): void {
    this.#byPrefix.remove(this.#hashAt(id), id);
    this.#spare.push(id);
    this.#size--;
  }

  readonly #isSought = (id: number): boolean => {
    const prefix = this.#sought as PrefixWords;
    if (this.#w0[id] !== (prefix.w0 | 0)) return false;
    if (prefix.version === 4) return this.#lengths[id] === prefix.length;
    if (this.#lengths[id] !== (prefix.length | V6)) return false;
    return (
      this.#w1[id] === (prefix.w1 | 0) && this.#w2[id] === (prefix.w2 | 0) && this.#w3[id] === (prefix.w3 | 0)
    );
  };

  #hashAt(id: number): number {
    const length = this.#lengths[id] ?? 0;
    const w0 = this.#w0[id] ?? 0;
    return (length & V6) === 0
      ? hash4(length, w0)
      : hash6(length, w0, this.#w1[id] ?? 0, this.#w2[id] ?? 0, this.#w3[id] ?? 0);
  }
}

function hashOf(prefix: PrefixWords): number {
  return prefix.version === 4
    ? hash4(prefix.length, prefix.w0)
    : hash6(prefix.length | V6, prefix.w0, prefix.w1, prefix.w2, prefix.w3);
}

/**
 * Well mixed within a table of the {@link HashIndex}: neighbouring blocks, the common case, must not fall into
 * neighbouring slots. But those of an IPv4 /10 or an IPv6 /32 share a table: routers send theirs in order or nearly so,
 * and a table that is in the cache answers several times faster than one of 16 MiB at random.
 */
function hash4(length: number, w0: number): number {
  return inTableOf(w0 >>> 22, finishHash(mixWord(length, w0)));
}

function hash6(length: number, w0: number, w1: number, w2: number, w3: number): number {
  return inTableOf(w0, finishHash(mixWord(mixWord(mixWord(mixWord(length, w0), w1), w2), w3)));
}
