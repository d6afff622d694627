/**
 * The embedded engine: one SQLite file that all processes of a machine share.
 *
 * `node:sqlite` blocks the event loop, so every transaction here is a handful of statements, and waiting for
 * another process's lock happens outside SQLite, in timers.
 */
import type { DatabaseSync } from 'node:sqlite';
import { PoplinError } from '../../api/problem.ts';
import type { Clock, Millis } from '../../clock/clock.ts';
import { SystemClock } from '../../clock/system.ts';
import { type PreparedCommit, prepareCommit } from '../prepare.ts';
import { isMigrated, isOwn } from '../migrate/kinds.ts';
import {
  type Commit,
  CompactedError,
  type Entry,
  type Key,
  type Operation,
  type Revision,
  type Selection,
  type Store,
  type Stray,
  type WatchBatch,
} from '../store.ts';
import { runCommits } from './committer.ts';
import { openDatabase } from './database.ts';
import { isBusy, toStoreError } from './errors.ts';
import { Tables } from './tables.ts';
import { Wakeup } from './wakeup.ts';

/** How long a call waits for other processes before it gives up. */
const PATIENCE: Millis = 15_000;
/** Revisions read at once by a watch, and commits written at once: what bounds the time the loop is blocked. */
const PAGE = 256;
const COMMITS_AT_ONCE = 64;

export interface EmbeddedOptions {
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Revisions of history kept for watches and old lists; a follower further behind has to list again. */
  readonly keepRevisions?: number;
}

interface Waiting {
  readonly commit: PreparedCommit;
  readonly resolve: (answer: Commit) => void;
  readonly reject: (error: unknown) => void;
}

export class EmbeddedStore implements Store {
  readonly transactional = true;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #keepRevisions: number;
  readonly #db: DatabaseSync;
  readonly #tables: Tables;
  readonly #wakeup: Wakeup;
  readonly #closing = new AbortController();
  #waiting: Waiting[] = [];
  #draining: Promise<void> | undefined;

  /**
   * @param path  the database file; created, with its folder, when missing
   * @throws PoplinError with a {@link StoreProblem} when the file is damaged, foreign, or out of reach
   */
  static async open(path: string, options: EmbeddedOptions = {}): Promise<EmbeddedStore> {
    const { clock = new SystemClock(), random = Math.random } = options;
    return patiently(path, clock, random, () => {
      const db = openDatabase(path);
      try {
        return new EmbeddedStore(path, db, { clock, random, keepRevisions: options.keepRevisions ?? 10_000 });
      } catch (error) {
        db.close();
        throw error;
      }
    });
  }

  private constructor(path: string, db: DatabaseSync, options: Required<EmbeddedOptions>) {
    this.#path = path;
    this.#db = db;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#keepRevisions = options.keepRevisions;
    this.#tables = new Tables(db);
    this.#wakeup = new Wakeup(`${path}-notify`, options.clock);
  }

  async get(key: Key): Promise<Entry | undefined> {
    return this.#read(() => this.#tables.entry(key));
  }

  async list(
    selection: Selection,
    at?: Revision,
  ): Promise<{ entries: readonly Entry[]; revision: Revision }> {
    return this.#read(() => {
      const position = this.#tables.position();
      if (at === undefined)
        return { entries: this.#tables.list(selection), revision: String(position.revision) };
      const asked = reachable(at, position);
      return { entries: this.#tables.listAt(selection, asked), revision: at };
    });
  }

  async strays(): Promise<readonly Stray[]> {
    return this.#read(() =>
      this.#tables
        .kinds()
        .filter(({ kind }) => !isMigrated(kind))
        .map(({ kind, count }) => ({
          where: `${count} of kind ${kind}`,
          ...(isOwn(kind) ? { belongsTo: 'the work of this release itself' } : {}),
        })),
    );
  }

  async names(selection: Selection): Promise<readonly Key[]> {
    return this.#read(() => this.#tables.names(selection));
  }

  async commit(operations: readonly Operation[]): Promise<Commit> {
    this.#assertOpen();
    const commit = prepareCommit(operations);
    const { promise, resolve, reject } = Promise.withResolvers<Commit>();
    this.#waiting.push({ commit, resolve, reject });
    this.#draining ??= this.#drain();
    return promise;
  }

  async *watch(
    selections: readonly Selection[],
    from: Revision,
    signal: AbortSignal,
  ): AsyncIterable<WatchBatch> {
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    let changed = Promise.withResolvers<void>();
    const wake = (): void => changed.resolve();
    // Subscribed before the first look, so that no change falls between the two.
    const unsubscribe = this.#wakeup.subscribe(wake);
    stop.addEventListener('abort', wake);
    try {
      let position = Number(from);
      while (!stop.aborted) {
        changed = Promise.withResolvers<void>();
        const page = await this.#read(() => this.#changes(selections, position));
        for (const batch of page.batches) {
          if (stop.aborted) return;
          position = Number(batch.revision);
          yield batch;
        }
        position = page.through;
        if (page.last) await changed.promise;
      }
    } finally {
      stop.removeEventListener('abort', wake);
      unsubscribe();
    }
  }

  async revision(): Promise<Revision> {
    return this.#read(() => String(this.#tables.position().revision));
  }

  async compact(through: Revision): Promise<void> {
    this.#assertOpen();
    await this.#patiently(() => {
      this.#db.exec('BEGIN IMMEDIATE');
      try {
        const position = this.#tables.position();
        const asked = parseRevision(through);
        if (asked > position.revision) throw new RangeError(`revision ${through} is not written yet`);
        if (asked > position.compacted) this.#tables.compact(asked);
        this.#db.exec('COMMIT');
      } catch (error) {
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
        throw error;
      }
    });
  }

  /** Ends all watches, finishes the commits already asked for, and closes the file. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#draining;
    this.#wakeup.close();
    this.#db.close();
  }

  #changes(selections: readonly Selection[], from: number): Page {
    const position = this.#tables.position();
    reachable(String(from), position);
    // Woken twice by most commits of this process: by itself, and by its own touch of the file.
    if (from === position.revision) return { batches: [], through: from, last: true };
    const through = Math.min(position.revision, from + PAGE);
    return {
      batches: this.#tables.changes(selections, from, through),
      through,
      last: through === position.revision,
    };
  }

  async #drain(): Promise<void> {
    // Callers that were woken in the same turn of the loop join the same transaction.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const together = this.#waiting.splice(0, COMMITS_AT_ONCE);
      const commits = together.map(({ commit }) => commit);
      try {
        const answers = await this.#patiently(() =>
          runCommits(this.#db, this.#tables, commits, this.#keepRevisions),
        );
        if (answers.some(({ ok }) => ok)) this.#wakeup.announce();
        for (const [i, { resolve }] of together.entries()) resolve(answers[i]!);
      } catch (error) {
        for (const { reject } of together) reject(error);
      }
    }
    this.#draining = undefined;
  }

  /** Several statements that must see one state: a WAL reader keeps its snapshot for the transaction. */
  async #read<T>(read: () => T): Promise<T> {
    this.#assertOpen();
    return this.#patiently(() => {
      this.#db.exec('BEGIN');
      try {
        return read();
      } finally {
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      }
    });
  }

  #patiently<T>(attempt: () => T): Promise<T> {
    return patiently(this.#path, this.#clock, this.#random, attempt);
  }

  #assertOpen(): void {
    if (!this.#closing.signal.aborted) return;
    throw new PoplinError([
      {
        code: 'STORE_UNAVAILABLE',
        what: `the datastore ${this.#path} has been closed`,
        remedy: 'open it again',
      },
    ]);
  }
}

interface Page {
  readonly batches: readonly WatchBatch[];
  readonly through: number;
  readonly last: boolean;
}

/** Repeats `attempt` while other processes are in its way, at random short intervals so that none starves. */
async function patiently<T>(path: string, clock: Clock, random: () => number, attempt: () => T): Promise<T> {
  const deadline = clock.now() + PATIENCE;
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || clock.now() > deadline) throw toStoreError(path, error);
    }
    await new Promise<void>((resolve) =>
      clock.after(1 + random() * 8, 'wait for the datastore lock', resolve),
    );
  }
}

function parseRevision(text: Revision): number {
  const revision = Number(text);
  if (!Number.isSafeInteger(revision) || revision < 0)
    throw new TypeError(`${text} is not a revision of this store`);
  return revision;
}

/** A revision beyond the newest comes from another history (a file restored from a backup): listing again is the cure too. */
function reachable(
  text: Revision,
  position: { readonly revision: number; readonly compacted: number },
): number {
  const revision = parseRevision(text);
  if (revision < position.compacted || revision > position.revision) {
    throw new CompactedError(text, String(position.compacted));
  }
  return revision;
}
