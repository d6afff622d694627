/**
 * Where the addresses of one IP version come from, in Calico's order: the host's own blocks, then newly claimed ones up
 * to the limit, then, unless affinity is strict, single addresses out of others' blocks.
 */
import type { Clock, Millis } from '../clock/clock.ts';
import type { Address, Prefix } from '../net/addr/index.ts';
import type { Assigner, ReadBlock } from './assigner.ts';
import { affinityOf, isEmpty, type Owner, prefixOf } from './block.ts';
import { blocksFrom } from './candidates.ts';
import type { BlockClaims } from './claims.ts';
import type { Pool } from './pools.ts';
import type { BlockEntry, Records } from './records.ts';
import type { IpamSettings, Reservations } from './settings.ts';

/** An empty block of another host may be taken over once its claim is this old: a young one is about to be used. */
const CLAIM_IS_YOUNG: Millis = 60_000;

export interface SearchParts {
  readonly records: Records;
  readonly claims: BlockClaims;
  readonly assigner: Assigner;
  readonly clock: Clock;
  readonly random: () => number;
}

export interface SearchRequest {
  /** Of blocks: `host:<node>` or `virtual:<name>`. */
  readonly claimant: string;
  readonly owner: Owner;
  /** Addresses wanted. */
  readonly count: number;
  /** Of one IP version, in order of preference. */
  readonly pools: readonly Pool[];
  readonly settings: IpamSettings;
  readonly reservations: Reservations;
}

/** One search; made for one request and thrown away. */
export class AddressSearch {
  readonly #parts: SearchParts;
  readonly #request: SearchRequest;
  readonly #found: Address[] = [];

  constructor(parts: SearchParts, request: SearchRequest) {
    this.#parts = parts;
    this.#request = request;
  }

  /** @returns as many as there are, at most as many as were asked for */
  async run(): Promise<Address[]> {
    const { settings } = this.#request;
    const own = await this.#ownBlocks();
    await this.#fromOwn(own);
    if (settings.autoAllocateBlocks) await this.#fromNew(own);
    if (!settings.strictAffinity) await this.#fromOthers();
    return this.#found;
  }

  /** One block to have at hand, claimed if the host has none. */
  async anyBlock(): Promise<Prefix | undefined> {
    const own = await this.#ownBlocks();
    for (const cidr of own) {
      if (this.#poolOf(cidr) !== undefined && (await this.#claimed(cidr)) !== undefined) return cidr;
    }
    for await (const block of this.#newBlocks(own)) return prefixOf(block.value.cidr);
    return undefined;
  }

  get #missing(): number {
    return this.#request.count - this.#found.length;
  }

  async #take(read: ReadBlock): Promise<void> {
    const { owner, reservations } = this.#request;
    this.#found.push(...(await this.#parts.assigner.some(read, this.#missing, owner, reservations)));
  }

  async #claimed(cidr: Prefix): Promise<BlockEntry | undefined> {
    return this.#parts.claims.own(this.#request.claimant, cidr);
  }

  /** All blocks of the claimant in this IP version, also those outside the pools asked for: they count too. */
  async #ownBlocks(): Promise<Prefix[]> {
    const version = this.#request.pools[0]?.cidr.version;
    const affinities = await this.#parts.records.affinities(this.#request.claimant);
    return affinities.map(({ key }) => prefixOf(key.name)).filter((cidr) => cidr.version === version);
  }

  async #fromOwn(own: readonly Prefix[]): Promise<void> {
    for (const pool of this.#request.pools) {
      for (const cidr of own) {
        if (this.#missing === 0) return;
        if (pool.cidr.contains(cidr)) await this.#take(async () => this.#claimed(cidr));
      }
    }
  }

  async #fromNew(own: readonly Prefix[]): Promise<void> {
    if (this.#missing === 0) return;
    for await (const block of this.#newBlocks(own)) {
      const cidr = prefixOf(block.value.cidr);
      let first: BlockEntry | undefined = block;
      await this.#take(async () => {
        const entry = first ?? (await this.#claimed(cidr));
        first = undefined;
        return entry;
      });
      if (this.#missing === 0) return;
    }
  }

  /** Claims block after block, while the host may have more and the pools have any. */
  async *#newBlocks(own: readonly Prefix[]): AsyncGenerator<BlockEntry> {
    let room = this.#request.settings.maxBlocksPerHost - own.length;
    if (room <= 0) return;
    const taken = await this.#parts.records.blocks();
    const owned = new Set(own.map(String));
    for (const pool of this.#request.pools) {
      for await (const block of this.#claimsIn(pool, taken, owned)) {
        yield block;
        if (--room === 0) return;
      }
    }
  }

  async *#claimsIn(
    pool: Pool,
    blocks: readonly BlockEntry[],
    owned: ReadonlySet<string>,
  ): AsyncGenerator<BlockEntry> {
    const { claimant } = this.#request;
    const inPool = blocks.filter(({ value }) => pool.cidr.contains(prefixOf(value.cidr)));
    // A block of ours whose affinity was lost on the way would otherwise stay lost.
    for (const { value } of inPool) {
      if (affinityOf(value) === claimant && !owned.has(value.cidr)) yield* this.#claim(prefixOf(value.cidr));
    }
    const taken = new Set(inPool.map(({ value }) => value.cidr));
    const odd = blocks
      .map(({ value }) => prefixOf(value.cidr))
      .filter(({ length }) => length !== pool.blockLength);
    for (const cidr of blocksFrom(pool, claimant)) {
      if (taken.has(cidr.toString()) || this.#request.reservations.covers(cidr)) continue;
      // Left from a pool of another block size: cutting the same addresses anew would give them twice.
      if (!odd.some((block) => block.overlaps(cidr))) yield* this.#claim(cidr);
    }
    for (const { value } of inPool) {
      const holder = affinityOf(value);
      if (holder === undefined || holder === claimant || !isEmpty(value) || !this.#isOld(value)) continue;
      if (await this.#parts.claims.release(holder, value.cidr, true))
        yield* this.#claim(prefixOf(value.cidr));
    }
  }

  async *#claim(cidr: Prefix): AsyncGenerator<BlockEntry> {
    const block = await this.#parts.claims.claim(this.#request.claimant, cidr);
    if (block !== undefined) yield block;
  }

  #isOld({ affinity_claim_time: time }: BlockEntry['value']): boolean {
    const claimed = Date.parse(time ?? '');
    return Number.isNaN(claimed) || this.#parts.clock.wall().getTime() - claimed > CLAIM_IS_YOUNG;
  }

  async #fromOthers(): Promise<void> {
    if (this.#missing === 0) return;
    const { records, random } = this.#parts;
    const blocks = (await records.blocks()).filter(
      ({ value }) =>
        affinityOf(value) !== this.#request.claimant &&
        value.unallocated.length > 0 &&
        this.#poolOf(prefixOf(value.cidr)) !== undefined,
    );
    // Borrowers begin at different blocks, so that they do not all wait for the same one.
    const start = Math.floor(random() * blocks.length);
    for (const { value } of [...blocks.slice(start), ...blocks.slice(0, start)]) {
      await this.#take(async () => records.block(value.cidr));
      if (this.#missing === 0) return;
    }
  }

  #poolOf(cidr: Prefix): Pool | undefined {
    return this.#request.pools.find((pool) => pool.cidr.contains(cidr));
  }
}
