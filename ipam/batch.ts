/** What is to be written for several jobs together. Pure. */
import type { Problem } from '../api/index.ts';
import type { Address, Prefix } from '../net/addr/index.ts';
import { newBlock } from './block.ts';
import type { Cooldown } from './cooldown.ts';
import { BlockDraft } from './draft.ts';
import type { IPAMHandle } from './handle.ts';
import type { OwnBlock } from './homes.ts';
import type { FreeJob, TakeJob, Want } from './jobs.ts';
import type { BlockEntry, HandleEntry } from './records.ts';

/** Keys of one commit. etcd takes 128 by default (`--max-txn-ops`). */
const MOST_KEYS = 120;

export interface Grant {
  readonly want: Want;
  readonly draft: BlockDraft;
  /** None where the block alone was wanted. */
  readonly ordinals: readonly number[];
}

export interface PlannedTake {
  readonly job: TakeJob;
  readonly grants: readonly Grant[];
}

export interface PlannedFree {
  readonly job: FreeJob;
  readonly handle: HandleEntry;
  /** What the handle will hold: usually nothing, unless it has addresses in more blocks than one commit takes. */
  readonly rest: IPAMHandle | undefined;
  readonly parts: readonly { readonly draft: BlockDraft; readonly ordinals: readonly number[] }[];
}

export class Batch {
  readonly #cooldown: Cooldown;
  readonly #drafts = new Map<string, BlockDraft>();
  /** Whose a block is or is to be, by name; those that addresses are borrowed from or only freed in are not here. */
  readonly #owners = new Map<string, { readonly claimant: string; readonly own: OwnBlock | undefined }>();
  readonly takes: PlannedTake[] = [];
  readonly frees: PlannedFree[] = [];
  /** Jobs that cannot be done, unless this batch is refused and the next plan sees it otherwise. */
  readonly refused: { readonly job: TakeJob; readonly problems: readonly Problem[] }[] = [];

  constructor(cooldown: Cooldown) {
    this.#cooldown = cooldown;
  }

  draft(name: string): BlockDraft | undefined {
    return this.#drafts.get(name);
  }

  /** The draft of a block that exists; one and the same for all who ask in this batch. */
  draftOf(entry: BlockEntry): BlockDraft {
    const known = this.#drafts.get(entry.value.cidr);
    if (known !== undefined) return known;
    const draft = new BlockDraft(entry, this.#cooldown);
    this.#drafts.set(draft.name, draft);
    return draft;
  }

  draftOfOwn(claimant: string, own: OwnBlock, entry: BlockEntry): BlockDraft {
    this.#owners.set(own.name, { claimant, own });
    return this.draftOf(entry);
  }

  /** A block that will be made, and claimed, if anything is taken out of it. */
  draftOfNew(claimant: string, cidr: Prefix, now: Date): BlockDraft {
    const draft = new BlockDraft(newBlock(cidr, claimant, now));
    this.#drafts.set(draft.name, draft);
    this.#owners.set(draft.name, { claimant, own: undefined });
    return draft;
  }

  ownerOf(draft: BlockDraft): { readonly claimant: string; readonly own: OwnBlock | undefined } | undefined {
    return this.#owners.get(draft.name);
  }

  /** Blocks that will be made for the claimant if anything is taken out of them. */
  newOf(claimant: string): BlockDraft[] {
    return [...this.#drafts.values()].filter(
      (draft) => draft.entry === undefined && this.#owners.get(draft.name)?.claimant === claimant,
    );
  }

  get touched(): BlockDraft[] {
    return [...this.#drafts.values()].filter(({ isTouched }) => isTouched);
  }

  /** Each block comes with its affinity, and each job with its handle. */
  get isFull(): boolean {
    return this.touched.length * 2 + this.takes.length + this.frees.length >= MOST_KEYS - 3;
  }
}

export function addressesOf({ cidr }: BlockDraft, ordinals: readonly number[]): Address[] {
  return ordinals.map((ordinal) => cidr.nth(ordinal));
}

/** By block: how many addresses the job's handle will hold more. */
export function countsOf({ grants }: PlannedTake): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { draft, ordinals } of grants)
    if (ordinals.length > 0) counts.set(draft.name, (counts.get(draft.name) ?? 0) + ordinals.length);
  return counts;
}
