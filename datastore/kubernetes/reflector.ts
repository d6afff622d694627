/**
 * One watch of one collection for all in this process who follow it: each has its own pace and its own place to begin, and
 * the API server tells each change once.
 *
 * Whoever comes later joins where the log still reaches back to what it has seen; else it gets a watch of its own. The
 * watch waits where all are slow; one that is far behind others hears that history is gone, and may list again.
 */
import { sameJson } from '../json.ts';
import { type Entry, sameKey, type WatchEvent } from '../store.ts';
import type { Client } from './client.ts';
import { VersionGone } from './list.ts';
import type { KubernetesObject } from './native/native.ts';
import type { Source } from './resources.ts';
import { compareVersions } from './revisions.ts';
import { type ObjectEvent, watchObjects } from './watch.ts';

/** What the objects of a collection are in our terms, by {@link objectId}. */
export type Known = Map<string, readonly Entry[]>;

/** A collection, or what is wanted of it. */
export interface Part {
  readonly source: Source;
  /** The part of the collection in one namespace; undefined: all of it. */
  readonly namespace: string | undefined;
  /** The part of the collection that belongs to one node; undefined: all of it. */
  readonly fieldSelector: string | undefined;
}

/** What one line of a watch means to us; nothing, for one that only tells how far history has come. */
export interface Told {
  readonly version: string;
  readonly events: readonly WatchEvent[];
}

/** Lines that the quickest reader may be behind; beyond that the watch waits. */
const MOST_WAITING = 1000;
/** Lines that a reader may be behind while others are not. */
const MOST_BEHIND = 10_000;
/** Lines that are kept for whoever comes later: two mirrors of a daemon list within seconds of each other. */
const KEPT = 1000;

interface Reader {
  /** Number of the line that it reads next. */
  next: number;
  isLost: boolean;
  wake: () => void;
}

export class Reflectors {
  readonly #client: Client;
  readonly #running = new Map<string, Set<Reflector>>();

  constructor(client: Client) {
    this.#client = client;
  }

  /** What is known of an object of the part, as of this version of it, where somebody follows the part. */
  knownOf(part: Part, id: string, version: string | undefined): readonly Entry[] | undefined {
    for (const { known } of this.#running.get(partId(part)) ?? []) {
      const entries = known.get(id);
      if (entries?.[0]?.revision === version) return entries;
    }
    return undefined;
  }

  /**
   * For whoever then reads it once, or lets go of it.
   *
   * @returns undefined when nobody follows the part from where `position` can be reached
   */
  find(part: Part, position: string): Reflector | undefined {
    const found = [...(this.#running.get(partId(part)) ?? [])].find((one) => one.reaches(position));
    found?.claim();
    return found;
  }

  /** As {@link find}. @param known  what the part held at the position; from now on the reflector's */
  begin(part: Part, known: Known, position: string): Reflector {
    const id = partId(part);
    const ofPart = this.#running.get(id) ?? new Set();
    this.#running.set(id, ofPart);
    const reflector = new Reflector(this.#client, part, known, position, () => {
      ofPart.delete(reflector);
      if (ofPart.size === 0 && this.#running.get(id) === ofPart) this.#running.delete(id);
    });
    ofPart.add(reflector);
    reflector.claim();
    return reflector;
  }
}

export class Reflector {
  readonly known: Known;
  readonly #client: Client;
  readonly #part: Part;
  readonly #onEnd: () => void;
  readonly #stop = new AbortController();
  readonly #readers = new Set<Reader>();
  /** Who will read it in a moment. */
  #claims = 0;
  readonly #log: Told[] = [];
  /** Lines that are in the log no more. */
  #dropped = 0;
  /** All lines after this version are in the log, or are yet to come. */
  #reach: string;
  #newest: string;
  #failure: { readonly error: unknown } | undefined;
  #isRunning = false;
  #drained = Promise.withResolvers<void>();

  constructor(client: Client, part: Part, known: Known, position: string, onEnd: () => void) {
    this.#client = client;
    this.#part = part;
    this.known = known;
    this.#reach = position;
    this.#newest = position;
    this.#onEnd = onEnd;
  }

  reaches(position: string): boolean {
    return this.#failure === undefined && compareVersions(position, this.#reach) >= 0;
  }

  claim(): void {
    this.#claims++;
  }

  letGo(): void {
    this.#claims--;
    if (this.#claims === 0 && this.#readers.size === 0) this.#end();
  }

  /**
   * All lines after the position, until `signal` aborts.
   * @throws what {@link watchObjects} throws, after all that came before it; VersionGone for one that is too slow
   */
  async *read(position: string, signal: AbortSignal): AsyncGenerator<Told> {
    const at = this.#log.findIndex(({ version }) => compareVersions(version, position) > 0);
    const next = this.#dropped + (at < 0 ? this.#log.length : at);
    const reader: Reader = { next, isLost: false, wake: () => {} };
    this.#readers.add(reader);
    this.#claims--;
    const wake = (): void => reader.wake();
    signal.addEventListener('abort', wake);
    this.#run();
    try {
      while (!signal.aborted) {
        if (reader.isLost) throw new VersionGone();
        const line = this.#log[reader.next - this.#dropped];
        if (line !== undefined) {
          reader.next++;
          // Where it joined a watch that was not there yet.
          if (compareVersions(line.version, position) > 0) yield line;
          this.#trim();
        } else if (this.#failure !== undefined) throw this.#failure.error;
        else await new Promise<void>((resolve) => (reader.wake = resolve));
      }
    } finally {
      signal.removeEventListener('abort', wake);
      this.#readers.delete(reader);
      this.#trim();
      if (this.#readers.size === 0 && this.#claims === 0) this.#end();
    }
  }

  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#pump().catch((error: unknown) => {
      this.#failure = { error };
      this.#onEnd();
      for (const { wake } of this.#readers) wake();
    });
  }

  async #pump(): Promise<void> {
    const { source, namespace, fieldSelector } = this.#part;
    const options = { namespace, labelSelector: source.labelSelector, fieldSelector };
    const { signal } = this.#stop;
    for await (const event of watchObjects(this.#client, source.resource, options, this.#newest, signal)) {
      this.#newest = event.version;
      this.#log.push({ version: event.version, events: eventsOf(event, source, this.known) });
      for (const { wake } of this.#readers) wake();
      this.#leaveBehind();
      this.#trim();
      while (this.#ofQuickest > MOST_WAITING && !signal.aborted) {
        this.#drained = Promise.withResolvers();
        await this.#drained.promise;
      }
    }
  }

  get #total(): number {
    return this.#dropped + this.#log.length;
  }

  /** Lines that it has not read yet; none where nobody reads. */
  get #ofQuickest(): number {
    return this.#readers.size === 0 ? 0 : Math.min(...this.#lags);
  }

  get #ofSlowest(): number {
    return Math.max(0, ...this.#lags);
  }

  get #lags(): number[] {
    return [...this.#readers].map(({ next }) => this.#total - next);
  }

  #leaveBehind(): void {
    if (this.#ofSlowest <= MOST_BEHIND) return;
    for (const reader of this.#readers) {
      if (this.#total - reader.next <= MOST_BEHIND) continue;
      reader.isLost = true;
      reader.wake();
      this.#readers.delete(reader);
    }
  }

  #trim(): void {
    const spare = this.#log.length - Math.max(KEPT, this.#ofSlowest);
    // Now and then, as it moves all that stays.
    if (spare >= KEPT) {
      const [last] = this.#log.splice(0, spare).slice(-1);
      this.#dropped += spare;
      if (last !== undefined) this.#reach = last.version;
    }
    if (this.#ofQuickest <= MOST_WAITING) this.#drained.resolve();
  }

  /** Nobody reads it any more. */
  #end(): void {
    this.#onEnd();
    this.#failure ??= { error: new Error('the watch has ended') };
    this.#stop.abort();
    this.#drained.resolve();
  }
}

/** What a change of an object is in our terms; `known` is brought up to date. */
function eventsOf(event: ObjectEvent, source: Source, known: Known): WatchEvent[] {
  if (event.type === 'bookmark') return [];
  const id = objectId(event.object);
  const before = known.get(id) ?? [];
  const after = event.type === 'deleted' ? [] : entriesOf(event.object, source);
  if (after.length === 0) known.delete(id);
  else known.set(id, after);
  const puts = after.flatMap((entry): WatchEvent[] => {
    const previous = before.find(({ key }) => sameKey(key, entry.key));
    if (previous?.revision === entry.revision) return [];
    // Kubernetes changes its objects all the time without changing what they are to us: heartbeats, conditions.
    const isSame =
      source.write?.type !== 'custom' && previous !== undefined && sameJson(previous.value, entry.value);
    return isSame ? [] : [{ type: 'put', entry, previous }];
  });
  const gone = before.filter(({ key }) => !after.some((entry) => sameKey(key, entry.key)));
  return [
    ...gone.map((previous): WatchEvent => ({ type: 'delete', previous, revision: event.version })),
    ...puts,
  ];
}

export function entriesOf(object: KubernetesObject, source: Source): Entry[] {
  const revision = object.metadata.resourceVersion ?? '';
  return source.decode(object).map(({ key, value }) => ({ key, value, revision }));
}

/** Two objects with the same key would be a fault in a conversion, and are told apart here all the same. */
export function objectId({ metadata }: KubernetesObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

export function partId({ source, namespace = '', fieldSelector = '' }: Part): string {
  return [source.stream, namespace, fieldSelector].join('\n');
}
