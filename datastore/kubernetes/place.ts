/** One operation with its place in the API server, and what is found there. */
import { PoplinError } from '../../api/problem.ts';
import { type Entry, type Key, keyText, type Operation, sameKey } from '../store.ts';
import type { Client } from './client.ts';
import { entriesOf } from './reflector.ts';
import type { KubernetesObject } from './native/native.ts';
import { objectPath, type Place, type Source, sourceOf } from './resources.ts';

export interface Placed {
  readonly operation: Operation;
  readonly source: Source;
  /** Where a new object is made. */
  readonly place: Place;
  /** The value as it is to be stored; undefined for all but puts. */
  readonly value: unknown;
  /** Unlike that of any other commit. */
  readonly nonce: string;
}

export interface Found {
  readonly object: KubernetesObject;
  readonly place: Place;
  /** Undefined where the object counts as deleted, or is nothing in our terms. */
  readonly entry: Entry | undefined;
}

/** Reads what a key holds, also where an older Calico may have put it. */
export async function look(client: Client, key: Key): Promise<Found | undefined> {
  const { source, place } = sourceOf(key);
  const older = source.locateOlder?.(key);
  for (const one of older === undefined ? [place] : [place, older]) {
    const object = await client.getObject(objectPath(source.resource, one), source.resource);
    if (object === undefined) continue;
    const entries = entriesOf(object, source);
    const entry = entries.find((candidate) => sameKey(candidate.key, key));
    if (entry !== undefined || one === place) {
      const [other] = entries;
      if (entry === undefined && other !== undefined && source.write?.type === 'custom')
        throw taken(key, one, other.key);
      return { object, place: one, entry };
    }
  }
  return undefined;
}

/** Two keys, one name: Kubernetes knows no capitals, so that two handles may differ in nothing else. */
function taken(key: Key, { name }: Place, holder: Key): PoplinError {
  return new PoplinError([
    {
      code: 'STORE_NAME_TAKEN',
      resource: keyText(key),
      value: name,
      what: `its name in Kubernetes, ${name}, is that of ${keyText(holder)} already`,
      remedy: 'give one of the two another name, or release the other first',
    },
  ]);
}
