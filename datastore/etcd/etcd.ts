/** The etcd engine: Calico's own layout in an etcd v3 cluster, shared with whatever else speaks it. */
import type { Etcd3, IKeyValue, IRangeRequest, IRangeResponse } from 'etcd3';
import { PoplinError } from '../../api/problem.ts';
import type { Clock, Millis } from '../../clock/clock.ts';
import { SystemClock } from '../../clock/system.ts';
import { refuseRepeats } from '../prepare.ts';
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
  selects,
  type WatchBatch,
} from '../store.ts';
import { connect, FIRST_PATIENCE, isCompacted, persist } from './client.ts';
import { runCommit } from './commit.ts';
import { familyOf } from './families.ts';
import { foldersOf, keyAt, pathOf } from './keys.ts';
import type { EtcdOptions } from './location.ts';
import { isRefusal } from './problems.ts';
import { coverOf, readFolders } from './ranges.ts';
import { decodeValue, otherKey } from './values.ts';
import { WatchBroken, type Watched, watchOnce } from './watch.ts';

const NUMBER = /^\d+$/;

/** Between attempts to watch again, growing. */
const FIRST_PAUSE: Millis = 100;
const LONGEST_PAUSE: Millis = 5000;

export class EtcdStore implements Store {
  readonly transactional = true;
  readonly #client: Etcd3;
  readonly #options: EtcdOptions;
  /** Holds nothing, and is within what a user may read that has rights on the prefix alone. */
  readonly #nothing: Buffer;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  /** The newest revision that we have heard of. */
  #seen: Revision = '0';

  /** @throws PoplinError STORE_UNAVAILABLE when no member answers in time */
  static async open(options: EtcdOptions, clock: Clock = new SystemClock()): Promise<EtcdStore> {
    const store = new EtcdStore(options, clock);
    try {
      const ask = () => store.#client.kv.range({ key: store.#nothing });
      const asked = `${options.prefix}/`;
      store.#see((await persist({ clock, options, asked, patience: FIRST_PATIENCE }, ask)).header.revision);
    } catch (error) {
      await store.close();
      throw error;
    }
    return store;
  }

  private constructor(options: EtcdOptions, clock: Clock) {
    this.#options = options;
    this.#nothing = Buffer.from(`${options.prefix}/`);
    this.#clock = clock;
    this.#client = connect(options);
  }

  async get(key: Key): Promise<Entry | undefined> {
    const places = [key, otherKey(key)].flatMap((one) =>
      one === undefined ? [] : [pathOf(this.#options.prefix, one)],
    );
    const { found } = await this.#readFolders(places, undefined, (kv) => kv);
    const [kv] = found;
    if (kv === undefined) return undefined;
    return { key, value: decodeValue(key, kv.value.toString()).value, revision: kv.mod_revision };
  }

  async list(
    selection: Selection,
    at?: Revision,
  ): Promise<{ entries: readonly Entry[]; revision: Revision }> {
    if (at !== undefined) await this.#reachable(at);
    const folders = foldersOf(this.#options.prefix, selection);
    const { found, revision } = await this.#readFolders(folders, at, (kv): Entry | undefined => {
      const path = keyAt(this.#options.prefix, kv.key.toString());
      if (path === undefined) return undefined;
      const { key, value } = decodeValue(path, kv.value.toString());
      return selects(selection, key) ? { key, value, revision: kv.mod_revision } : undefined;
    });
    // The order of paths is nearly that of keys: "-" sorts before the "/" between scope and name.
    return { entries: found.toSorted(byKey), revision };
  }

  async names(selection: Selection): Promise<readonly Key[]> {
    const folders = foldersOf(this.#options.prefix, selection);
    const range = (request: IRangeRequest) => this.#range({ ...request, keys_only: true });
    const { found } = await readFolders(range, folders, undefined, (kv) =>
      keyAt(this.#options.prefix, kv.key.toString()),
    );
    return found.filter((key) => selects(selection, key));
  }

  async commit(operations: readonly Operation[]): Promise<Commit> {
    this.#assertOpen();
    refuseRepeats(operations);
    const commit = await runCommit(operations, {
      client: this.#client,
      options: this.#options,
      clock: this.#clock,
      before: this.#seen,
    });
    if (commit.ok) this.#see(commit.revision);
    return commit;
  }

  async *watch(
    selections: readonly Selection[],
    from: Revision,
    signal: AbortSignal,
  ): AsyncIterable<WatchBatch> {
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    const watched: Watched = {
      prefix: this.#options.prefix,
      range: coverOf(selections.flatMap((selection) => foldersOf(this.#options.prefix, selection))),
      selections,
      position: await this.#reachable(from),
      heard: (revision) => this.#see(revision),
      confirm: () => this.#reachable(String(watched.position)),
    };
    let pause = FIRST_PAUSE;
    while (!stop.aborted) {
      const began = this.#clock.now();
      try {
        for await (const batch of watchOnce(this.#client, watched, stop)) {
          yield batch;
        }
      } catch (error) {
        if (stop.aborted) return;
        if (!(error instanceof WatchBroken)) throw error;
        // A token that has run out and a missing right are the same words here, but not for a read.
        if (isRefusal(error)) await this.#range({ ...watched.range, limit: 1, keys_only: true });
      }
      if (stop.aborted) return;
      if (this.#clock.now() - began > LONGEST_PAUSE) pause = FIRST_PAUSE;
      await this.#rest(stop, pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
      if (!stop.aborted) await watched.confirm();
    }
  }

  async revision(): Promise<Revision> {
    const { header } = await this.#range({ key: this.#nothing });
    return header.revision;
  }

  async compact(through: Revision): Promise<void> {
    this.#assertOpen();
    try {
      const asked = 'the history of all keys';
      await persist({ clock: this.#clock, options: this.#options, asked }, () =>
        this.#client.kv.compact({ revision: through }),
      );
    } catch (error) {
      if (isCompacted(error)) return;
      if (/future revision/.test(String(error)))
        throw new RangeError(`revision ${through} is not written yet`);
      throw error;
    }
  }

  async strays(): Promise<readonly Stray[]> {
    const { prefix } = this.#options;
    const keysOnly = (request: IRangeRequest): Promise<IRangeResponse> =>
      this.#range({ ...request, keys_only: true });
    const { found } = await readFolders(keysOnly, [`${prefix}/`], undefined, (kv): Stray | undefined => {
      const where = kv.key.toString();
      if (keyAt(prefix, where) !== undefined) return undefined;
      const family = familyOf(where.slice(prefix.length + 1));
      return family === undefined ? { where } : { where, belongsTo: family.what };
    });
    return found;
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#client.close();
  }

  /**
   * That everything after `text` can still be had, as a number.
   * @throws CompactedError when it has been compacted, or comes from another history (a cluster restored from a backup)
   */
  async #reachable(text: Revision): Promise<bigint> {
    if (!NUMBER.test(text)) throw new TypeError(`${text} is not a revision of this store`);
    const asked = BigInt(text);
    const newest = BigInt(await this.revision());
    if (asked > newest || !(await this.#canRead(asked))) {
      throw new CompactedError(text, String(await this.#oldest(newest)));
    }
    return asked;
  }

  async #canRead(revision: bigint): Promise<boolean> {
    try {
      // etcd takes 0 for "now"; before the first write there is nothing to miss.
      const asked = revision > 0n ? revision : 1n;
      await this.#range({ key: this.#nothing, count_only: true, revision: String(asked) });
      return true;
    } catch (error) {
      if (isCompacted(error)) return false;
      throw error;
    }
  }

  /** etcd does not say how far it has been compacted; what can be read tells. */
  async #oldest(newest: bigint): Promise<bigint> {
    let [gone, kept] = [0n, newest];
    while (kept - gone > 1n) {
      const middle = (gone + kept) / 2n;
      if (await this.#canRead(middle)) kept = middle;
      else gone = middle;
    }
    return kept;
  }

  async #readFolders<T>(
    folders: readonly string[],
    at: string | undefined,
    read: (kv: IKeyValue) => T | undefined,
  ) {
    try {
      return await readFolders((request) => this.#range(request), folders, at, read);
    } catch (error) {
      // Between a first page and the next, or since the caller asked.
      if (isCompacted(error))
        throw new CompactedError(at ?? '0', String(await this.#oldest(BigInt(await this.revision()))));
      throw error;
    }
  }

  async #range(request: IRangeRequest): Promise<IRangeResponse> {
    this.#assertOpen();
    const asked = request.key?.toString() ?? '';
    const answer = await persist({ clock: this.#clock, options: this.#options, asked }, () =>
      this.#client.kv.range(request),
    );
    this.#see(answer.header.revision);
    return answer;
  }

  /** Not all at the same moment: after a restart of etcd every node comes back. */
  async #rest(stop: AbortSignal, pause: Millis): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const delay = pause * (0.5 + Math.random() / 2);
    const cancel = this.#clock.after(delay, 'watch etcd again', resolve);
    const end = (): void => resolve();
    stop.addEventListener('abort', end);
    await promise;
    stop.removeEventListener('abort', end);
    cancel();
  }

  #see(revision: Revision): void {
    if (BigInt(revision) > BigInt(this.#seen)) this.#seen = revision;
  }

  #assertOpen(): void {
    if (!this.#closing.signal.aborted) return;
    throw new PoplinError([
      {
        code: 'STORE_UNAVAILABLE',
        what: `the connection to etcd at ${this.#options.endpoints.join(', ')} has been closed`,
        remedy: 'open it again',
      },
    ]);
  }
}

function byKey(a: Entry, b: Entry): number {
  return compareText(a.key.scope, b.key.scope) || compareText(a.key.name, b.key.name);
}

const SURROGATE = /[\ud800-\udfff]/;

/** By code point, as UTF-8 sorts. Code units sort alike but for pairs of surrogates. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : 1;
}
