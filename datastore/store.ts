/**
 * The one Store. Three engines answer to it: embedded (SQLite on this machine), etcd, the Kubernetes API.
 *
 * It holds JSON objects under structured keys. Every successful commit gets a new revision; an object
 * remembers the revision that last wrote it. All that a caller needs for safe concurrency is
 * compare-and-swap on that revision; all that a daemon needs to follow the world is list, then watch
 * from the list's revision.
 */
import type { Problem } from '../api/problem.ts';

/**
 * Opaque position in the store's history. Compare for equality only; hand it back as it came.
 * (Decimal counters in the embedded engine and in etcd; free text in Kubernetes.)
 */
export type Revision = string;

/**
 * Name of one object. `scope` is the namespace of a namespaced kind, the owner (`host:<node>`) of a
 * `BlockAffinity`, and `''` otherwise. Each engine maps this to its own layout.
 *
 * IPAM kinds: `IPAMBlock` (name = CIDR), `BlockAffinity` (scope = owner, name = CIDR),
 * `IPAMHandle` (name = handle id), `IPAMConfig` (name = `default`).
 */
export interface Key {
  readonly kind: string;
  readonly scope: string;
  readonly name: string;
}

/** Which objects: all of a kind, or those of one scope. */
export interface Selection {
  readonly kind: string;
  readonly scope?: string;
  /**
   * Only WorkloadEndpoints of this node, or its Node, are wanted. An engine that can leaves out the others where they are (of 150,000
   * pods, the thirty on this machine); one that cannot tells all, so whoever asks looks all the same.
   */
  readonly node?: string;
}

export interface Entry<V = unknown> {
  readonly key: Key;
  /** JSON value. Integers beyond 2^53 are bigint in both directions (see `datastore/json.ts`). */
  readonly value: V;
  readonly revision: Revision;
}

/** What must hold of a key for the commit to happen: this exact revision, presence, absence, or nothing. */
export type Expectation = { readonly revision: Revision } | 'present' | 'absent' | 'any';

export type Operation =
  | { readonly type: 'put'; readonly key: Key; readonly value: unknown; readonly expect: Expectation }
  | { readonly type: 'delete'; readonly key: Key; readonly expect: Expectation }
  | { readonly type: 'check'; readonly key: Key; readonly expect: Expectation };

export type Commit =
  | {
      readonly ok: true;
      readonly revision: Revision /** one per put, in order */;
      readonly entries: readonly Entry[];
    }
  | {
      readonly ok: false;
      /** The first operation whose expectation failed; nothing was written. */
      readonly failed: Operation;
      /** What the key holds instead, if anything. */
      readonly current: Entry | undefined;
    };

export type WatchEvent =
  | { readonly type: 'put'; readonly entry: Entry; readonly previous: Entry | undefined }
  | { readonly type: 'delete'; readonly previous: Entry; readonly revision: Revision };

/** All events of one commit, together. A batch is never split and never repeated. */
export interface WatchBatch {
  readonly revision: Revision;
  readonly events: readonly WatchEvent[];
}

/** Thrown out of a watch or a list at an old revision: history before `oldest` is gone; list again. */
export class CompactedError extends Error {
  override readonly name = 'CompactedError';
  readonly asked: Revision;
  readonly oldest: Revision;

  constructor(asked: Revision, oldest: Revision) {
    super(`revision ${asked} has been compacted; the oldest that can be read is ${oldest}`);
    this.asked = asked;
    this.oldest = oldest;
  }
}

export interface Store {
  /** False where the engine cannot commit several keys atomically (Kubernetes): `commit` takes one operation there. */
  readonly transactional: boolean;

  get(key: Key): Promise<Entry | undefined>;

  /**
   * Entries in key order (kind, scope, name by code point) and the revision at which all of it was true.
   * @throws CompactedError when `at` is older than the kept history
   */
  list(
    selection: Selection,
    at?: Revision,
  ): Promise<{ readonly entries: readonly Entry[]; readonly revision: Revision }>;

  /**
   * The keys of a selection alone, in any order, where the engine can read them without the values; absent where it
   * cannot. Of IPAM's kinds only: the name of a policy may be said by its value.
   */
  names?(selection: Selection): Promise<readonly Key[]>;

  /**
   * Whether what the key holds is made and removed elsewhere (a Kubernetes object), so that no move of a datastore can put it
   * there or has it in its way. Absent: nothing is.
   */
  isGiven?(key: Key): boolean;

  /**
   * All or nothing. Resolves only when the write is durable. Same-key operations may not repeat in one commit.
   *
   * A put of what is there already succeeds and may leave the object's revision as it was (the Kubernetes API writes
   * nothing then, for objects that do not name their write), and no watch tells of it. So a revision that moved says that
   * somebody wrote; one that stayed does not say that nobody did. Who must be seen to have written (a lease) writes
   * something that differs.
   */
  commit(operations: readonly Operation[]): Promise<Commit>;

  /**
   * Batches with a revision after `from`, in order, each exactly once, until `signal` aborts (the iterator
   * then ends without error). Only events of the selected kinds appear; commits without any are skipped.
   * @throws CompactedError from the iterator when history after `from` is gone
   */
  watch(selections: readonly Selection[], from: Revision, signal: AbortSignal): AsyncIterable<WatchBatch>;

  /** The newest revision. */
  revision(): Promise<Revision>;

  /** Forgets history up to and including `through`; current values stay. */
  compact(through: Revision): Promise<void>;

  /**
   * What the engine holds where objects are and what is none that this release knows, for `datastore check`; undefined
   * where an engine cannot hold such a thing.
   */
  strays?(): Promise<readonly Stray[]>;

  close(): Promise<void>;
}

export interface Stray {
  /** Where it is, as the engine's own tools name it. */
  readonly where: string;
  /** What it is instead, when it belongs to somebody and is rightly there. */
  readonly belongsTo?: string;
}

/** Told to users when an engine cannot be reached or opened. */
export type StoreProblem = Problem & { readonly code: 'STORE_UNAVAILABLE' | 'STORE_CORRUPT' };

export function keyText(key: Key): string {
  return key.scope === '' ? `${key.kind}/${key.name}` : `${key.kind}/${key.scope}/${key.name}`;
}

export function sameKey(a: Key, b: Key): boolean {
  return a.kind === b.kind && a.scope === b.scope && a.name === b.name;
}

export function selects(selection: Selection, key: Key): boolean {
  return selection.kind === key.kind && (selection.scope === undefined || selection.scope === key.scope);
}
