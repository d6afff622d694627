/**
 * Watches of several kinds as one.
 *
 * What is promised about order. Of one kind (of one resource of the API server, to be exact) all changes come in the order
 * in which they were written, each once. Between kinds no order is promised: each has a stream of its own, and a newer
 * change of one may be told before an older one of another. Nothing is lost by that, because the revision of a batch says
 * of each kind how far it has been told (`revisions.ts`): a mirror that goes on from it asks each kind for exactly what it
 * has not heard. A mirror that has heard all of them up to some version equals the store at that version.
 */
import { sameJson } from '../json.ts';
import { type Entry, type Selection, sameKey, selects, type WatchBatch, type WatchEvent } from '../store.ts';
import type { Client } from './client.ts';
import type { KubernetesObject } from './native/native.ts';
import type { Source } from './resources.ts';
import { type Position, positionOf, Progress } from './revisions.ts';
import { type ObjectEvent, watchObjects } from './watch.ts';

/** What the objects of a collection are in our terms, by {@link objectId}. */
export type Known = Map<string, readonly Entry[]>;

export interface Followed {
  readonly source: Source;
  /** The part of the collection in one namespace; undefined: all of it. */
  readonly namespace: string | undefined;
  /** The part of the collection that belongs to one node; undefined: all of it. */
  readonly fieldSelector: string | undefined;
  /** As of the position that is followed from. */
  readonly known: Known;
}

/** Batches that wait for a slow reader; beyond that the streams wait too. */
const MOST_WAITING = 1000;

/** @throws what {@link watchObjects} throws */
export async function* follow(
  client: Client,
  followed: readonly Followed[],
  selections: readonly Selection[],
  from: Position,
  signal: AbortSignal,
): AsyncGenerator<WatchBatch> {
  const progress = new Progress(
    from,
    followed.map(({ source }) => source.stream),
  );
  const waiting: { readonly followed: Followed; readonly event: ObjectEvent }[] = [];
  const stop = new AbortController();
  const ended = AbortSignal.any([signal, stop.signal]);
  let failure: { readonly error: unknown } | undefined;
  let tell = Promise.withResolvers<void>();
  let drained = Promise.withResolvers<void>();

  const pump = async (one: Followed): Promise<void> => {
    const { source, namespace, fieldSelector } = one;
    const start = positionOf(source.stream, from);
    const options = { namespace, labelSelector: source.labelSelector, fieldSelector };
    try {
      for await (const event of watchObjects(client, source.resource, options, start, ended)) {
        waiting.push({ followed: one, event });
        tell.resolve();
        while (waiting.length > MOST_WAITING && !ended.aborted) await drained.promise;
      }
    } catch (error) {
      failure ??= { error };
      tell.resolve();
    }
  };
  const wake = (): void => {
    tell.resolve();
    drained.resolve();
  };
  ended.addEventListener('abort', wake);
  const pumps = followed.map(pump);
  try {
    while (!signal.aborted) {
      const next = waiting.shift();
      if (next !== undefined) {
        const { source, known } = next.followed;
        progress.advance(source.stream, next.event.version);
        const events = eventsOf(next.event, source, known).filter((event) =>
          selections.some((selection) => selects(selection, keyOf(event))),
        );
        if (events.length > 0) yield { revision: progress.revision, events };
      } else if (failure !== undefined) throw failure.error;
      else {
        drained.resolve();
        drained = Promise.withResolvers();
        tell = Promise.withResolvers();
        await tell.promise;
      }
    }
  } finally {
    stop.abort();
    ended.removeEventListener('abort', wake);
    wake();
    await Promise.all(pumps);
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

function keyOf(event: WatchEvent) {
  return event.type === 'put' ? event.entry.key : event.previous.key;
}
