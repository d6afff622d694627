/** Opens a datastore by its location, and gathers what other rooms use of this one. */
import { existsSync } from 'node:fs';
import { PoplinError } from '../api/problem.ts';
import { EmbeddedStore } from './embedded/embedded.ts';
import type { Store } from './store.ts';

export { Mirror, type MirrorChange, type MirrorOptions } from './mirror.ts';
export { reachStore } from './reach.ts';
export { ResourceClient, type ResourceChange, type ResourceChanged } from './resources.ts';
export * from './store.ts';

export const DEFAULT_DATASTORE = '/var/lib/poplin/datastore.db';

/** `scheme:` at the start; a drive letter or a path has none. */
const SCHEME = /^([a-z][a-z0-9+.-]+):/;

export interface OpenOptions {
  /** Make the datastore when there is none; default true. Who only reads would rather hear of a wrong path. */
  readonly create?: boolean;
}

/**
 * @param location  a path, `sqlite:PATH`, `etcd://HOST:PORT` (see `etcd/location.ts`) or `kubernetes:` (see
 *   `kubernetes/location.ts`)
 * @throws PoplinError STORE_UNSUPPORTED or STORE_LOCATION for a location that is none, STORE_ABSENT when it may not be made,
 *   STORE_UNAVAILABLE or STORE_CORRUPT as the engine finds
 */
export async function openStore(
  location: string = DEFAULT_DATASTORE,
  { create = true }: OpenOptions = {},
): Promise<Store> {
  const scheme = SCHEME.exec(location)?.[1];
  if (scheme === undefined || scheme === 'sqlite') {
    const path = scheme === undefined ? location : location.slice('sqlite:'.length);
    if (!create && !existsSync(path)) throw absent(path);
    return EmbeddedStore.open(path);
  }
  if (scheme === 'etcd' || scheme === 'etcds') {
    // Loaded only when asked for: gRPC costs the command line more than everything else together.
    const { EtcdStore } = await import('./etcd/etcd.ts');
    const { parseLocation } = await import('./etcd/location.ts');
    return EtcdStore.open(parseLocation(location));
  }
  if (scheme === 'kubernetes' || scheme === 'k8s') {
    const { KubernetesStore } = await import('./kubernetes/kubernetes.ts');
    const { parseLocation } = await import('./kubernetes/location.ts');
    return KubernetesStore.open(parseLocation(location));
  }
  throw new PoplinError([
    {
      code: 'STORE_UNSUPPORTED',
      what: `this release cannot use the datastore ${location}: it has no ${scheme} engine yet`,
      remedy:
        'name a file, for example sqlite:/var/lib/poplin/datastore.db, an etcd cluster as etcd://HOST:PORT, or kubernetes:',
    },
  ]);
}

function absent(path: string): PoplinError {
  return new PoplinError([
    {
      code: 'STORE_ABSENT',
      value: path,
      what: `there is no datastore at ${path}`,
      remedy:
        'name the right one with --datastore or POPLIN_DATASTORE, or make it with: poplin apply -f FILE',
    },
  ]);
}
