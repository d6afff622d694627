/** Reads the world from the store. */
import type { Node, WorkloadEndpoint } from '../../api/index.ts';
import type { Entry, Store } from '../../datastore/index.ts';
import { isLocked } from '../../datastore/migrate/index.ts';
import { soundEntries } from '../audit.ts';
import { type Users, usersOf, type World } from './world.ts';

export async function readUsers(store: Store): Promise<Users> {
  return usersOf(await list<Node>(store, 'Node'), await list<WorkloadEndpoint>(store, 'WorkloadEndpoint'));
}

/**
 * Addresses first, users last: an address that is given to a workload meanwhile shows at worst as used and not taken,
 * which the collector does not act upon.
 *
 * @param users  where they come from, if not from the store
 */
export async function readWorld(store: Store, users: () => Promise<Users>): Promise<World> {
  const handles = await list(store, 'IPAMHandle');
  const affinities = await list(store, 'BlockAffinity');
  const blocks = await list(store, 'IPAMBlock');
  const locked = await isLocked(store);
  const sound = soundEntries(blocks, affinities, handles);
  const read = new Set(sound.blocks.map(({ key }) => key.name));
  const illFormed = new Set(blocks.map(({ key }) => key.name).filter((name) => !read.has(name)));
  return { ...sound, illFormed, locked, ...(await users()) };
}

async function list<V = unknown>(store: Store, kind: string): Promise<readonly Entry<V>[]> {
  return (await store.list({ kind })).entries as readonly Entry<V>[];
}
