/**
 * The Kubernetes engine: Calico's custom resources, and what Kubernetes itself knows of nodes, pods and policies, shared
 * with whatever else speaks to that API server. One key a commit; revisions are resource versions (`revisions.ts`), and
 * what order a watch of several kinds keeps is said in `follow.ts`.
 *
 * Lists of several kinds at one revision, as mirrors and migrations ask for them, are of one moment: `Exact` lists of one
 * version, which all resources in one etcd have in common. An API server can keep single resources in another etcd
 * (`--etcd-servers-overrides`); it is meant for Events, which are none of ours, and not supported for what is read here.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock/clock.ts';
import { SystemClock } from '../../clock/system.ts';
import { PoplinError } from '../../api/problem.ts';
import { parseJson } from '../json.ts';
import { MIGRATED_KINDS } from '../migrate/kinds.ts';
import { prepareCommit } from '../prepare.ts';
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
import { Api } from './api.ts';
import { Client, FIRST_PATIENCE, PATIENCE } from './client.ts';
import { runCommit } from './commit.ts';
import { type Credentials, findCredentials } from './credentials.ts';
import { follow, type Followed } from './follow.ts';
import { type Listed, listObjects, VersionGone } from './list.ts';
import type { KubernetesOptions } from './location.ts';
import { look } from './place.ts';
import { entriesOf, type Known, objectId, type Part, partId, Reflectors } from './reflector.ts';
import { collectionPath, type Source, sourceOf, sourcesOf } from './resources.ts';
import { compareVersions, parsePosition, type Position, positionOf } from './revisions.ts';
import { refusal } from './status.ts';
import { namesOf, straysOf } from './survey.ts';

/** Every role may read it, and it has one object. */
const ANYTHING = sourcesOf('ClusterInformation')[0]!;
/** How long a list is kept for the watch that most likely follows it. */
const SEED_MS = 60_000;

interface Seed {
  readonly version: string;
  readonly known: Known;
  readonly at: number;
}

export class KubernetesStore implements Store {
  readonly transactional = false;
  readonly #client: Client;
  readonly #reflectors: Reflectors;
  readonly #clock: Clock;
  readonly #location: string;
  readonly #closing = new AbortController();
  /** What was listed last, by collection: a watch from there knows what was before without asking again. */
  readonly #seeds = new Map<string, Seed>();
  /** The newest version that we have heard of. */
  #seen = '0';

  /** @throws PoplinError STORE_UNAVAILABLE when the API server does not answer in time, or whatever it says against us */
  static async open(
    options: KubernetesOptions,
    clock: Clock = new SystemClock(),
    credentials?: Credentials,
  ): Promise<KubernetesStore> {
    const api = new Api(credentials ?? (await findCredentials(options)), clock);
    const store = new KubernetesStore(new Client(api, clock), options.location, clock);
    try {
      await store.#newest(FIRST_PATIENCE);
    } catch (error) {
      await store.close();
      throw error;
    }
    return store;
  }

  private constructor(client: Client, location: string, clock: Clock) {
    this.#client = client;
    this.#reflectors = new Reflectors(client);
    this.#location = location;
    this.#clock = clock;
  }

  async get(key: Key): Promise<Entry | undefined> {
    this.#assertOpen();
    const found = await look(this.#client, key);
    if (found?.entry !== undefined) this.#see(found.entry.revision);
    return found?.entry;
  }

  async list(
    selection: Selection,
    at?: Revision,
  ): Promise<{ entries: readonly Entry[]; revision: Revision }> {
    this.#assertOpen();
    const position = at === undefined ? undefined : parsePosition(at);
    const entries: Entry[] = [];
    let first: string | undefined;
    try {
      for (const source of sourcesOf(selection.kind)) {
        const version = position === undefined ? first : positionOf(source.stream, position);
        const listed = await this.#listSource(source, selection, version);
        first ??= listed?.version;
        entries.push(...(listed?.entries ?? []));
      }
    } catch (error) {
      throw error instanceof VersionGone ? await this.#compacted(at ?? first ?? '0') : error;
    }
    return { entries: entries.toSorted(byKey), revision: at ?? first ?? (await this.revision()) };
  }

  async names(selection: Selection): Promise<readonly Key[]> {
    this.#assertOpen();
    const names = await namesOf(this.#client, selection);
    return names ?? (await this.list(selection)).entries.map(({ key }) => key);
  }

  async strays(): Promise<readonly Stray[]> {
    this.#assertOpen();
    return straysOf(this.#client, MIGRATED_KINDS);
  }

  isGiven(key: Key): boolean {
    return sourceOf(key).source.write?.type !== 'custom';
  }

  async commit(operations: readonly Operation[]): Promise<Commit> {
    this.#assertOpen();
    const { operations: prepared, texts } = prepareCommit(operations);
    const [operation, ...others] = prepared;
    if (operation === undefined) return { ok: true, revision: await this.revision(), entries: [] };
    if (others.length > 0)
      throw new Error('the Kubernetes API commits one key at a time, and this commit names several');
    const [text] = texts;
    const placed = {
      operation,
      ...sourceOf(operation.key),
      value: text === undefined ? undefined : parseJson(text),
      nonce: randomUUID(),
    };
    const commit = await runCommit(placed, {
      client: this.#client,
      before: this.#seen,
      newest: async () => this.#newest(),
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
    const position = parsePosition(from);
    try {
      await this.#assertHappened(position);
      const followed = await this.#followedAll(partsOf(selections), position);
      for await (const batch of follow(followed, selections, position, stop)) {
        if (stop.aborted) return;
        yield batch;
      }
    } catch (error) {
      if (stop.aborted) return;
      throw error instanceof VersionGone ? await this.#compacted(from) : error;
    }
  }

  async revision(): Promise<Revision> {
    this.#assertOpen();
    return this.#newest();
  }

  /** Nothing: the API server forgets by itself, some minutes after. Part of the contract all the same. */
  async compact(): Promise<void> {
    this.#assertOpen();
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#client.api.close();
  }

  /** Undefined where the cluster does not serve the resource. */
  async #listSource(
    source: Source,
    selection: Selection,
    at: string | undefined,
  ): Promise<{ readonly entries: readonly Entry[]; readonly version: string } | undefined> {
    const part = partOf(source, selection);
    const selectors = selection.scope === undefined ? undefined : source.labelSelectorsOf?.(selection.scope);
    if (selectors !== undefined) return this.#listSelected(part, selection, selectors, at);
    const listed = await this.#listPart(part, at);
    if (listed.version === undefined) return undefined;
    const version = at ?? listed.version;
    this.#see(listed.version);
    const known = knownIn(listed.objects);
    this.#remember(part, { version, known, at: this.#clock.now() });
    return { version, entries: [...known.values()].flat().filter(({ key }) => selects(selection, key)) };
  }

  /** The few objects of one owner, of a collection that has those of all nodes. */
  async #listSelected(
    part: Part,
    selection: Selection,
    selectors: readonly string[],
    at: string | undefined,
  ): Promise<{ readonly entries: readonly Entry[]; readonly version: string } | undefined> {
    const entries: Entry[] = [];
    let version = at;
    for (const labelSelector of selectors) {
      const listed = await this.#listPart(part, version, labelSelector);
      if (listed.version === undefined) return undefined;
      version ??= listed.version;
      this.#see(listed.version);
      entries.push(...listed.objects.flatMap(([, found]) => found));
    }
    return { version: version ?? '0', entries: entries.filter(({ key }) => selects(selection, key)) };
  }

  /** All of them or none. */
  async #followedAll(parts: readonly Part[], position: Position): Promise<Followed[]> {
    const asked = await Promise.allSettled(
      parts.map(async (part) => this.#followedFrom(part, positionOf(part.source.stream, position))),
    );
    const followed = asked.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
    for (const one of asked) {
      if (one.status === 'fulfilled') continue;
      for (const { reflector } of followed) reflector.letGo();
      throw one.reason;
    }
    return followed;
  }

  async #followedFrom(part: Part, version: string): Promise<Followed> {
    const { stream } = part.source;
    const found = this.#reflectors.find(part, version);
    if (found !== undefined) return { stream, reflector: found };
    const known = await this.#knownAt(part, version);
    // Another may have begun meanwhile.
    const reflector = this.#reflectors.find(part, version) ?? this.#reflectors.begin(part, known, version);
    return { stream, reflector };
  }

  /** What a collection held at a version, in our terms. */
  async #knownAt(part: Part, version: string): Promise<Known> {
    const id = partId(part);
    const seed = this.#seeds.get(id);
    this.#seeds.delete(id);
    if (seed?.version === version) return seed.known;
    const { objects } = await this.#listPart(part, version === '0' ? undefined : version);
    return knownIn(objects);
  }

  async #listPart(
    part: Part,
    at: string | undefined,
    labelSelector = part.source.labelSelector,
  ): Promise<Listed<Converted>> {
    const { source, namespace, fieldSelector } = part;
    const { resource } = source;
    const options = { namespace, labelSelector, fieldSelector, at };
    const seed = this.#seeds.get(partId(part))?.known;
    return listObjects(this.#client, resource, options, (object) => {
      const id = objectId(object);
      const version = object.metadata.resourceVersion;
      // Two mirrors of a process hold most of a large collection in common.
      const seeded = seed?.get(id);
      const known = seeded?.[0]?.revision === version ? seeded : this.#reflectors.knownOf(part, id, version);
      return [id, known ?? entriesOf(object, source)];
    });
  }

  #remember(part: Part, seed: Seed): void {
    for (const [id, { at }] of this.#seeds) if (seed.at - at > SEED_MS) this.#seeds.delete(id);
    this.#seeds.set(partId(part), seed);
  }

  async #newest(patience = PATIENCE): Promise<string> {
    const { resource } = ANYTHING;
    const path = collectionPath(resource, undefined);
    const answer = await this.#client.read(path, { limit: '1' }, resource, patience);
    if (answer.status !== 200) throw refusal(answer, { method: 'GET', path }, resource);
    const { metadata } = parseJson(answer.text) as {
      readonly metadata: { readonly resourceVersion: string };
    };
    this.#see(metadata.resourceVersion);
    return metadata.resourceVersion;
  }

  /** A version from the future is from another history: of a cluster that was restored, or of another one. */
  async #assertHappened(position: Position): Promise<void> {
    const newest = [position.base, ...position.ahead.values()].reduce((a, b) =>
      compareVersions(a, b) >= 0 ? a : b,
    );
    if (compareVersions(newest, this.#seen) <= 0) return;
    if (compareVersions(newest, await this.#newest()) > 0) throw new VersionGone();
  }

  /** The API server does not say what it still has; the newest version can be listed for sure. */
  async #compacted(asked: Revision): Promise<CompactedError> {
    return new CompactedError(asked, await this.#newest());
  }

  #see(version: string): void {
    if (compareVersions(version, this.#seen) > 0) this.#seen = version;
  }

  #assertOpen(): void {
    if (!this.#closing.signal.aborted) return;
    throw new PoplinError([
      {
        code: 'STORE_UNAVAILABLE',
        what: `the connection to ${this.#location} has been closed`,
        remedy: 'open it again',
      },
    ]);
  }
}

/** The streams that selections need: one a source, of one namespace and of one node where only these are wanted. */
function partsOf(selections: readonly Selection[]): Part[] {
  const byKind = Map.groupBy(selections, ({ kind }) => kind);
  return [...byKind].flatMap(([kind, ofKind]) => {
    const scope = theOnly(ofKind.map((selection) => selection.scope));
    const node = theOnly(ofKind.map((selection) => selection.node));
    const together = {
      kind,
      ...(scope === undefined ? {} : { scope }),
      ...(node === undefined ? {} : { node }),
    };
    return sourcesOf(kind).map((source) => partOf(source, together));
  });
}

function partOf(source: Source, selection: Selection): Part {
  const { node } = selection;
  return {
    source,
    namespace: namespaceOf(source, selection),
    fieldSelector: node === undefined ? undefined : source.fieldSelectorOf?.(node),
  };
}

function theOnly(values: readonly (string | undefined)[]): string | undefined {
  return new Set(values).size === 1 ? values[0] : undefined;
}

/** Undefined: all namespaces, also for a scope that is none. */
function namespaceOf({ resource }: Source, { scope }: Selection): string | undefined {
  return resource.namespaced && scope !== '' ? scope : undefined;
}

type Converted = readonly [id: string, entries: readonly Entry[]];

function knownIn(objects: readonly Converted[]): Known {
  return new Map(objects.filter(([, { length }]) => length > 0));
}

function byKey(a: Entry, b: Entry): number {
  return compareText(a.key.scope, b.key.scope) || compareText(a.key.name, b.key.name);
}

/** By code point, as UTF-8 sorts. */
function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
