/**
 * Watches of several kinds as one.
 *
 * What is promised about order. Of one kind (of one resource of the API server, to be exact) all changes come in the order
 * in which they were written, each once. Between kinds no order is promised: each has a stream of its own, and a newer
 * change of one may be told before an older one of another. Nothing is lost by that, because the revision of a batch says
 * of each kind how far it has been told (`revisions.ts`): a mirror that goes on from it asks each kind for exactly what it
 * has not heard. A mirror that has heard all of them up to some version equals the store at that version.
 */
import { type Selection, selects, type WatchBatch, type WatchEvent } from '../store.ts';
import type { Reflector, Told } from './reflector.ts';
import { type Position, positionOf, Progress } from './revisions.ts';

export interface Followed {
  /** Its name in a revision. */
  readonly stream: string;
  readonly reflector: Reflector;
}

/** @throws what {@link Reflector.read} throws */
export async function* follow(
  followed: readonly Followed[],
  selections: readonly Selection[],
  from: Position,
  signal: AbortSignal,
): AsyncGenerator<WatchBatch> {
  const progress = new Progress(
    from,
    followed.map(({ stream }) => stream),
  );
  const waiting: { readonly stream: string; readonly told: Told }[] = [];
  const stop = new AbortController();
  const ended = AbortSignal.any([signal, stop.signal]);
  let failure: { readonly error: unknown } | undefined;
  let tell = Promise.withResolvers<void>();
  let taken = Promise.withResolvers<void>();

  // One line of each stream at a time: what waits, waits in the log of the reflector.
  const pump = async ({ stream, reflector }: Followed): Promise<void> => {
    try {
      for await (const told of reflector.read(positionOf(stream, from), ended)) {
        waiting.push({ stream, told });
        tell.resolve();
        while (waiting.length > followed.length && !ended.aborted) await taken.promise;
      }
    } catch (error) {
      failure ??= { error };
      tell.resolve();
    }
  };
  const wake = (): void => {
    tell.resolve();
    taken.resolve();
  };
  ended.addEventListener('abort', wake);
  const pumps = followed.map(pump);
  try {
    while (!signal.aborted) {
      const next = waiting.shift();
      if (next !== undefined) {
        progress.advance(next.stream, next.told.version);
        const events = next.told.events.filter((event) =>
          selections.some((selection) => selects(selection, keyOf(event))),
        );
        if (events.length > 0) yield { revision: progress.revision, events };
      } else if (failure !== undefined) throw failure.error;
      else {
        taken.resolve();
        taken = Promise.withResolvers();
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

function keyOf(event: WatchEvent) {
  return event.type === 'put' ? event.entry.key : event.previous.key;
}
