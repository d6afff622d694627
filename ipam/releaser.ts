/** Takes addresses back: the block first, the handle after, so that a count is never smaller than the truth. */
import type { Address } from '../net/addr/index.ts';
import { affinityOf, type IPAMBlock, isEmpty, ordinalsOf, prefixOf, release } from './block.ts';
import { countIn } from './handle.ts';
import type { HandleCounts } from './counts.ts';
import type { BlockEntry, HandleEntry, Records } from './records.ts';
import { OUTRUN, type Retries } from './retry.ts';

export class Releaser {
  readonly #records: Records;
  readonly #retries: Retries;
  readonly #counts: HandleCounts;

  constructor(records: Records, counts: HandleCounts, retries: Retries) {
    this.#records = records;
    this.#retries = retries;
    this.#counts = counts;
  }

  /**
   * Some addresses of one block, whoever holds them.
   *
   * @param choose  the ordinals to free in the block as it is; asked anew when the block has changed
   */
  async inBlock(cidr: string, choose: (block: IPAMBlock) => readonly number[]): Promise<Address[]> {
    return this.#retries.until(`block ${cidr}`, async () => {
      const seen = await this.#records.block(cidr);
      if (seen === undefined) return [];
      const handles = new Map<string, HandleEntry | undefined>();
      for (const handle of handlesOf(seen.value, choose(seen.value)))
        handles.set(handle, await this.#records.handle(handle));
      // Read again, after the handles: what they promise is then in this block, or can be told apart.
      const block = await this.#records.block(cidr);
      if (block === undefined) return [];
      const ordinals = choose(block.value);
      if (ordinals.length === 0) return [];
      const after = release(block.value, ordinals, await this.#records.cooldown());
      if (!(await this.#write(block, after))) return OUTRUN;
      for (const handle of handlesOf(block.value, ordinals)) {
        await this.#lower(handle, handles.get(handle), block.value, ordinals);
      }
      return addressesOf(cidr, ordinals);
    });
  }

  async #lower(
    handle: string,
    before: HandleEntry | undefined,
    block: IPAMBlock,
    freed: readonly number[],
  ): Promise<void> {
    const { cidr } = block;
    const held = ordinalsOf(block, handle);
    // No promise was under way: the count may follow without another write of the block.
    if (before !== undefined && countIn(before.value, cidr) === held.length) {
      const left = held.filter((ordinal) => !freed.includes(ordinal)).length;
      if (await this.#counts.write(before, cidr, left)) return;
    }
    await this.#counts.settle(handle, cidr);
  }

  /** A block that is empty and nobody's is deleted. */
  async #write(before: BlockEntry, after: IPAMBlock): Promise<boolean> {
    if (isEmpty(after) && affinityOf(after) === undefined) return this.#records.remove(before);
    return (await this.#records.replace(before, after)) !== undefined;
  }
}

function handlesOf(block: IPAMBlock, ordinals: readonly number[]): Set<string> {
  const handles = new Set<string>();
  for (const ordinal of ordinals) {
    const index = block.allocations[ordinal];
    const handle = index === null || index === undefined ? undefined : block.attributes[index]?.handle_id;
    if (handle !== undefined && handle !== null) handles.add(handle);
  }
  return handles;
}

function addressesOf(cidr: string, ordinals: readonly number[]): Address[] {
  const prefix = prefixOf(cidr);
  return ordinals.map((ordinal) => prefix.nth(ordinal));
}
