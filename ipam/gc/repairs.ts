/**
 * Puts findings right, each after another look at what it is about: a finding is minutes old, and others write meanwhile.
 * Every write is a compare-and-swap on what that look saw, so that it need not be alone: two collectors
 * side by side, or one that has lost its lease and does not know it yet, do no harm.
 */
import type { Node, WorkloadEndpoint } from '../../api/index.ts';
import type { Entry, Store } from '../../datastore/index.ts';
import {
  affinityOf,
  allocationAt,
  bumped,
  type IPAMBlock,
  isEmpty,
  ordinalOf,
  ordinalsOf,
  prefixOf,
} from '../block.ts';
import type { BlockClaims } from '../claims.ts';
import type { HandleCounts } from '../counts.ts';
import { countIn, withCount } from '../handle.ts';
import { handleKey, type Records } from '../records.ts';
import type { Releaser } from '../releaser.ts';
import { OUTRUN, type Retries } from '../retry.ts';
import type { Finding } from './findings.ts';
import { holderVerdict } from './holders.ts';
import type { Users } from './world.ts';

export interface RepairParts {
  readonly store: Store;
  readonly records: Records;
  readonly retries: Retries;
  readonly counts: HandleCounts;
  readonly claims: BlockClaims;
  readonly releaser: Releaser;
}

type AddressFinding = Extract<Finding, { kind: 'address' }>;

export class Repairs {
  readonly #parts: RepairParts;

  constructor(parts: RepairParts) {
    this.#parts = parts;
  }

  /**
   * All of one block, in one write.
   *
   * @param users  read from the store after the findings were made
   * @returns those that were released; the others are held otherwise by now, or used
   */
  async addresses(
    cidr: string,
    findings: readonly AddressFinding[],
    users: Users,
  ): Promise<AddressFinding[]> {
    const byOrdinal = new Map(
      findings.map((finding) => [ordinalOf(prefixOf(cidr), finding.address), finding]),
    );
    const freed = await this.#parts.releaser.inBlock(cidr, (block) =>
      [...byOrdinal].flatMap(([ordinal, finding]) =>
        isAsFound(block, ordinal, finding, users) ? [ordinal] : [],
      ),
    );
    const texts = new Set(freed.map(String));
    return findings.filter(({ address }) => texts.has(address.toString()));
  }

  /** Anything but an address. @returns false when there was nothing to do any more */
  async other(finding: Exclude<Finding, { kind: 'address' }>): Promise<boolean> {
    const { claims } = this.#parts;
    switch (finding.kind) {
      case 'endpoint':
        return this.#endpoint(finding.namespace, finding.name, finding.node);
      case 'rested':
        return this.#rested(finding.cidr);
      case 'handle':
        return this.#handle(finding.handle, finding.cidr);
      case 'lost-affinity':
        return this.#lostAffinity(finding.owner, finding.cidr);
      case 'stale-affinity':
        return this.#staleAffinity(finding.owner, finding.cidr);
      case 'gone-node':
        if (!(await this.#isGone(finding.node))) return false;
        return claims.release(finding.owner, finding.cidr, false);
      case 'spare-block':
        return claims.release(finding.owner, finding.cidr, true);
      case 'nobodys-block': {
        const block = await this.#parts.records.block(finding.cidr);
        if (block === undefined || affinityOf(block.value) !== undefined || !isEmpty(block.value))
          return false;
        return this.#parts.records.remove(block);
      }
    }
  }

  /** Whoever writes the block meanwhile has done it. */
  async #rested(cidr: string): Promise<boolean> {
    const block = await this.#parts.records.restedBlock(cidr);
    if (block === undefined) return false;
    if (isEmpty(block.value) && affinityOf(block.value) === undefined)
      return this.#parts.records.remove(block);
    return (await this.#parts.records.replace(block, bumped(block.value))) !== undefined;
  }

  async #endpoint(namespace: string, name: string, node: string): Promise<boolean> {
    const { store } = this.#parts;
    const key = { kind: 'WorkloadEndpoint', scope: namespace, name };
    const entry = (await store.get(key)) as Entry<WorkloadEndpoint> | undefined;
    if (entry?.value.spec.node !== node || !(await this.#isGone(node))) return false;
    return (await store.commit([{ type: 'delete', key, expect: { revision: entry.revision } }])).ok;
  }

  async #isGone(node: string): Promise<boolean> {
    return (await this.#parts.records.get<Node>('Node', node)) === undefined;
  }

  /**
   * By the order that `counts.ts` explains: whoever is about to give an address of the block to the handle has to begin
   * anew once the block is written, so the count that is set then is true, in both directions.
   */
  async #handle(handle: string, cidr: string | undefined): Promise<boolean> {
    const { records, retries, counts } = this.#parts;
    return retries.until(`handle ${handle}`, async () => {
      const entry = await records.handle(handle);
      if (cidr === undefined) {
        if (entry === undefined || Object.keys(entry.value.block).length > 0) return false;
        return (await records.remove(entry)) ? true : OUTRUN;
      }
      const block = await records.block(cidr);
      const held = block === undefined ? 0 : ordinalsOf(block.value, handle).length;
      if (countIn(entry?.value, cidr) === held) return false;
      if (block !== undefined && (await records.replace(block, bumped(block.value))) === undefined)
        return OUTRUN;
      const written =
        entry === undefined
          ? await records.create(handleKey(handle), withCount(undefined, cidr, held)!)
          : await counts.write(entry, cidr, held);
      return written === undefined || written === false ? OUTRUN : true;
    });
  }

  /** Ends the claim or the loss that left it: for a node that is gone, the next collection finds the affinity. */
  async #lostAffinity(owner: string, cidr: string): Promise<boolean> {
    const block = await this.#parts.records.block(cidr);
    if (block === undefined || affinityOf(block.value) !== owner) return false;
    return (await this.#parts.claims.claim(owner, prefixOf(cidr))) !== undefined;
  }

  /** Never lets go of a block: should the owner have come to it meanwhile, it is in order. */
  async #staleAffinity(owner: string, cidr: string): Promise<boolean> {
    const { records } = this.#parts;
    const affinity = await records.affinity(owner, cidr);
    if (affinity === undefined) return false;
    const block = await records.block(cidr);
    if (block !== undefined && affinityOf(block.value) === owner) return false;
    // A claim under way fails to confirm it then, and begins anew; the block that it may have made stays its own.
    return records.remove(affinity);
  }
}

function isAsFound(
  block: IPAMBlock,
  ordinal: number,
  { handle, sequence }: AddressFinding,
  users: Users,
): boolean {
  const held = allocationAt(block, ordinal);
  if (held === undefined || held.handle !== handle || held.sequence !== sequence) return false;
  return typeof holderVerdict({ ...held, address: prefixOf(block.cidr).nth(ordinal) }, users) !== 'string';
}
