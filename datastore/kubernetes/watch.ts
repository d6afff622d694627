/**
 * Changes of one collection of the API server, from a resource version on, over any number of connections: the server ends
 * each after some minutes, and networks end them when they like. Bookmarks tell how far history has come where nothing
 * happens, so that a quiet collection does not fall out of the history that is kept.
 */
import { PoplinError } from '../../api/problem.ts';
import type { Millis } from '../../clock/clock.ts';
import { NoAnswer } from './api.ts';
import { type Client, describe, PATIENCE, REQUEST } from './client.ts';
import { parseObjects, VersionGone } from './list.ts';
import type { KubernetesObject } from './native/native.ts';
import { type ApiResource, collectionPath } from './resources.ts';
import { isGone, isPassing, isUnserved, refusal } from './status.ts';

export type ObjectEvent =
  | { readonly type: 'changed' | 'deleted'; readonly object: KubernetesObject; readonly version: string }
  | { readonly type: 'bookmark'; readonly version: string };

export interface WatchOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Told each time that the server begins to answer. */
  readonly onBegin?: () => void;
}

interface Line {
  readonly type: string;
  readonly object: KubernetesObject & { readonly code?: number; readonly message?: string };
}

/** Between two connections, growing while they bring nothing. */
const PAUSE: Millis = 100;
const LONGEST_PAUSE: Millis = 5000;
/** Until a resource that the cluster does not serve is looked for again. */
const UNSERVED_PAUSE: Millis = 30_000;

/** @throws VersionGone when history after `from` is not kept any more, PoplinError when the server stays away or refuses */
export async function* watchObjects(
  client: Client,
  resource: ApiResource,
  options: WatchOptions,
  from: string,
  signal: AbortSignal,
): AsyncGenerator<ObjectEvent> {
  let position = from;
  let pause = PAUSE;
  let lastAlive = client.clock.now();
  let mayRenew = true;
  while (!signal.aborted) {
    let trouble = 'the watch ended at once';
    let hasBegun = false;
    try {
      const ask = { method: 'GET', path: collectionPath(resource, options.namespace) } as const;
      const answer = await client.api.stream({ ...ask, query: queryOf(options, position) }, REQUEST, signal);
      if ('lines' in answer) {
        hasBegun = true;
        options.onBegin?.();
        for await (const line of answer.lines) {
          const event = eventOf(parseObjects(line, resource) as Line);
          if (event === undefined) break;
          lastAlive = client.clock.now();
          pause = PAUSE;
          mayRenew = true;
          position = event.version;
          yield event;
        }
      } else if (isGone(answer)) throw new VersionGone();
      else if (answer.status === 401 && mayRenew) {
        mayRenew = false;
        client.api.forgetCredentials();
        continue;
      } else if (isUnserved(answer) && resource.optional) {
        await rest(client, UNSERVED_PAUSE, signal);
        lastAlive = client.clock.now();
        continue;
      } else if (isPassing(answer) || (answer.status === 403 && (await client.isSettling()))) {
        trouble = describe(answer);
        pause = Math.max(pause, answer.retryAfter ?? 0);
      } else throw refusal(answer, ask, resource);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof NoAnswer)) throw error;
      client.noteLoss();
      trouble = describe(error);
    }
    // A connection that stood until now is a sign of life, even when it brought nothing and broke.
    if (hasBegun) lastAlive = client.clock.now();
    if (client.clock.now() - lastAlive > PATIENCE) throw client.unavailable(trouble);
    await rest(client, pause, signal);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }
}

function queryOf({ labelSelector, fieldSelector }: WatchOptions, version: string): Record<string, string> {
  return {
    watch: 'true',
    allowWatchBookmarks: 'true',
    resourceVersion: version,
    // Drawn, so that the connections of many nodes do not end together.
    timeoutSeconds: String(300 + Math.floor(Math.random() * 300)),
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  };
}

/** @returns undefined for an error after which the watch is begun anew */
function eventOf({ type, object }: Line): ObjectEvent | undefined {
  if (type === 'ERROR') {
    if (object.code === 410) throw new VersionGone();
    return undefined;
  }
  const version = object.metadata.resourceVersion ?? '';
  if (type === 'BOOKMARK') return { type: 'bookmark', version };
  if (type === 'ADDED' || type === 'MODIFIED') return { type: 'changed', object, version };
  if (type === 'DELETED') return { type: 'deleted', object, version };
  throw new PoplinError([
    {
      code: 'STORE_CORRUPT',
      what: `the API server tells of "${type}", which is no kind of change`,
      remedy: 'check what stands between this machine and the API server',
    },
  ]);
}

async function rest(client: Client, delay: Millis, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = client.clock.after(delay, 'watch the API server again', resolve);
  const stop = (): void => resolve();
  signal.addEventListener('abort', stop, { once: true });
  await promise;
  signal.removeEventListener('abort', stop);
  cancel();
}
