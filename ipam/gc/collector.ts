/**
 * The garbage collector of IPAM: looks at the world again and again, and puts right what has been wrong in the same way for
 * the whole grace period. What may be put right is decided by pure functions (`findings.ts`, `doubts.ts`); every repair
 * looks once more before it writes (`repairs.ts`).
 */
import { PoplinError } from '../../api/index.ts';
import type { Clock, Millis } from '../../clock/clock.ts';
import type { Store } from '../../datastore/index.ts';
import { isLocked } from '../../datastore/migrate/index.ts';
import { BlockClaims } from '../claims.ts';
import type { Cooldown } from '../cooldown.ts';
import { HandleCounts } from '../counts.ts';
import { cooldownBy, StoredFacts } from '../facts.ts';
import { Records } from '../records.ts';
import { Releaser } from '../releaser.ts';
import { Retries } from '../retry.ts';
import { type Doubt, doubtsOf } from './doubts.ts';
import { type Finding, findingsByAndBy } from './findings.ts';
import { Grace } from './grace.ts';
import { Repairs } from './repairs.ts';
import { readUsers, readWorld } from './read.ts';
import type { Users, World } from './world.ts';

/** Reading all endpoints is the dearest part of a release; an address is due only after minutes. */
const USERS_STAY_FRESH: Millis = 5_000;

/** How long the decision may keep others from working, at a time. */
const TURN: Millis = 10;

export interface CollectorOptions {
  /** How long a finding must have been seen without interruption. */
  readonly grace: Millis;
  /** Looks may be this far apart; after a longer pause every grace period begins anew. */
  readonly longestGap: Millis;
  /** For looking only: where users come from, if not from the store. Releases ask the store itself in any case. */
  readonly users?: () => Promise<Users>;
}

export interface Look {
  readonly findings: readonly Finding[];
  /** Findings that are old enough and that no doubt holds. */
  readonly due: readonly Finding[];
  readonly doubts: readonly Doubt[];
  /** Addresses held in all blocks. */
  readonly held: number;
}

export type Outcome = 'done' | 'passed' | 'failed';

export interface Collected {
  readonly finding: Finding;
  /** `passed`: it was in order by then, or changed. */
  readonly outcome: Outcome;
  /** Why it failed; it is tried again as long as it is found. */
  readonly error?: string;
}

export interface CollectOptions {
  /** Act although there are doubts that a person may lift. */
  readonly confirmed?: boolean;
  /** Asked before each write; false ends the collection, as when the lease is lost. */
  readonly mayGoOn?: () => boolean;
}

export class Collector {
  readonly #store: Store;
  readonly #clock: Clock;
  #options: CollectorOptions;
  readonly #cooldown: () => Promise<Cooldown>;
  readonly #repairs: Repairs;
  readonly #grace = new Grace();
  #users: { readonly readAt: Millis; readonly users: Users } | undefined;

  constructor(store: Store, clock: Clock, random: () => number, options: CollectorOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#options = options;
    this.#cooldown = cooldownBy(new StoredFacts(new Records(store)), clock);
    const records = new Records(store, this.#cooldown);
    const retries = new Retries(clock, random);
    const counts = new HandleCounts(records, retries);
    this.#repairs = new Repairs({
      store,
      records,
      retries,
      counts,
      claims: new BlockClaims(records, clock, retries),
      releaser: new Releaser(records, counts, retries),
    });
  }

  /** From the next look on; what has been seen so far counts. */
  configure(timing: Pick<CollectorOptions, 'grace' | 'longestGap'>): void {
    this.#options = { ...this.#options, ...timing };
  }

  /** Writes nothing. @throws PoplinError when the store cannot be read: what was seen before is then kept, see `longestGap` */
  async look({ confirmed = false }: CollectOptions = {}): Promise<Look> {
    const users = this.#options.users ?? (() => readUsers(this.#store));
    const world = await readWorld(this.#store, this.#cooldown, users);
    const findings: Finding[] = [];
    let turn = performance.now();
    for (const some of findingsByAndBy(world)) {
      findings.push(...some);
      if (performance.now() - turn < TURN) continue;
      // The agent that runs this has workloads to attach meanwhile.
      await new Promise((resolve) => setImmediate(resolve));
      turn = performance.now();
    }
    return this.#consider(world, findings, confirmed);
  }

  #consider(world: World, findings: readonly Finding[], confirmed: boolean): Look {
    const doubts = doubtsOf(world, findings).filter(({ confirmable }) => !(confirmed && confirmable));
    const held = new Set(doubts.flatMap(({ holds }) => holds));
    const { grace, longestGap } = this.#options;
    return {
      findings,
      due: this.#grace
        .see(findings, this.#clock.now(), longestGap)
        .filter(({ finding, age }) => age >= grace && !held.has(finding.kind))
        .map(({ finding }) => finding),
      doubts,
      held: world.blocks.reduce(
        (sum, { value }) => sum + value.allocations.filter((index) => index !== null).length,
        0,
      ),
    };
  }

  /**
   * Puts right what is due, in order, one after the other.
   *
   * @throws PoplinError STORE_UNAVAILABLE; what was done so far was right
   */
  async collect(
    due: readonly Finding[],
    { mayGoOn = () => true }: CollectOptions = {},
  ): Promise<Collected[]> {
    if (due.length === 0 || (await isLocked(this.#store))) return [];
    this.#users = undefined;
    const collected: Collected[] = [];
    for (const step of this.#steps(due)) {
      if (!mayGoOn()) break;
      try {
        collected.push(...(await step.run()));
      } catch (error) {
        if (!(error instanceof PoplinError)) throw error;
        // The rest would only wait for the same.
        if (error.problems.some(({ code }) => code === 'STORE_UNAVAILABLE')) throw error;
        collected.push(
          ...step.findings.map(
            (finding): Collected => ({ finding, outcome: 'failed', error: error.message }),
          ),
        );
      }
    }
    return collected;
  }

  /** From the store itself, not older than a few seconds. */
  async #usersNow(): Promise<Users> {
    const now = this.#clock.now();
    if (this.#users === undefined || now - this.#users.readAt > USERS_STAY_FRESH)
      this.#users = { readAt: now, users: await readUsers(this.#store) };
    return this.#users.users;
  }

  /** One write or a few each: an endpoint, the leaked addresses of a block, a count, an affinity. */
  *#steps(
    due: readonly Finding[],
  ): Generator<{ readonly findings: readonly Finding[]; readonly run: () => Promise<Collected[]> }> {
    const others = due.filter((finding) => finding.kind !== 'address');
    const single = (finding: (typeof others)[number]) => ({
      findings: [finding],
      run: async (): Promise<Collected[]> => [
        { finding, outcome: (await this.#repairs.other(finding)) ? 'done' : 'passed' },
      ],
    });
    yield* others.filter(({ kind }) => kind === 'endpoint').map(single);
    const leaked = due.filter((finding) => finding.kind === 'address');
    for (const [cidr, findings] of Map.groupBy(leaked, (finding) => finding.cidr)) {
      yield {
        findings,
        run: async () => {
          const released = await this.#repairs.addresses(cidr, findings, await this.#usersNow());
          return findings.map((finding) => ({
            finding,
            outcome: released.includes(finding) ? 'done' : 'passed',
          }));
        },
      };
    }
    yield* others.filter(({ kind }) => kind !== 'endpoint').map(single);
  }
}
