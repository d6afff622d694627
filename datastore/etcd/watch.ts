/**
 * One watch, from a revision on, on a gRPC stream of its own; all streams share one connection.
 *
 * It asks for the smallest stretch of keys that holds all that is selected, in one piece: etcd tells all changes of one
 * revision to a watch in one message, so a commit stays together. Several watches, one per kind, would tear it apart, and
 * could be put together again only by progress requests, which before etcd 3.4.25 and 3.5.8 may overtake events (etcd
 * issue 15220). What lies between and is not selected is dropped here.
 *
 * The stream is read at the pace of whoever follows. One that is slow holds up its own stream only: etcd keeps what comes
 * next in its history, and when that is compacted first, the watch ends and the follower lists again. Nothing piles up here.
 */
import type { Readable } from 'node:stream';
import type { Etcd3, IEvent, IWatchResponse } from 'etcd3';
import { type Entry, type Key, type Selection, selects, type WatchBatch, type WatchEvent } from '../store.ts';
import { keyAt } from './keys.ts';
import type { KeyRange } from './ranges.ts';
import { decodeValue } from './values.ts';

/** The watch has ended on etcd's side; the caller finds out whether what comes next can still be had. */
export class WatchBroken extends Error {
  override readonly name = 'WatchBroken';
}

export interface Watched {
  readonly prefix: string;
  /** Holds all of the selections. */
  readonly range: KeyRange;
  readonly selections: readonly Selection[];
  /** Last revision of which everything has been told; moves on with what is told, and with what is not selected. */
  position: bigint;
  /** Told of each revision that the store is known to have. */
  heard(revision: string): void;
  /** Rejects when what follows `position` cannot be had. */
  confirm(): Promise<unknown>;
}

/** @throws WatchBroken */
export async function* watchOnce(
  client: Etcd3,
  watched: Watched,
  signal: AbortSignal,
): AsyncGenerator<WatchBatch> {
  const stream = await open(client);
  const stop = (): void => stream.cancel();
  signal.addEventListener('abort', stop);
  try {
    if (signal.aborted) return;
    stream.write({ create_request: requestOf(watched) });
    for await (const response of messagesOf(stream)) {
      if (signal.aborted) return;
      watched.heard(response.header.revision);
      // A member that lags behind will come to it; a store from another history never would.
      if (response.created && BigInt(response.header.revision) < watched.position) await watched.confirm();
      yield* batchesOf(response, watched);
    }
    if (!signal.aborted) throw new WatchBroken('etcd ended the watch');
  } finally {
    signal.removeEventListener('abort', stop);
    stream.cancel();
  }
}

type Stream = Awaited<ReturnType<Etcd3['watchClient']['watch']>>;

async function open(client: Etcd3): Promise<Stream> {
  try {
    const stream = await client.watchClient.watch();
    // Also when nobody reads any more: cancelling is told as an error.
    stream.on('error', () => {});
    return stream;
  } catch (error) {
    throw broken(error);
  }
}

async function* messagesOf(stream: Stream): AsyncGenerator<IWatchResponse> {
  const messages = (stream as unknown as Readable).iterator({ destroyOnReturn: false });
  for (;;) {
    let next: IteratorResult<IWatchResponse, undefined>;
    try {
      next = (await messages.next()) as typeof next;
    } catch (error) {
      throw broken(error);
    }
    if (next.done === true) return;
    yield next.value;
  }
}

function broken(error: unknown): WatchBroken {
  return new WatchBroken(error instanceof Error ? error.message : String(error), { cause: error });
}

function requestOf({ range, position }: Watched) {
  return {
    ...range,
    prev_kv: true,
    // Without news, etcd says every ten minutes how far the store has come: then compaction cannot overtake the watch.
    progress_notify: true,
    // What has been told already is asked for again and dropped: so a compaction up to the next revision, which takes its
    // deletions away, ends the watch instead of going unnoticed. 0 would be "now".
    start_revision: String(position > 0n ? position : 1n),
  };
}

function* batchesOf(response: IWatchResponse, watched: Watched): Generator<WatchBatch> {
  const { header, events, created, canceled } = response;
  if (canceled) throw new WatchBroken(`etcd ended the watch: ${response.cancel_reason}`);
  for (const [revision, group] of Map.groupBy(events, ({ kv }) => kv.mod_revision)) {
    // Told before the connection was lost.
    if (BigInt(revision) <= watched.position) continue;
    const told = mergeMoves(group.flatMap((event) => eventOf(event, watched)));
    watched.position = BigInt(revision);
    if (told.length > 0) yield { revision, events: told };
  }
  // A message without events is a progress notification, and tells that nothing is on its way.
  if (!created && events.length === 0 && BigInt(header.revision) > watched.position)
    watched.position = BigInt(header.revision);
}

function eventOf({ type, kv, prev_kv }: IEvent, { prefix, selections }: Watched): WatchEvent[] {
  const path = keyAt(prefix, kv.key.toString());
  // Before the value is parsed: of what lies between the selected there may be much.
  if (path === undefined || !selections.some(({ kind }) => kind === path.kind)) return [];
  const isSelected = ({ key }: Entry): boolean => selections.some((one) => selects(one, key));
  const previous = prev_kv === undefined || prev_kv === null ? undefined : entryOf(path, prev_kv);
  // What was there is no longer in the history: then a list has to tell what has changed.
  if (previous === undefined && (type !== 'Put' || kv.version !== '1'))
    throw new WatchBroken(`the value before revision ${kv.mod_revision} has been compacted`);
  if (type === 'Put') {
    const entry = entryOf(path, kv);
    return isSelected(entry) ? [{ type: 'put', entry, previous }] : [];
  }
  return previous !== undefined && isSelected(previous)
    ? [{ type: 'delete', previous, revision: kv.mod_revision }]
    : [];
}

function entryOf(path: Key, kv: { readonly value: Buffer; readonly mod_revision: string }): Entry {
  const { key, value } = decodeValue(path, kv.value.toString());
  return { key, value, revision: kv.mod_revision };
}

/** A policy that moves from an older Calico's key to today's is one change of one object. */
function mergeMoves(events: readonly WatchEvent[]): WatchEvent[] {
  if (events.length < 2) return [...events];
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
