/** Opens a datastore by its location, and gathers what other rooms use of this one. */
import { PoplinError } from '../api/problem.ts';
import { EmbeddedStore } from './embedded/embedded.ts';
import type { Store } from './store.ts';

export { Mirror, type MirrorChange, type MirrorOptions } from './mirror.ts';
export { ResourceClient, type ResourceChange, type ResourceChanged } from './resources.ts';
export * from './store.ts';

export const DEFAULT_DATASTORE = '/var/lib/poplin/datastore.db';

/** `scheme:` at the start; a drive letter or a path has none. */
const SCHEME = /^([a-z][a-z0-9+.-]+):/;

/**
 * @param location  a path, or `sqlite:PATH`
 * @throws PoplinError STORE_UNSUPPORTED for a location of another kind, STORE_UNAVAILABLE or STORE_CORRUPT as the engine finds
 */
export async function openStore(location: string = DEFAULT_DATASTORE): Promise<Store> {
  const scheme = SCHEME.exec(location)?.[1];
  if (scheme === undefined) return EmbeddedStore.open(location);
  if (scheme === 'sqlite') return EmbeddedStore.open(location.slice('sqlite:'.length));
  throw new PoplinError([
    {
      code: 'STORE_UNSUPPORTED',
      what: `this release cannot use the datastore ${location}: it has no ${scheme} engine yet`,
      remedy: 'name a file, for example sqlite:/var/lib/poplin/datastore.db',
    },
  ]);
}
