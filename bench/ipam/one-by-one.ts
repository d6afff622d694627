/**
 * How Calico gives an address (libcalico-go/lib/ipam, `autoAssign` to `incrementHandle`), reduced to what cannot be done
 * without: read the block, read the handle, create the handle, write the block by compare-and-swap; on a conflict all of
 * it again. What Calico reads besides for each address (reservations, node, pools, affinities, affinity, settings) is
 * left out, in its favour; and as its plugin does, one request at a time is served on a node, by a lock.
 */
import { SystemClock } from '../../clock/system.ts';
import type { Entry, Store } from '../../datastore/index.ts';
import { allocate, type IPAMBlock } from '../../ipam/block.ts';
import { blocksFrom, placeOf } from '../../ipam/candidates.ts';
import { BlockClaims } from '../../ipam/claims.ts';
import { hostOwner } from '../../ipam/index.ts';
import type { Pool } from '../../ipam/pools.ts';
import { Records } from '../../ipam/records.ts';
import { Retries } from '../../ipam/retry.ts';
import { Serial } from '../../ipam/serial.ts';

const ATTEMPTS = 100;

export class OneByOne {
  readonly #store: Store;
  readonly #claims: BlockClaims;
  readonly #pool: Pool;
  readonly #node: string;
  readonly #lock = new Serial();
  /** The one that had room the last time is tried first: in favour of this peer, too. */
  #blocks: string[] = [];

  constructor(store: Store, pool: Pool, node: string) {
    const clock = new SystemClock();
    this.#store = store;
    this.#claims = new BlockClaims(new Records(store), clock, new Retries(clock, Math.random));
    this.#pool = pool;
    this.#node = node;
  }

  async give(handle: string, attributes: Readonly<Record<string, string>>): Promise<void> {
    return this.#lock.run('node', async () => {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const entry = await this.#blockWithRoom();
        const given = allocate(entry.value, 1, { handle, attributes });
        if (given === undefined) continue;
        await this.#count(handle, entry.value.cidr);
        const expect = { revision: entry.revision };
        const commit = await this.#store.commit([
          { type: 'put', key: entry.key, value: given.block, expect },
        ]);
        if (commit.ok) return;
      }
      throw new Error('excessive concurrent requests');
    });
  }

  async #count(handle: string, cidr: string): Promise<void> {
    const key = { kind: 'IPAMHandle', scope: '', name: handle };
    const before = await this.#store.get(key);
    if (before !== undefined) throw new Error(`handle ${handle} is not new`);
    await this.#store.commit([
      { type: 'put', key, value: { block: { [cidr]: 1 }, deleted: false }, expect: 'absent' },
    ]);
  }

  async #blockWithRoom(): Promise<Entry<IPAMBlock>> {
    for (const cidr of this.#blocks) {
      const entry = await this.#store.get({ kind: 'IPAMBlock', scope: '', name: cidr });
      const block = entry as Entry<IPAMBlock> | undefined;
      if (block !== undefined && block.value.unallocated.length > 0) {
        this.#blocks = [cidr, ...this.#blocks.filter((other) => other !== cidr)];
        return block;
      }
    }
    return this.#claim();
  }

  /** Affinity pending, block, affinity confirmed: three writes in 64 addresses. */
  async #claim(): Promise<Entry<IPAMBlock>> {
    const { entries } = await this.#store.list({ kind: 'IPAMBlock' });
    const taken = new Set(entries.map(({ key }) => key.name));
    const claimant = hostOwner(this.#node);
    for (const cidr of blocksFrom(this.#pool, placeOf(claimant))) {
      if (taken.has(cidr.toString())) continue;
      const block = await this.#claims.claim(claimant, cidr);
      if (block === undefined) continue;
      this.#blocks.unshift(cidr.toString());
      return block;
    }
    throw new Error('the pool of the bench is full');
  }
}
