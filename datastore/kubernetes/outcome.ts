/**
 * Whether a write happened that no clear answer came to.
 *
 * The API server keeps some minutes of history. A compare-and-swap on a version happened if and only if the first change
 * after that version is what was written; a creation, if a change after the version before it is. The history of one
 * object is had by watching it from there. Two writers that expect the same and write the same are told apart only in
 * objects of our own, which name their write; of others, each hears that it happened.
 */
import type { Cancel } from '../../clock/clock.ts';
import { PoplinError } from '../../api/problem.ts';
import { sameJson } from '../json.ts';
import { keyText } from '../store.ts';
import type { Client } from './client.ts';
import { VersionGone } from './list.ts';
import { isProblem, type KubernetesObject } from './native/native.ts';
import type { Found, Placed } from './place.ts';
import type { Place } from './resources.ts';
import { compareVersions } from './revisions.ts';
import { writeOf } from './stored-object.ts';
import { type ObjectEvent, watchObjects } from './watch.ts';

/**
 * What has happened is sent as a watch begins, but for what the API server's cache has not heard yet, which is milliseconds.
 * Of an object that is gone nothing says which event is the last: silence for this long, once the watch has begun.
 */
const SILENCE = 2000;

export interface Doubt {
  readonly place: Place;
  /** Version that the object had; undefined where it was to be made. */
  readonly expected: string | undefined;
  /** A version from before the write was sent. */
  readonly before: string;
}

/**
 * @param found  what is there now, read after the answer was lost
 * @returns the version that the write made, or for a deletion an empty text; undefined when it did not happen
 * @throws PoplinError OUTCOME_UNKNOWN when the history that would tell is gone
 */
export async function versionWritten(
  client: Client,
  placed: Placed,
  { place, expected, before }: Doubt,
  found: Found | undefined,
): Promise<string | undefined> {
  const isPut = placed.operation.type === 'put';
  const version = found?.object.metadata.resourceVersion;
  if (isPut && found !== undefined && version !== expected && isOurs(found.object, placed))
    return version ?? '';
  if (!isPut && found === undefined) return '';
  if (expected !== undefined && version === expected) return undefined;

  const changes = await changesSince(client, placed, place, expected ?? before, version);
  const ours = (event: ObjectEvent): boolean =>
    event.type === 'changed' ? isPut && isOurs(event.object, placed) : !isPut && event.type === 'deleted';
  const written = expected === undefined ? changes.find(ours) : changes.slice(0, 1).find(ours);
  return written === undefined ? undefined : isPut ? written.version : '';
}

/** @param current  version of what is there now: the last change; undefined when nothing is */
async function changesSince(
  client: Client,
  placed: Placed,
  place: Place,
  since: string,
  current: string | undefined,
): Promise<ObjectEvent[]> {
  if (current !== undefined && compareVersions(current, since) <= 0) return [];
  const { resource } = placed.source;
  const changes: ObjectEvent[] = [];
  const enough = new AbortController();
  let cancel: Cancel | undefined;
  const options = {
    namespace: place.namespace,
    fieldSelector: `metadata.name=${place.name}`,
    onBegin: () => {
      cancel?.();
      if (current !== undefined) return;
      cancel = client.clock.after(SILENCE, 'look no longer for a lost write', () => enough.abort());
    },
  };
  try {
    for await (const event of watchObjects(client, resource, options, since, enough.signal)) {
      if (event.type !== 'bookmark') changes.push(event);
      const isLast =
        current === undefined ? event.type === 'bookmark' : compareVersions(event.version, current) >= 0;
      if (isLast) break;
    }
  } catch (error) {
    throw error instanceof VersionGone ? outcomeUnknown(placed, error) : error;
  } finally {
    cancel?.();
    enough.abort();
  }
  return changes;
}

function isOurs(object: KubernetesObject, { operation, source, value, place, nonce }: Placed): boolean {
  if (source.write?.type === 'native') {
    const missing = source.write.patchFor(value, object);
    return !isProblem(missing) && Object.keys(missing).length === 0;
  }
  if (source.write === undefined) return false;
  const wanted = source.write.encode(operation.key, value, place, nonce) as KubernetesObject;
  const write = writeOf(wanted);
  if (write !== undefined) return writeOf(object) === write;
  const [is, wants] = [source.decode(object)[0]?.value, source.decode(wanted)[0]?.value];
  const [it, what] = [withoutIdentity(is), withoutIdentity(wants)];
  return is !== undefined && (source.write.fillsIn === true ? includes(it, what) : sameJson(it, what));
}

/** Whether all that is wanted is there, whatever else is. */
function includes(is: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return sameJson(is, wanted);
  if (typeof is !== 'object' || is === null || Array.isArray(is) !== Array.isArray(wanted)) return false;
  const there = is as Readonly<Record<string, unknown>>;
  return Object.entries(wanted).every(([name, value]) => value === undefined || includes(there[name], value));
}

/** What the server fills in is not what was written. */
function withoutIdentity(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('metadata' in value)) return value;
  const { uid: _uid, creationTimestamp: _created, ...metadata } = value.metadata as Record<string, unknown>;
  return { ...value, metadata };
}

function outcomeUnknown({ operation }: Placed, error: unknown): PoplinError {
  return new PoplinError(
    [
      {
        code: 'OUTCOME_UNKNOWN',
        resource: keyText(operation.key),
        what: 'the API server gave no answer to a write of it, and its history is gone, so nobody can tell whether it happened',
        remedy: 'read the object and decide again',
      },
    ],
    { cause: error },
  );
}
