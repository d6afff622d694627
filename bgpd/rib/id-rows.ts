/**
 * Ids under numbers, each row in the order in which they came: what a batch of news is sorted into. Hot: once for every
 * prefix that is told. In columns that stay from batch to batch, as an array for each row, of which there are hundreds,
 * lives just long enough to be moved into V8's old generation: 20 MiB beside a table of a million.
 */
import { widen } from './widen.ts';

const INITIAL = 1024;
/** No place. */
const NONE = -1;

export class IdRows {
  /** By key: a row, which counts where it is in use and has the key. So nothing has to be forgotten with a batch. */
  #rowOf = new Int32Array(INITIAL);
  /** By row: its key, and the places of its first and last id. */
  #keys = new Int32Array(INITIAL);
  #first = new Int32Array(INITIAL);
  #last = new Int32Array(INITIAL);
  #rows = 0;
  /** By place: an id, and the place of the next one in its row. */
  #ids = new Uint32Array(INITIAL);
  #next = new Int32Array(INITIAL);
  #count = 0;
  /** What comes together mostly belongs together. */
  #latest = NONE;

  /** Rows so far; they are numbered from 0 as their keys came. */
  get rows(): number {
    return this.#rows;
  }

  keyOf(row: number): number {
    return this.#keys[row] as number;
  }

  /** @param key  -1 or more; dense, as there is a column of them */
  add(key: number, id: number): void {
    if (this.#count === this.#ids.length) this.#widenIds();
    const place = this.#count++;
    this.#ids[place] = id;
    this.#next[place] = NONE;
    const row = this.#latest !== NONE && this.#keys[this.#latest] === key ? this.#latest : this.#find(key);
    if (this.#first[row] === NONE) this.#first[row] = place;
    else this.#next[this.#last[row] as number] = place;
    this.#last[row] = place;
    this.#latest = row;
  }

  /** Place of the first id of a row, to be asked for with {@link idAt}; every row has one. */
  firstOf(row: number): number {
    return this.#first[row] as number;
  }

  idAt(place: number): number {
    return this.#ids[place] as number;
  }

  /** The place behind it in its row; negative at the end. */
  behind(place: number): number {
    return this.#next[place] as number;
  }

  clear(): void {
    this.#rows = this.#count = 0;
    this.#latest = NONE;
  }

  #find(key: number): number {
    const at = key + 1;
    if (at >= this.#rowOf.length) this.#rowOf = widen(this.#rowOf, Math.max(at + 1, this.#rowOf.length * 2));
    const known = this.#rowOf[at] as number;
    if (known < this.#rows && this.#keys[known] === key) return known;
    if (this.#rows === this.#keys.length) this.#widenRows();
    const row = this.#rows++;
    this.#rowOf[at] = row;
    this.#keys[row] = key;
    this.#first[row] = NONE;
    return row;
  }

  #widenIds(): void {
    const length = this.#ids.length * 2;
    this.#ids = widen(this.#ids, length);
    this.#next = widen(this.#next, length);
  }

  #widenRows(): void {
    const length = this.#keys.length * 2;
    this.#keys = widen(this.#keys, length);
    this.#first = widen(this.#first, length);
    this.#last = widen(this.#last, length);
  }
}
