/** Decides for several jobs together what is taken from which block, and what is given back. */
import type { Problem } from '../api/index.ts';
import type { Address } from '../net/addr/index.ts';
import { Batch, type Grant } from './batch.ts';
import { ordinalOf } from './block.ts';
import type { BlockDraft } from './draft.ts';
import { type Facts, type FactsSource, NO_FACTS } from './facts.ts';
import { AGAIN, Growth, type GrowthParts } from './growth.ts';
import { type IPAMHandle, withCount } from './handle.ts';
import { type AnyJob, FreeJob, TakeJob, type Want } from './jobs.ts';
import { poolOf, poolsFor } from './pools.ts';
import { addressTaken, blockOfOther, exhausted, outsidePools } from './problems.ts';
import type { BlockEntry, HandleEntry } from './records.ts';

type Hindrance = typeof AGAIN | { readonly problems: readonly Problem[] } | undefined;

/** In one attempt, beside one for each job: at the blocks of its host, at the facts, at an address that seems taken. */
const MOST_LOOKS = 20;

/** A refusal would go by facts that may be out of date. */
const STALE: unique symbol = Symbol('stale');

/** What the jobs that free addresses go by: each of these was asked for, so undefined means that it does not exist. */
interface Seen {
  readonly handles: ReadonlyMap<string, HandleEntry | undefined>;
  readonly blocks: ReadonlyMap<string, BlockEntry | undefined>;
}

export class Planner {
  readonly #parts: GrowthParts;
  readonly #facts: FactsSource;

  constructor(parts: GrowthParts, facts: FactsSource) {
    this.#parts = parts;
    this.#facts = facts;
  }

  /**
   * Jobs that need no write, or cannot be done, are settled; those for which there is no room in one commit are left
   * for the next.
   *
   * @param refusals  attempts before this one that others were quicker than
   * @returns undefined when what it goes by changes faster than it is read
   */
  async plan(jobs: readonly AnyJob[], refusals: number): Promise<Batch | undefined> {
    const { homes } = this.#parts;
    homes.beginAttempt();
    const [cooldown, read, seen] = await Promise.all([
      this.#parts.records.cooldown(),
      jobs.some((job) => job instanceof TakeJob) ? this.#facts.read() : NO_FACTS,
      this.#look(jobs, refusals),
    ]);
    let facts = read;
    for (let look = 0; look < MOST_LOOKS + jobs.length; look++) {
      const batch = new Batch(cooldown);
      const growth = new Growth(this.#parts, batch, facts, refusals > 0);
      const hindrance = await this.#fill(batch, jobs, seen, facts, growth);
      if (hindrance === undefined) return batch;
      if (hindrance === STALE) facts = await this.#facts.fresh();
    }
    return undefined;
  }

  /** Side by side what the plan would else ask for one after the other. */
  async #look(jobs: readonly AnyJob[], refusals: number): Promise<Seen> {
    const { homes, records } = this.#parts;
    const claimants = new Set(jobs.flatMap((job) => (job instanceof TakeJob ? [job.claimant] : [])));
    const loads = [...claimants].map((claimant) => homes.of(claimant)).filter(({ isKnown }) => !isKnown);
    // The store names one key that is not as expected, not all: after two refusals we ask.
    const isDoubtful = refusals >= 2;
    const handles = new Map<string, HandleEntry | undefined>();
    const lookAt = async (job: AnyJob): Promise<void> => {
      if (job instanceof TakeJob && !isDoubtful) return;
      const remembered = isDoubtful ? undefined : records.rememberedHandle(job.handle);
      handles.set(job.handle, remembered ?? (await records.handle(job.handle)));
    };
    await Promise.all([
      ...loads.map(async (home) => home.load()),
      ...jobs.filter(({ isSettled }) => !isSettled).map(lookAt),
    ]);
    const frees = jobs.filter((job) => job instanceof FreeJob);
    const names = new Set(frees.flatMap(({ handle }) => Object.keys(handles.get(handle)?.value.block ?? {})));
    const blocks = new Map<string, BlockEntry | undefined>();
    await Promise.all(
      [...names].map(async (name) => {
        const remembered = isDoubtful ? undefined : records.rememberedBlock(name);
        blocks.set(name, remembered ?? (await records.block(name)));
      }),
    );
    return { handles, blocks };
  }

  async #fill(
    batch: Batch,
    jobs: readonly AnyJob[],
    seen: Seen,
    facts: Facts,
    growth: Growth,
  ): Promise<typeof AGAIN | typeof STALE | undefined> {
    for (const job of jobs) {
      if (job.isSettled) continue;
      if (batch.isFull) return undefined;
      if (job instanceof FreeJob) {
        free(batch, job, seen);
        continue;
      }
      const hindrance = await this.#take(batch, job, facts, growth);
      if (hindrance !== undefined) return hindrance;
    }
    return undefined;
  }

  async #take(
    batch: Batch,
    job: TakeJob,
    facts: Facts,
    growth: Growth,
  ): Promise<typeof AGAIN | typeof STALE | undefined> {
    const grants: Grant[] = [];
    for (const want of job.wants) {
      const hindrance =
        want.address === undefined
          ? await this.#satisfy(batch, job, want, facts, growth, grants)
          : await this.#particular(job, want, want.address, facts, growth, grants);
      if (hindrance === undefined) continue;
      if (hindrance === AGAIN) return AGAIN;
      for (const { draft, ordinals } of grants) draft.putBack(ordinals);
      if (!facts.isFresh) return STALE;
      batch.refused.push({ job, problems: hindrance.problems });
      return undefined;
    }
    batch.takes.push({ job, grants });
    return undefined;
  }

  async #particular(
    job: TakeJob,
    want: Want,
    address: Address,
    { pools, settings }: Facts,
    growth: Growth,
    grants: Grant[],
  ): Promise<Hindrance> {
    if (want.found.length > 0) return undefined;
    const pool = poolOf(pools, address, job.selection.use);
    if (pool === undefined) return { problems: [outsidePools(address)] };
    const draft = await growth.around(job.claimant, address, pool);
    if (draft === AGAIN) return AGAIN;
    const isOthers = settings.strictAffinity && draft.affinity !== job.claimant;
    const ordinal = ordinalOf(draft.cidr, address);
    if (!isOthers && draft.takeOne(ordinal, job.owner)) {
      grants.push({ want, draft, ordinals: [ordinal] });
      return undefined;
    }
    if (!(await growth.isNewest(draft))) return AGAIN;
    const holder = draft.holderOf(ordinal);
    return {
      problems: [
        isOthers && holder === undefined
          ? blockOfOther(address, draft.name, draft.affinity)
          : addressTaken(address, holder?.handle, holder?.releasedAt),
      ],
    };
  }

  /** @returns undefined when there is enough, or when what is there fills the batch and the rest comes with the next */
  async #satisfy(
    batch: Batch,
    job: TakeJob,
    want: Want,
    facts: Facts,
    growth: Growth,
    grants: Grant[],
  ): Promise<Hindrance> {
    const pools = poolsFor(facts.pools, want.version, job.selection);
    if (!pools.ok) return pools;
    let missing = want.count - want.found.length;
    const needsBlock = want.block !== undefined && want.block.cidr === undefined;
    if (missing === 0 && !needsBlock) return undefined;
    for await (const draft of growth.sources(job, pools.value)) {
      if (draft === AGAIN) return AGAIN;
      if (needsBlock) {
        // A block of others is none to have at hand.
        if (batch.ownerOf(draft) === undefined) break;
        if (draft.entry === undefined) draft.touch();
        grants.push({ want, draft, ordinals: [] });
        return undefined;
      }
      const ordinals = draft.take(missing, job.owner, (ordinal) =>
        facts.reservations.has(draft.cidr.nth(ordinal)),
      );
      if (ordinals.length > 0) grants.push({ want, draft, ordinals });
      missing -= ordinals.length;
      if (missing === 0 || batch.isFull) return undefined;
    }
    const wanted = needsBlock ? 1 : want.count;
    return {
      problems: [exhausted(want.version, wanted, want.count - missing, job.selection.host, pools.value)],
    };
  }
}

function free(batch: Batch, job: FreeJob, { handles, blocks }: Seen): void {
  const handle = handles.get(job.handle);
  if (handle === undefined) return job.complete();
  const parts: { draft: BlockDraft; ordinals: readonly number[] }[] = [];
  let rest: IPAMHandle | undefined = handle.value;
  for (const name of Object.keys(handle.value.block)) {
    const entry = blocks.get(name);
    if (entry !== undefined) {
      if (batch.isFull) break;
      const draft = batch.draftOf(entry);
      parts.push({ draft, ordinals: draft.free(job.handle) });
    }
    rest = withCount(rest, name, 0);
  }
  batch.frees.push({
    job,
    handle,
    rest: Object.keys(handle.value.block).length === 0 ? undefined : rest,
    parts,
  });
}
