/**
 * One block while a batch is planned: what many requests take out of it and put back becomes one write, and so one
 * step of its sequence number, as Calico counts them. Pure.
 */
import type { Prefix } from '../net/addr/index.ts';
import {
  affinityOf,
  allocationAt,
  type BlockChange,
  changed,
  type IPAMBlock,
  isEmpty,
  type Owner,
  ordinalsOf,
  prefixOf,
} from './block.ts';
import { AT_ONCE, type Cooldown } from './cooldown.ts';
import type { BlockEntry } from './records.ts';

export class BlockDraft {
  readonly cidr: Prefix;
  readonly name: string;
  /** Undefined for a block that is yet to be made. */
  readonly entry: BlockEntry | undefined;
  readonly #before: IPAMBlock;
  readonly #cooldown: Cooldown;
  /** Free ordinals in the order in which they are to be given. */
  #free: number[];
  readonly #freed: number[] = [];
  readonly #given = new Map<number, Owner>();
  #isTouched = false;

  /**
   * @param block  as read, or as it would be made
   * @param cooldown  how long what is freed rests
   */
  constructor(block: BlockEntry | IPAMBlock, cooldown = AT_ONCE) {
    this.#cooldown = cooldown;
    this.entry = 'revision' in block ? block : undefined;
    this.#before = 'revision' in block ? block.value : block;
    this.name = this.#before.cidr;
    this.cidr = prefixOf(this.name);
    this.#free = [...this.#before.unallocated];
  }

  /** As it was before. */
  get before(): IPAMBlock {
    return this.#before;
  }

  get affinity(): string | undefined {
    return affinityOf(this.#before);
  }

  /** Whether there is anything to write. */
  get isTouched(): boolean {
    return this.#isTouched || this.#given.size > 0 || this.#freed.length > 0;
  }

  /** The block is to be written even when no address is taken. */
  touch(): void {
    this.#isTouched = true;
  }

  get givesAny(): boolean {
    return this.#given.size > 0;
  }

  /** Up to `count` ordinals; reserved ones are passed over and keep their place. */
  take(count: number, owner: Owner, isReserved: (ordinal: number) => boolean): number[] {
    const taken: number[] = [];
    this.#free = this.#free.filter((ordinal) => {
      if (taken.length === count || isReserved(ordinal)) return true;
      taken.push(ordinal);
      return false;
    });
    for (const ordinal of taken) this.#given.set(ordinal, owner);
    return taken;
  }

  /** One particular ordinal. @returns false when it is not free */
  takeOne(ordinal: number, owner: Owner): boolean {
    if (!this.#free.includes(ordinal)) return false;
    this.#free = this.#free.filter((free) => free !== ordinal);
    this.#given.set(ordinal, owner);
    return true;
  }

  /** Who has an ordinal, in the store or in this plan. */
  holderOf(
    ordinal: number,
  ): { readonly handle: string | undefined; readonly releasedAt?: string | undefined } | undefined {
    return this.#given.get(ordinal) ?? allocationAt(this.#before, ordinal);
  }

  /** Forgets what was taken here a moment ago: it is the next to be given again. */
  putBack(ordinals: readonly number[]): void {
    for (const ordinal of ordinals) this.#given.delete(ordinal);
    this.#free.unshift(...ordinals);
  }

  /** Frees what a handle holds, as stored. The block is written even when that is nothing, see `counts.ts`. */
  free(handle: string): number[] {
    const ordinals = ordinalsOf(this.#before, handle);
    this.#isTouched = true;
    this.#freed.push(...ordinals);
    if (this.#cooldown.seconds <= 0) this.#free.push(...ordinals);
    return ordinals;
  }

  /** What is to be stored; undefined when the block is nobody's and empty, and so goes. */
  get after(): IPAMBlock | undefined {
    const given: BlockChange['given'] = [...this.#given];
    const after = changed(this.#before, { freed: this.#freed, given }, this.#cooldown);
    return isEmpty(after) && affinityOf(after) === undefined ? undefined : after;
  }
}
