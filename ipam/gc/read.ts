/** Reads the world from the store. */
import type { Node, WorkloadEndpoint } from '../../api/index.ts';
import type { Entry, Store } from '../../datastore/index.ts';
import { isLocked } from '../../datastore/migrate/index.ts';
import { soundEntries } from '../audit.ts';
import { rested } from '../block.ts';
import type { Cooldown } from '../cooldown.ts';
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
export async function readWorld(
  store: Store,
  cooldown: () => Promise<Cooldown>,
  users: () => Promise<Users>,
): Promise<World> {
  const entries = await readIpam(store);
  return worldOf(entries, await isLocked(store), await users(), await cooldown());
}

/** All objects of IPAM, as they are. */
export async function readIpam(store: Store): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const kind of ['IPAMHandle', 'BlockAffinity', 'IPAMBlock']) entries.push(...(await list(store, kind)));
  return entries;
}

/** @param entries  of IPAM; others are passed over */
export function worldOf(entries: readonly Entry[], locked: boolean, users: Users, cooldown: Cooldown): World {
  const ofKind = (kind: string): readonly Entry[] => entries.filter(({ key }) => key.kind === kind);
  const blocks = ofKind('IPAMBlock');
  const sound = soundEntries(blocks, ofKind('BlockAffinity'), ofKind('IPAMHandle'));
  const read = new Set(sound.blocks.map(({ key }) => key.name));
  const illFormed = new Set(blocks.map(({ key }) => key.name).filter((name) => !read.has(name)));
  const restedIn = new Map<string, number>();
  const asFree = sound.blocks.map((entry) => {
    const value = rested(entry.value, cooldown);
    if (value === entry.value) return entry;
    restedIn.set(value.cidr, value.unallocated.length - entry.value.unallocated.length);
    return { ...entry, value };
  });
  return { ...sound, blocks: asFree, rested: restedIn, illFormed, locked, ...users };
}

async function list<V = unknown>(store: Store, kind: string): Promise<readonly Entry<V>[]> {
  return (await store.list({ kind })).entries as readonly Entry<V>[];
}
