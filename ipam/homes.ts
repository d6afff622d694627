/** The blocks of the hosts that this process gives addresses for: usually one host, its own. */
import type { Key } from '../datastore/index.ts';
import type { Prefix } from '../net/addr/index.ts';
import { prefixOf } from './block.ts';
import { isConfirmed } from './claims.ts';
import type { AffinityEntry, Records } from './records.ts';

export interface OwnBlock {
  readonly cidr: Prefix;
  readonly name: string;
  /** As last seen. A write of addresses into the block has to check that it is still so. */
  readonly affinity: AffinityEntry;
}

export class Home {
  readonly claimant: string;
  readonly #records: Records;
  #blocks: readonly OwnBlock[] = [];
  #isKnown = false;
  /** Looked at since the attempt began: what is missing here is missing in the store. */
  isFresh = false;

  constructor(claimant: string, records: Records) {
    this.claimant = claimant;
    this.#records = records;
  }

  /** In key order, of both IP versions. */
  get blocks(): readonly OwnBlock[] {
    return this.#blocks;
  }

  get isKnown(): boolean {
    return this.#isKnown;
  }

  async load(): Promise<void> {
    const affinities = await this.#records.affinities(this.claimant);
    // Whoever reads the store anew wants what is in the blocks now.
    await Promise.all(affinities.map(async ({ key }) => this.#records.block(key.name)));
    this.#blocks = affinities.map(toOwn);
    this.#isKnown = true;
    this.isFresh = true;
  }

  /** A block that has just become the claimant's, or whose affinity has been written. */
  add(affinity: AffinityEntry): void {
    this.#blocks = [...this.#blocks.filter(({ name }) => name !== affinity.key.name), toOwn(affinity)];
  }

  /** A block that is no longer the claimant's. */
  remove(name: string): void {
    this.#blocks = this.#blocks.filter((own) => own.name !== name);
  }

  /** Something is not as it was seen: look again before the next use. */
  doubt(): void {
    this.#isKnown = false;
  }
}

function toOwn(affinity: AffinityEntry): OwnBlock {
  return { cidr: prefixOf(affinity.key.name), name: affinity.key.name, affinity };
}

export function isUsable({ affinity }: OwnBlock): boolean {
  return isConfirmed(affinity.value);
}

export class Homes {
  readonly #records: Records;
  readonly #homes = new Map<string, Home>();

  constructor(records: Records) {
    this.#records = records;
  }

  of(claimant: string): Home {
    const known = this.#homes.get(claimant);
    if (known !== undefined) return known;
    const home = new Home(claimant, this.#records);
    this.#homes.set(claimant, home);
    return home;
  }

  /** A new attempt begins: what was looked at before it is no proof that something is missing. */
  beginAttempt(): void {
    for (const home of this.#homes.values()) home.isFresh = false;
  }

  /** A write was refused because of this key. */
  doubt(key: Key): void {
    if (key.kind === 'BlockAffinity') this.#homes.get(key.scope)?.doubt();
  }

  doubtAll(): void {
    for (const home of this.#homes.values()) home.doubt();
  }
}
