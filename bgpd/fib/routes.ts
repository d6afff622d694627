/**
 * What the Fib knows of each prefix, in columns: what is wanted, what the kernel has, and whether they wait to be compared. The
 * few that something stands in the way of have a {@link Trouble} beside it.
 *
 * Hot (bench routes).
 */
import type { Prefix } from '../../net/addr/index.ts';
import { PrefixIndex, type PrefixWords } from '../rib/prefix-index.ts';
import type { TableEntry } from './table-entry.ts';
import { newTrouble, type Trouble } from './trouble.ts';
import type { Want } from './wants.ts';

const IN_USE = 1;
const DIRTY = 2;
/** A change has been sent off whose outcome is not known yet. */
const UNDER_WAY = 4;
/** Dirty, and in no queue: what to do depends on what becomes of what is under way. */
const POSTPONED = 8;
const TROUBLED = 16;

const INITIAL = 64;
/** Of the queue's read part, before it is cut off. */
const READ = 16_384;

export class Routes {
  readonly #index = new PrefixIndex();
  #flags = new Uint8Array(INITIAL);
  readonly #wants: (Want | undefined)[] = [];
  readonly #actual: (TableEntry | undefined)[] = [];
  readonly #troubles = new Map<number, Trouble>();
  /** In the order in which they became dirty; read from the head on. */
  #queue: number[] = [];
  #head = 0;
  readonly #words = { version: 4 as 4 | 6, length: 0, w0: 0, w1: 0, w2: 0, w3: 0 };

  /** Undefined: nothing is wanted there, and nothing of ours is there. */
  find(prefix: PrefixWords): number | undefined {
    return this.#index.find(prefix);
  }

  /** The id of the prefix, which is known from here until {@link forget}. */
  open(prefix: PrefixWords): number {
    const id = this.#index.acquire(prefix);
    if (id >= this.#flags.length) this.#grow();
    // One reference is ours, and the index counted another.
    if (((this.#flags[id] as number) & IN_USE) !== 0) this.#index.release(id);
    else this.#flags[id] = IN_USE;
    return id;
  }

  *ids(): Generator<number, undefined> {
    for (let id = 0; id < this.#index.limit; id++) if (((this.#flags[id] as number) & IN_USE) !== 0) yield id;
    return undefined;
  }

  /** A new object each time. */
  prefix(id: number): Prefix {
    return this.#index.prefix(id) as Prefix;
  }

  version(id: number): 4 | 6 {
    return this.#index.version(id);
  }

  /** The same object each time. */
  words(id: number): PrefixWords {
    const words = this.#words;
    words.version = this.#index.version(id);
    words.length = this.#index.length(id);
    words.w0 = this.#index.word(id, 0);
    if (words.version === 4) return words;
    words.w1 = this.#index.word(id, 1);
    words.w2 = this.#index.word(id, 2);
    words.w3 = this.#index.word(id, 3);
    return words;
  }

  want(id: number): Want | undefined {
    return this.#wants[id];
  }

  setWant(id: number, want: Want | undefined): void {
    this.#wants[id] = want;
  }

  actual(id: number): TableEntry | undefined {
    return this.#actual[id];
  }

  setActual(id: number, entry: TableEntry | undefined): void {
    this.#actual[id] = entry;
  }

  trouble(id: number): Trouble | undefined {
    return ((this.#flags[id] as number) & TROUBLED) === 0 ? undefined : this.#troubles.get(id);
  }

  /** A new one where there was none. */
  troubleOf(id: number): Trouble {
    let trouble = this.#troubles.get(id);
    if (trouble === undefined) {
      trouble = newTrouble();
      this.#troubles.set(id, trouble);
      this.#flags[id] = (this.#flags[id] as number) | TROUBLED;
    }
    return trouble;
  }

  untrouble(id: number): void {
    this.#troubles.delete(id);
    this.#flags[id] = (this.#flags[id] as number) & ~TROUBLED;
  }

  get troubled(): Iterable<readonly [id: number, Trouble]> {
    return this.#troubles;
  }

  /** How many wait in the queue; some that are dirty no more may be among them. */
  get queued(): number {
    return this.#queue.length - this.#head;
  }

  isDirty(id: number): boolean {
    return ((this.#flags[id] as number) & DIRTY) !== 0;
  }

  touch(id: number): void {
    const flags = this.#flags[id] as number;
    if ((flags & DIRTY) !== 0) return;
    if (this.#head >= READ) this.#cutQueue();
    this.#flags[id] = flags | DIRTY;
    this.#queue.push(id);
  }

  /** The next one that is dirty and not under way, now clean; undefined: there is none. */
  next(): number | undefined {
    while (this.#head < this.#queue.length) {
      const id = this.#queue[this.#head++] as number;
      const flags = this.#flags[id] as number;
      // It was forgotten meanwhile.
      if ((flags & (DIRTY | POSTPONED)) !== DIRTY) continue;
      if ((flags & UNDER_WAY) === 0) {
        this.#flags[id] = flags & ~DIRTY;
        return id;
      }
      this.#flags[id] = flags | POSTPONED;
    }
    this.#cutQueue();
    return undefined;
  }

  /** Gives the read part of the queue back, where that is worth the copy. */
  #cutQueue(): void {
    if (this.#head < this.#queue.length && (this.#head < READ || this.#head * 2 < this.#queue.length)) return;
    if (this.#head > 0) this.#queue = this.#queue.slice(this.#head);
    this.#head = 0;
  }

  send(id: number): void {
    this.#flags[id] = (this.#flags[id] as number) | UNDER_WAY;
  }

  /** The outcome is known, or will never be. */
  back(id: number): void {
    const flags = this.#flags[id] as number;
    this.#flags[id] = flags & ~(UNDER_WAY | POSTPONED);
    if ((flags & POSTPONED) !== 0) this.#queue.push(id);
  }

  /** Where nothing is wanted, there or under way, nothing is left to know. */
  forget(id: number): void {
    if (this.#wants[id] !== undefined || this.#actual[id] !== undefined) return;
    const flags = this.#flags[id] as number;
    if ((flags & UNDER_WAY) !== 0 || (flags & IN_USE) === 0) return;
    if ((flags & TROUBLED) !== 0) this.#troubles.delete(id);
    this.#flags[id] = 0;
    this.#index.release(id);
  }

  #grow(): void {
    const wider = new Uint8Array(this.#flags.length * 2);
    wider.set(this.#flags);
    this.#flags = wider;
  }
}
