/**
 * Where addresses come from, in Calico's order: the host's own blocks, then newly claimed ones up to the limit, then,
 * unless affinity is strict, addresses out of others' blocks. A host at its limit borrows none.
 */
import type { Clock, Millis } from '../clock/clock.ts';
import { type Address, Prefix } from '../net/addr/index.ts';
import type { Batch } from './batch.ts';
import { affinityOf, isEmpty, prefixOf } from './block.ts';
import { blocksFrom, placeOf } from './candidates.ts';
import type { BlockClaims } from './claims.ts';
import type { BlockDraft } from './draft.ts';
import type { Facts } from './facts.ts';
import { type Home, type Homes, isUsable, type OwnBlock } from './homes.ts';
import type { TakeJob } from './jobs.ts';
import { type Pool, type PoolSelection, poolsAround, selectsNode } from './pools.ts';
import type { BlockEntry, Records } from './records.ts';

/** An empty block of another host may be taken over once its claim is this old: a young one is about to be used. */
const CLAIM_IS_YOUNG: Millis = 60_000;

/** What was known of the own blocks has been read anew: plan again with that. */
export const AGAIN: unique symbol = Symbol('again');

export interface GrowthParts {
  readonly records: Records;
  readonly homes: Homes;
  readonly claims: BlockClaims;
  readonly clock: Clock;
  readonly random: () => number;
}

/** For the attempts at one batch. */
export class Growth {
  readonly #parts: GrowthParts;
  readonly #batch: Batch;
  readonly #facts: Facts;
  readonly #isRepeated: boolean;
  #all: readonly BlockEntry[] | undefined;

  /** @param isRepeated  an attempt before this one was refused, perhaps as two hosts claimed the same block */
  constructor(parts: GrowthParts, batch: Batch, facts: Facts, isRepeated: boolean) {
    this.#parts = parts;
    this.#batch = batch;
    this.#facts = facts;
    this.#isRepeated = isRepeated;
  }

  /** Drafts to take from, one after the other until there is enough. */
  async *sources(
    { claimant, selection }: TakeJob,
    pools: readonly Pool[],
  ): AsyncGenerator<BlockDraft | typeof AGAIN> {
    const home = this.#parts.homes.of(claimant);
    for (const pool of pools) {
      for (const own of home.blocks) {
        if (!pool.cidr.contains(own.cidr) || this.#facts.reservations.covers(own.cidr)) continue;
        const draft = await this.#own(home, own);
        if (draft !== undefined) yield draft;
      }
      for (const draft of this.#batch.newOf(claimant)) if (pool.cidr.contains(draft.cidr)) yield draft;
    }
    if (!home.isFresh) {
      await home.load();
      await this.#leave(home, selection);
      yield AGAIN;
      return;
    }
    const { autoAllocateBlocks, maxBlocksPerHost, strictAffinity } = this.#facts.settings;
    const isIn = ({ cidr }: { readonly cidr: Prefix }): boolean =>
      pools.some((pool) => pool.cidr.contains(cidr));
    let room =
      maxBlocksPerHost - home.blocks.filter(isIn).length - this.#batch.newOf(claimant).filter(isIn).length;
    if (autoAllocateBlocks && room > 0) {
      for await (const draft of this.#newBlocks(home, pools)) {
        yield draft;
        if (--room === 0) break;
      }
    }
    if (!strictAffinity && room > 0) yield* this.#others(claimant, pools);
  }

  /** Empty blocks in pools that do not select the node any more go back, so that others can have them. */
  async #leave(home: Home, { nodeLabels, use }: PoolSelection): Promise<void> {
    if (nodeLabels === undefined || use === 'LoadBalancer') return;
    for (const { cidr, name } of home.blocks) {
      const [pool] = poolsAround(this.#facts.pools, cidr.nth(0)).filter(({ spec }) => spec.disabled !== true);
      if (pool === undefined || selectsNode(pool, nodeLabels)) continue;
      const block = this.#parts.records.rememberedBlock(name);
      if (block === undefined || !isEmpty(block.value)) continue;
      if (await this.#parts.claims.release(home.claimant, name, true)) home.remove(name);
    }
  }

  /**
   * The block around a particular address; made and claimed when nobody has one there. Reads the store unless the block
   * is remembered: whoever finds the address taken has to make sure with {@link isNewest}.
   */
  async around(claimant: string, address: Address, pool: Pool): Promise<BlockDraft | typeof AGAIN> {
    const home = this.#parts.homes.of(claimant);
    const cidr = Prefix.of(address, pool.blockLength);
    const known = this.#batch.draft(cidr.toString());
    if (known !== undefined && (known.affinity !== claimant || this.#batch.ownerOf(known) !== undefined))
      return known;
    const entry = known?.entry ?? (await this.#existing(cidr, address));
    if (entry === undefined) {
      if (this.#parts.records.transactional)
        return this.#batch.draftOfNew(claimant, cidr, this.#parts.clock.wall());
      for await (const draft of this.#claim(home, cidr)) return draft;
      return AGAIN;
    }
    if (affinityOf(entry.value) !== claimant) return this.#batch.draftOf(entry);
    const own = home.blocks.find(({ name }) => name === entry.value.cidr);
    // Without one it is ours all the same, and its affinity was lost on the way or is not known here yet.
    const draft = own === undefined ? undefined : await this.#own(home, own);
    if (draft !== undefined) return draft;
    if (own === undefined && home.isFresh) {
      for await (const claimed of this.#claim(home, prefixOf(entry.value.cidr))) return claimed;
    }
    await home.load();
    return AGAIN;
  }

  /** Usually the pool knows the size of the block; where the pool was made anew with another one only the blocks do. */
  async #existing(cidr: Prefix, address: Address): Promise<BlockEntry | undefined> {
    const { records } = this.#parts;
    const name = cidr.toString();
    const usual = records.rememberedBlock(name) ?? (await records.block(name));
    return usual ?? (await this.#blocks()).find(({ value }) => prefixOf(value.cidr).contains(address));
  }

  /** Whether a draft is of the block as it is in the store now. */
  async isNewest(draft: BlockDraft): Promise<boolean> {
    const newest = await this.#parts.records.block(draft.name);
    return newest?.revision === draft.entry?.revision;
  }

  async #own(home: Home, own: OwnBlock): Promise<BlockDraft | undefined> {
    const known = this.#batch.draft(own.name);
    if (known !== undefined && this.#batch.ownerOf(known)?.claimant === home.claimant) return known;
    if (!isUsable(own)) return this.#repaired(home, own.cidr);
    const { records } = this.#parts;
    const entry = known?.entry ?? records.rememberedBlock(own.name) ?? (await records.block(own.name));
    if (entry === undefined || affinityOf(entry.value) !== home.claimant)
      return this.#repaired(home, own.cidr);
    return this.#batch.draftOfOwn(home.claimant, own, entry);
  }

  /** Finishes a claim that was cut short, revokes a release, takes away an affinity that is stale. */
  async #repaired(home: Home, cidr: Prefix): Promise<BlockDraft | undefined> {
    const block = await this.#parts.claims.own(home.claimant, cidr);
    return block === undefined ? undefined : this.#adopted(home, block);
  }

  /** A block that is the claimant's by now. */
  async #adopted(home: Home, block: BlockEntry): Promise<BlockDraft | undefined> {
    const affinity = await this.#parts.records.affinity(home.claimant, block.value.cidr);
    if (affinity === undefined) return undefined;
    home.add(affinity);
    const own = home.blocks.find(({ name }) => name === block.value.cidr);
    return own === undefined || !isUsable(own)
      ? undefined
      : this.#batch.draftOfOwn(home.claimant, own, block);
  }

  async #blocks(): Promise<readonly BlockEntry[]> {
    this.#all ??= await this.#parts.records.blocks();
    return this.#all;
  }

  /**
   * First what nobody has, for which the names of all blocks will do: of a large cluster, what is in them is a lot.
   */
  async *#newBlocks(home: Home, pools: readonly Pool[]): AsyncGenerator<BlockDraft> {
    const names = await this.#parts.records.blockNames();
    for (const pool of pools) {
      for (const cidr of this.#free(home.claimant, pool, names)) {
        if (this.#parts.records.transactional)
          yield this.#batch.draftOfNew(home.claimant, cidr, this.#parts.clock.wall());
        else yield* this.#claim(home, cidr);
      }
    }
    for (const pool of pools) yield* this.#leftBlocks(home, pool);
  }

  /** Of a pool without a free place: our own whose affinity was lost on the way, then what others have and do not use. */
  async *#leftBlocks(home: Home, pool: Pool): AsyncGenerator<BlockDraft> {
    const owned = new Set(home.blocks.map(({ name }) => name));
    const inPool = (await this.#blocks()).filter(({ value }) => pool.cidr.contains(prefixOf(value.cidr)));
    for (const { value } of inPool) {
      if (affinityOf(value) === home.claimant && !owned.has(value.cidr))
        yield* this.#claim(home, prefixOf(value.cidr));
    }
    for (const { value } of inPool) {
      const holder = affinityOf(value);
      if (holder === undefined || holder === home.claimant || !isEmpty(value) || !this.#isOld(value))
        continue;
      if (this.#batch.draft(value.cidr) !== undefined) continue;
      if (await this.#parts.claims.release(holder, value.cidr, true))
        yield* this.#claim(home, prefixOf(value.cidr));
    }
  }

  /** Places for a block that nobody has. */
  *#free(claimant: string, pool: Pool, names: readonly string[]): Generator<Prefix> {
    const taken = new Set(names);
    const odd = names
      .map(prefixOf)
      .filter(({ length, version }) => version === pool.cidr.version && length !== pool.blockLength);
    // Two hosts that met once would go on to meet at the next place.
    const place = this.#isRepeated ? this.#parts.random() : placeOf(claimant);
    for (const cidr of blocksFrom(pool, place)) {
      const name = cidr.toString();
      if (taken.has(name) || this.#batch.draft(name) !== undefined || this.#facts.reservations.covers(cidr))
        continue;
      // Left from a pool of another block size: cutting the same addresses anew would give them twice.
      if (!odd.some((block) => block.overlaps(cidr))) yield cidr;
    }
  }

  async *#claim(home: Home, cidr: Prefix): AsyncGenerator<BlockDraft> {
    const block = await this.#parts.claims.claim(home.claimant, cidr);
    const draft = block && (await this.#adopted(home, block));
    if (draft !== undefined) yield draft;
  }

  #isOld({ affinity_claim_time: time }: BlockEntry['value']): boolean {
    const claimed = Date.parse(time ?? '');
    return Number.isNaN(claimed) || this.#parts.clock.wall().getTime() - claimed > CLAIM_IS_YOUNG;
  }

  async *#others(claimant: string, pools: readonly Pool[]): AsyncGenerator<BlockDraft> {
    const all = await this.#blocks();
    for (const pool of pools) {
      const blocks = all.filter(
        ({ value }) =>
          affinityOf(value) !== claimant &&
          value.unallocated.length > 0 &&
          pool.cidr.contains(prefixOf(value.cidr)),
      );
      // Borrowers begin at different blocks, so that they do not all write the same one.
      const start = Math.floor(this.#parts.random() * blocks.length);
      for (const entry of [...blocks.slice(start), ...blocks.slice(0, start)]) {
        if (!this.#facts.reservations.covers(prefixOf(entry.value.cidr))) yield this.#batch.draftOf(entry);
      }
    }
  }
}
