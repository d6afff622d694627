/**
 * Group commit: while one batch of requests is being written, those that come meanwhile gather, and are the next batch.
 * So a host that starts a hundred workloads writes its block a few times and not a hundred times.
 */
import type { Batch } from './batch.ts';
import type { HandleCounts } from './counts.ts';
import type { FactsSource } from './facts.ts';
import type { GrowthParts } from './growth.ts';
import { Homes } from './homes.ts';
import type { AnyJob } from './jobs.ts';
import { OrderedWriter } from './ordered.ts';
import { Planner } from './planner.ts';
import type { Records } from './records.ts';
import type { Retries } from './retry.ts';
import { writeTogether } from './transaction.ts';

/** Jobs of one batch; what does not fit into one commit waits for the next. */
const MOST_JOBS = 120;
/** Refusals after which smaller batches are tried: one handle that others write all the time must not hold up all. */
const PATIENCE = 4;

export class Group {
  readonly #records: Records;
  readonly #homes: Homes;
  readonly #planner: Planner;
  readonly #ordered: OrderedWriter;
  readonly #retries: Retries;
  #waiting: AnyJob[] = [];
  #isRunning = false;

  constructor(parts: Omit<GrowthParts, 'homes'>, facts: FactsSource, counts: HandleCounts, retries: Retries) {
    this.#records = parts.records;
    this.#homes = new Homes(parts.records);
    this.#planner = new Planner({ ...parts, homes: this.#homes }, facts);
    this.#ordered = new OrderedWriter(parts.records, this.#homes, counts, retries);
    this.#retries = retries;
  }

  async run<J extends AnyJob>(job: J): Promise<Awaited<J['outcome']>> {
    this.#waiting.push(job);
    if (!this.#isRunning) void this.#work();
    return (await job.outcome) as Awaited<J['outcome']>;
  }

  async #work(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      // Whoever is about to ask, asks within this turn of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
      const jobs = this.#gather();
      try {
        await this.#finish(jobs);
      } catch (error) {
        // Perhaps written, perhaps not: what was known is worth nothing now.
        this.#records.forgetAll();
        this.#homes.doubtAll();
        for (const job of jobs) if (!job.isSettled) job.abandon(error);
      }
    }
    this.#isRunning = false;
  }

  /** In order of arrival; of two jobs on one handle the later one waits. */
  #gather(): AnyJob[] {
    const handles = new Set<string>();
    const jobs: AnyJob[] = [];
    const later: AnyJob[] = [];
    for (const job of this.#waiting) {
      const isNext = jobs.length < MOST_JOBS && !handles.has(job.handle);
      if (job.handle !== '') handles.add(job.handle);
      (isNext ? jobs : later).push(job);
    }
    this.#waiting = later;
    return jobs;
  }

  async #finish(jobs: readonly AnyJob[]): Promise<void> {
    let refusals = 0;
    for (;;) {
      const open = jobs.filter(({ isSettled }) => !isSettled);
      if (open.length === 0) return;
      const few = refusals < PATIENCE ? open.length : Math.max(1, open.length >> (refusals - PATIENCE + 1));
      const batch = await this.#planner.plan(open.slice(0, few), refusals);
      if (await this.#write(batch)) refusals = 0;
      else await this.#retries.pause(`${open.length} requests`, refusals++);
    }
  }

  async #write(batch: Batch | undefined): Promise<boolean> {
    if (batch === undefined) return false;
    return this.#records.transactional
      ? writeTogether(batch, this.#records, this.#homes)
      : this.#ordered.write(batch);
  }
}
