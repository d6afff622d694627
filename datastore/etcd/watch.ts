/**
 * One watch on the store's whole folder, from a revision on. etcd tells all changes of one revision in one message,
 * so a commit stays together; several watches, one per kind, would tear it apart.
 *
 * etcd3 reconnects by itself, but from the revision in the header of its last message, which may be ahead of the
 * events that have arrived. So the place to go on from is kept here and put back whenever the connection is lost.
 */
import type { Etcd3, IEvent, IWatchResponse, Watcher } from 'etcd3';
import { type Entry, type Key, type Selection, selects, type WatchBatch, type WatchEvent } from '../store.ts';
import { keyAt } from './keys.ts';
import { decodeValue } from './values.ts';

/** The watch has ended on etcd's side; the caller finds out whether what comes next can still be had. */
export class WatchBroken extends Error {
  override readonly name = 'WatchBroken';
}

interface Stream {
  readonly watcher: Watcher;
  /** Last revision of which everything has been told. */
  position: bigint;
}

export async function* watchFrom(
  client: Etcd3,
  prefix: string,
  selections: readonly Selection[],
  from: bigint,
  signal: AbortSignal,
  heard: (revision: string) => void,
): AsyncGenerator<WatchBatch> {
  const waiting: WatchBatch[] = [];
  let failure: Error | undefined;
  let tell = Promise.withResolvers<void>();
  const wake = (): void => tell.resolve();

  // A stream of its own: once etcd refused a watch (its token had run out), etcd3 creates no other on that stream.
  const builder = client
    .namespace('')
    .watch()
    .prefix(`${prefix}/`)
    .withPreviousKV()
    .startRevision(String(from + 1n));
  const watcher = builder.watcher();
  // Without news, etcd says every ten minutes how far the store has come: then compaction cannot overtake the watch.
  watcher.request.progress_notify = true;
  const stream: Stream = { watcher, position: from };
  watcher.on('disconnected', () => {
    watcher.request.start_revision = String(stream.position + 1n);
  });
  watcher.on('error', (error) => {
    failure = new WatchBroken(error.message, { cause: error });
    wake();
  });
  watcher.on('data', (response) => {
    heard(response.header.revision);
    try {
      waiting.push(...batchesOf(response, prefix, selections, stream));
    } catch (error) {
      failure = error as Error;
    }
    wake();
  });
  signal.addEventListener('abort', wake);
  try {
    while (!signal.aborted) {
      const batch = waiting.shift();
      if (batch !== undefined) yield batch;
      else if (failure !== undefined) throw failure;
      else {
        tell = Promise.withResolvers<void>();
        await tell.promise;
      }
    }
  } finally {
    signal.removeEventListener('abort', wake);
    // A watcher that never got through cannot be cancelled, only forgotten: the answer is of no interest.
    void watcher.cancel().catch(() => undefined);
  }
}

function batchesOf(
  { header, events }: IWatchResponse,
  prefix: string,
  selections: readonly Selection[],
  stream: Stream,
): WatchBatch[] {
  const batches: WatchBatch[] = [];
  for (const [revision, group] of Map.groupBy(events, ({ kv }) => kv.mod_revision)) {
    // Told before the connection was lost.
    if (BigInt(revision) <= stream.position) continue;
    const told = mergeMoves(group.flatMap((event) => eventOf(event, prefix)));
    const wanted = told.filter((event) => selections.some((selection) => selects(selection, keyOf(event))));
    if (wanted.length > 0) batches.push({ revision, events: wanted });
    stream.position = BigInt(revision);
  }
  // A message without events is a progress notification, and tells that nothing is on its way.
  if (events.length === 0 && BigInt(header.revision) > stream.position)
    stream.position = BigInt(header.revision);
  return batches;
}

function eventOf({ type, kv, prev_kv }: IEvent, prefix: string): WatchEvent[] {
  const key = keyAt(prefix, kv.key.toString());
  if (key === undefined) return [];
  const previous = prev_kv === undefined || prev_kv === null ? undefined : entryOf(key, prev_kv);
  if (type === 'Put') return [{ type: 'put', entry: entryOf(key, kv), previous }];
  // What was deleted is no longer in the history: then a list has to tell what is missing.
  if (previous === undefined)
    throw new WatchBroken(`the value before revision ${kv.mod_revision} has been compacted`);
  return [{ type: 'delete', previous, revision: kv.mod_revision }];
}

function entryOf(path: Key, kv: { readonly value: Buffer; readonly mod_revision: string }): Entry {
  const { key, value } = decodeValue(path, kv.value.toString());
  return { key, value, revision: kv.mod_revision };
}

/** A policy that moves from an older Calico's key to today's is one change of one object. */
function mergeMoves(events: readonly WatchEvent[]): WatchEvent[] {
  const byKey = Map.groupBy(events, (event) => JSON.stringify(keyOf(event)));
  return [...byKey.values()].flatMap((group) => {
    const put = group.find((event) => event.type === 'put');
    const gone = group.find((event) => event.type === 'delete');
    if (put === undefined || gone === undefined) return group;
    return [{ type: 'put', entry: put.entry, previous: put.previous ?? gone.previous }];
  });
}

function keyOf(event: WatchEvent): Key {
  return event.type === 'put' ? event.entry.key : event.previous.key;
}
