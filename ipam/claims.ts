/**
 * Which host owns which block. The affinity is written before the block and deleted after it, in states that let anyone
 * who finds a half-done claim or release of its own finish it:
 *
 *   claim:    affinity `pending` → block created → affinity `confirmed`
 *   release:  affinity `pendingDeletion` → block deleted, or left without owner when in use → affinity deleted
 *
 * The block decides: an affinity whose block belongs to someone else is stale. Only confirmed affinities are advertised.
 */
import type { Clock } from '../clock/clock.ts';
import type { Prefix } from '../net/addr/index.ts';
import { affinityOf, bumped, isEmpty, newBlock, prefixOf, withoutAffinity } from './block.ts';
import {
  type AffinityEntry,
  affinityKey,
  type BlockAffinity,
  type BlockEntry,
  blockKey,
  type Records,
} from './records.ts';
import { OUTRUN, type Retries } from './retry.ts';

export class BlockClaims {
  readonly #records: Records;
  readonly #retries: Retries;
  readonly #clock: Clock;

  constructor(records: Records, clock: Clock, retries: Retries) {
    this.#records = records;
    this.#retries = retries;
    this.#clock = clock;
  }

  /** @returns the block, now the owner's and confirmed; undefined when someone else has it */
  async claim(owner: string, cidr: Prefix): Promise<BlockEntry | undefined> {
    const name = cidr.toString();
    return this.#retries.until(`block ${name}`, async () => {
      const affinity = await this.#records.affinity(owner, name);
      if (affinity !== undefined && isConfirmed(affinity.value)) {
        // Another process of this host was quicker: marking it anew would take it out of BGP for a moment.
        const block = await this.#records.block(name);
        if (block !== undefined && affinityOf(block.value) === owner) return block;
      }
      const pending = await this.#pending(owner, name, affinity);
      if (pending === undefined) return OUTRUN;
      const created = await this.#records.create(blockKey(name), newBlock(cidr, owner, this.#clock.wall()));
      if (created !== undefined) return this.#confirm(pending, created);
      const found = await this.#records.block(name);
      if (found === undefined) return OUTRUN;
      if (affinityOf(found.value) === owner) return this.#takeOn(pending, found);
      await this.#records.remove(pending);
      return undefined;
    });
  }

  /**
   * The block behind an affinity of the owner, ready to give addresses from. Finishes a claim that was cut short, and
   * revokes a release; removes an affinity that is stale.
   */
  async own(owner: string, cidr: Prefix): Promise<BlockEntry | undefined> {
    const name = cidr.toString();
    return this.#retries.until(`block ${name}`, async () => {
      const affinity = await this.#records.affinity(owner, name);
      if (affinity === undefined) return undefined;
      const block = await this.#records.block(name);
      if (block === undefined) {
        if (affinity.value.state !== 'pendingDeletion') return this.claim(owner, cidr);
        return (await this.#records.remove(affinity)) ? undefined : OUTRUN;
      }
      if (affinityOf(block.value) !== owner)
        return (await this.#records.remove(affinity)) ? undefined : OUTRUN;
      if (isConfirmed(affinity.value)) return block;
      const pending = await this.#pending(owner, name, affinity);
      return pending === undefined ? OUTRUN : this.#takeOn(pending, block);
    });
  }

  /**
   * @param keepIfUsed  leave a block alone that has addresses in use, rather than make it nobody's
   * @returns whether the owner has lost the block
   */
  async release(owner: string, name: string, keepIfUsed: boolean): Promise<boolean> {
    return this.#retries.until(`block ${name}`, async () => {
      const affinity = await this.#records.affinity(owner, name);
      if (affinity === undefined) return true;
      const before = await this.#records.block(name);
      if (keepIfUsed && before !== undefined && !isEmpty(before.value)) return this.#keep(owner, name);
      const leaving = await this.#mark(owner, name, 'pendingDeletion', affinity);
      if (leaving === undefined) return OUTRUN;
      // Read again: the owner may have begun to use it before it saw the mark.
      const block = await this.#records.block(name);
      if (block !== undefined && affinityOf(block.value) === owner) {
        if (keepIfUsed && !isEmpty(block.value)) return this.#keep(owner, name);
        if (!(await this.#letGo(block))) return OUTRUN;
      }
      return (await this.#records.remove(leaving)) ? true : OUTRUN;
    });
  }

  /** Takes back the mark of a release, ours or that of someone who died: an affinity that is not confirmed is not advertised. */
  async #keep(owner: string, name: string): Promise<false> {
    await this.own(owner, prefixOf(name));
    return false;
  }

  async #letGo(block: BlockEntry): Promise<boolean> {
    if (isEmpty(block.value)) return this.#records.remove(block);
    return (await this.#records.replace(block, withoutAffinity(block.value))) !== undefined;
  }

  /** Confirms a block that was there before: first written unchanged, so that no one who read it earlier can write it. */
  async #takeOn(pending: AffinityEntry, block: BlockEntry): Promise<BlockEntry | typeof OUTRUN> {
    const fresh = await this.#records.replace(block, bumped(block.value));
    return fresh === undefined ? OUTRUN : this.#confirm(pending, fresh);
  }

  async #confirm(pending: AffinityEntry, block: BlockEntry): Promise<BlockEntry | typeof OUTRUN> {
    const confirmed = await this.#records.replace(pending, { ...pending.value, state: 'confirmed' });
    return confirmed === undefined ? OUTRUN : block;
  }

  /**
   * The affinity as a claim needs it. One that is pending already is left as it is: two processes of one host that marked
   * it anew in turn would stop each other from ever confirming it.
   */
  async #pending(
    owner: string,
    name: string,
    found: AffinityEntry | undefined,
  ): Promise<AffinityEntry | undefined> {
    return found?.value.state === 'pending' ? found : this.#mark(owner, name, 'pending', found);
  }

  async #mark(
    owner: string,
    name: string,
    state: NonNullable<BlockAffinity['state']>,
    affinity: AffinityEntry | undefined,
  ): Promise<AffinityEntry | undefined> {
    if (affinity === undefined)
      return this.#records.create(affinityKey(owner, name), { state, deleted: false });
    return this.#records.replace(affinity, { ...affinity.value, state });
  }
}

/** An affinity without a state was written by a release of Calico that knew none. */
export function isConfirmed({ state }: BlockAffinity): boolean {
  return state === undefined || state === 'confirmed';
}
