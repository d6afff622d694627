/**
 * A live copy of part of the store, for daemons: list, then watch from the list's revision.
 *
 * The first thing anyone hears is one `onChange` with the whole world in it, then `onSync`; before that the
 * mirror is empty. When the store forgot the history in between (a slow or long disconnected follower) the
 * mirror lists again and reports only what differs. While the store is out of reach it keeps what it last
 * knew and tries again.
 *
 * While a migration holds the datastore (`datastoreReady` of ClusterInformation is false), what is there may be half of a
 * world. A mirror that is asked to wait then keeps what it last knew, and catches up with one list after the unlock.
 *
 * What makes one mirror list again makes those of all nodes do so at the same moment. They scatter over a time that grows
 * with the world, since so does what each list costs the store, and with the number of nodes that list it.
 */
import type { Cancel, Clock, Millis } from '../clock/clock.ts';
import { SystemClock } from '../clock/system.ts';
import { sameJson } from './json.ts';
import { CLUSTER_INFORMATION, isIncomplete, isLockedBy } from './ready.ts';
import {
  CompactedError,
  type Entry,
  type Key,
  type Revision,
  type Selection,
  type Store,
  selects,
  type WatchBatch,
  type WatchEvent,
} from './store.ts';

/** `value` undefined: the object is gone. `previous` undefined: it is new. */
export interface MirrorChange {
  readonly key: Key;
  readonly value: unknown;
  readonly previous: unknown;
  /** Of the commit that brought this; of the list, when a deletion was found by listing again. */
  readonly revision: Revision;
}

export interface MirrorOptions {
  readonly clock?: Clock;
  /** Told of each failed attempt to reach the store; the mirror tries again by itself. */
  readonly onError?: (error: unknown, retryInMs: Millis) => void;
  /**
   * Take in nothing while a migration holds the datastore; told with true when that begins, with false when it ends. A
   * mirror that starts meanwhile is empty until the end.
   */
  readonly onHold?: (held: boolean) => void;
  /**
   * Where it starts under such a lock: take in once what is there, if it is all there. For who would otherwise have
   * nothing to go by until the end, and whose work goes on meanwhile.
   */
  readonly startsHeld?: boolean;
  /** From 0 to 1, uniformly. */
  readonly random?: () => number;
}

const LOCK: Selection = { kind: CLUSTER_INFORMATION.kind, scope: CLUSTER_INFORMATION.scope };

const FIRST_RETRY: Millis = 100;
const LONGEST_RETRY: Millis = 5_000;
/**
 * Of scattering, for each object that the mirror holds: ten seconds with a hundred thousand. As many nodes more as this make
 * it as long again. With 5,000 nodes and 150,000 pods it would be five minutes: to serve that list costs an API server
 * seconds of a processor, each time.
 */
const SCATTER: Millis = 0.1;
const NODES_AT_ONCE = 250;
const LONGEST_SCATTER: Millis = 300_000;
/** Not worth a wait: a world of some hundred objects. */
const NO_SCATTER: Millis = 50;
/** Objects of a list taken in before others get their turn: about two milliseconds. */
const SLICE = 2000;

export class Mirror {
  readonly #store: Store;
  readonly #selections: readonly Selection[];
  /** What is asked of the store: the selections, and the lock where it is heeded. */
  readonly #followed: readonly Selection[];
  readonly #onHold: ((held: boolean) => void) | undefined;
  readonly #clock: Clock;
  readonly #onError: (error: unknown, retryInMs: Millis) => void;
  readonly #startsHeld: boolean;
  readonly #random: () => number;
  #entries: World = new Map();
  readonly #syncListeners = new Set<() => void>();
  readonly #changeListeners = new Set<(changes: readonly MirrorChange[]) => void>();
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #synced = false;
  #revision: Revision | undefined;
  #retry = FIRST_RETRY;
  #held = false;
  /** Where to follow from: ahead of what the mirror equals while it is held. */
  #from: Revision = '0';

  constructor(store: Store, selections: readonly Selection[], options: MirrorOptions = {}) {
    this.#store = store;
    this.#selections = selections;
    this.#clock = options.clock ?? new SystemClock();
    this.#onError = options.onError ?? (() => {});
    this.#onHold = options.onHold;
    this.#startsHeld = options.startsHeld ?? false;
    this.#random = options.random ?? Math.random;
    this.#followed = options.onHold === undefined ? selections : [...selections, LOCK];
  }

  /** Begins to follow, once. Register listeners before, or read {@link entries} when {@link onSync} calls. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** True once every selection has been listed in full; true for good. */
  get synced(): boolean {
    return this.#synced;
  }

  /** A migration holds the datastore, and the mirror waits. */
  get held(): boolean {
    return this.#held;
  }

  /** The store's revision that the mirror equals; undefined before the first list. */
  get revision(): Revision | undefined {
    return this.#revision;
  }

  /** Calls back once, when the world is first known in full; at once if it already is. */
  onSync(listener: () => void): Cancel {
    if (this.#synced) {
      listener();
      return () => {};
    }
    this.#syncListeners.add(listener);
    return () => void this.#syncListeners.delete(listener);
  }

  /**
   * Calls back with all changes of one commit, or of one list, after the mirror has taken them in. Never with an
   * empty array. A listener that throws takes the process down: the mirror cannot know what it left undone.
   */
  onChange(listener: (changes: readonly MirrorChange[]) => void): Cancel {
    this.#changeListeners.add(listener);
    return () => void this.#changeListeners.delete(listener);
  }

  get(key: Key): Entry | undefined {
    return this.#entries.get(key.kind)?.get(identify(key));
  }

  /** All that is known, or of one kind or scope; in no particular order. */
  entries(selection?: Selection): Entry[] {
    if (selection === undefined) return [...this.#entries.values()].flatMap((kind) => [...kind.values()]);
    const kind = this.#entries.get(selection.kind);
    return kind === undefined ? [] : [...kind.values()].filter(({ key }) => selects(selection, key));
  }

  /** No listener is called any more once this resolves. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    let listFirst = true;
    while (!this.#stop.signal.aborted) {
      const end: End = await (listFirst ? this.#list() : this.#follow());
      if (end === 'stopped') return;
      if (typeof end === 'string') {
        listFirst = end === 'list next';
        if (listFirst && !this.#held) await this.#scatter();
        continue;
      }
      if (end.error instanceof CompactedError) {
        listFirst = true;
        await this.#scatter();
      } else if (!this.#stop.signal.aborted) await this.#pause(end.error);
    }
  }

  /** Lists all selections as of one revision, takes in what differs, tells it. */
  async #list(): Promise<End> {
    let revision: Revision | undefined;
    const found: Entry[] = [];
    try {
      for (const selection of this.#followed) {
        const listed = await this.#store.list(selection, revision);
        revision = listed.revision;
        for (const entry of listed.entries) found.push(entry);
      }
      revision ??= await this.#store.revision();
    } catch (error) {
      return { error };
    }
    if (this.#stop.signal.aborted) return 'stopped';
    this.#retry = FIRST_RETRY;
    this.#from = revision;
    const lock = found.find(({ key }) => isLock(key))?.value;
    if (this.#isHeldBy(lock) && !this.#isFirst(lock)) return 'follow next';
    const { world, changes } = await this.#compare(found, revision);
    if (this.#stop.signal.aborted) return 'stopped';
    this.#entries = world;
    this.#revision = revision;
    this.#tell(changes);
    if (this.#synced) return 'follow next';
    this.#synced = true;
    for (const listener of this.#syncListeners) listener();
    this.#syncListeners.clear();
    return 'follow next';
  }

  async #follow(): Promise<End> {
    const { signal } = this.#stop;
    const watch = this.#store.watch(this.#held ? [LOCK] : this.#followed, this.#from, signal);
    const batches = watch[Symbol.asyncIterator]();
    for (;;) {
      let next: Awaited<ReturnType<typeof batches.next>>;
      try {
        next = await batches.next();
      } catch (error) {
        return { error };
      }
      if (signal.aborted) return 'stopped';
      // The store closed under us.
      if (next.done === true) return { error: new Error('the watch ended') };
      this.#retry = FIRST_RETRY;
      if (!this.#take(next.value)) {
        await batches.return?.();
        return 'list next';
      }
    }
  }

  /** @returns false when what came is taken in by a new list instead */
  #take({ revision, events }: WatchBatch): boolean {
    const wasHeld = this.#held;
    const lock = events.findLast((event) => isLock(keyOf(event)));
    const isHeld =
      lock === undefined ? wasHeld : this.#isHeldBy(lock.type === 'put' ? lock.entry.value : undefined);
    // What came with the lock waits like all that follows; after it, one list tells all that has changed.
    if (isHeld !== wasHeld) return false;
    this.#from = revision;
    // An import is complete by now.
    if (isHeld) return lock?.type !== 'put' || !this.#isFirst(lock.entry.value);
    this.#revision = revision;
    const wanted = events.filter((event) => this.#isSelected(keyOf(event)));
    this.#tell(wanted.map((event) => this.#apply(event)));
    return true;
  }

  /** Notes, and tells, whether a migration holds the datastore. */
  #isHeldBy(clusterInformation: unknown): boolean {
    if (this.#onHold === undefined) return false;
    const held = isLockedBy(clusterInformation);
    if (held !== this.#held) {
      this.#held = held;
      this.#onHold(held);
    }
    return held;
  }

  /** Nothing is known yet, and what the lock holds still is whole. */
  #isFirst(clusterInformation: unknown): boolean {
    return this.#startsHeld && !this.#synced && !isIncomplete(clusterInformation);
  }

  #isSelected(key: Key): boolean {
    return (
      this.#followed === this.#selections || this.#selections.some((selection) => selects(selection, key))
    );
  }

  /** What is found, as a world of its own, beside the one that readers see until it is complete; and what differs. */
  async #compare(
    found: readonly Entry[],
    revision: Revision,
  ): Promise<{ readonly world: World; readonly changes: readonly MirrorChange[] }> {
    const changes: MirrorChange[] = [];
    const world: World = new Map();
    let turn = 0;
    const nextTurn = async (): Promise<void> => {
      if (++turn % SLICE === 0) await new Promise((resolve) => setImmediate(resolve));
    };
    for (const entry of found) {
      await nextTurn();
      // What is selected twice, or only followed for the lock.
      if (!this.#isSelected(entry.key) || holds(world, entry.key)) continue;
      const previous = this.get(entry.key);
      const kept = previous !== undefined && previous.revision === entry.revision ? previous : entry;
      putInto(world, kept);
      // Written anew with the same content: the revision moves, the world does not.
      if (kept === previous || (previous !== undefined && sameJson(previous.value, entry.value))) continue;
      const { key, value } = entry;
      changes.push({ key, value, previous: previous?.value, revision: entry.revision });
    }
    for (const entry of this.entries()) {
      await nextTurn();
      const { key } = entry;
      if (holds(world, key)) continue;
      changes.push({ key, value: undefined, previous: entry.value, revision });
    }
    return { world, changes };
  }

  #apply(event: WatchEvent): MirrorChange {
    if (event.type === 'put') {
      const { key, value, revision } = event.entry;
      const previous = this.get(key)?.value;
      putInto(this.#entries, event.entry);
      return { key, value, previous, revision };
    }
    const { key } = event.previous;
    const previous = this.get(key)?.value;
    this.#entries.get(key.kind)?.delete(identify(key));
    return { key, value: undefined, previous, revision: event.revision };
  }

  #tell(changes: readonly MirrorChange[]): void {
    if (changes.length === 0) return;
    for (const listener of this.#changeListeners) listener(changes);
  }

  async #pause(cause: unknown): Promise<void> {
    const delay = this.#retry * (0.5 + this.#random() / 2);
    this.#retry = Math.min(this.#retry * 2, LONGEST_RETRY);
    this.#onError(cause, Math.round(delay));
    await this.#wait(delay, 'reach the datastore again');
  }

  /** Before a list that all mirrors of all nodes make. */
  async #scatter(): Promise<void> {
    let size = 0;
    for (const ofKind of this.#entries.values()) size += ofKind.size;
    const nodes = this.#entries.get('Node')?.size ?? 0;
    const time = Math.min(LONGEST_SCATTER, size * SCATTER * (1 + nodes / NODES_AT_ONCE));
    if (time >= NO_SCATTER) await this.#wait(time * this.#random(), 'list again');
  }

  async #wait(delay: Millis, what: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#clock.after(delay, what, resolve);
    this.#stop.signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
    cancel();
  }
}

/** How one list or one watch ended; else the store failed. */
type End = 'follow next' | 'list next' | 'stopped' | { readonly error: unknown };

/** By kind, then by scope and name. */
type World = Map<string, Map<string, Entry>>;

function putInto(world: World, entry: Entry): void {
  const { kind } = entry.key;
  let ofKind = world.get(kind);
  if (ofKind === undefined) world.set(kind, (ofKind = new Map()));
  ofKind.set(identify(entry.key), entry);
}

function holds(world: World, key: Key): boolean {
  return world.get(key.kind)?.has(identify(key)) === true;
}

function keyOf(event: WatchEvent): Key {
  return event.type === 'put' ? event.entry.key : event.previous.key;
}

function isLock(key: Key): boolean {
  return key.kind === CLUSTER_INFORMATION.kind && key.name === CLUSTER_INFORMATION.name;
}

/** Within a kind; names may contain `/` (CIDRs), scopes and names never a NUL. */
function identify(key: Key): string {
  return `${key.scope}\0${key.name}`;
}
