/**
 * Sets and asks for the lock of a migration (`../ready.ts`). While it is held the node agents (Calico's and ours) attach no
 * new workload, and bgpd and felix-lite keep what they last knew; what runs goes on running.
 */
import { API_VERSION, type ClusterInformation, PoplinError, unwrap } from '../../api/index.ts';
import type { Clock } from '../../clock/clock.ts';
import { ResourceClient } from '../resources.ts';
import { CLUSTER_INFORMATION, INCOMPLETE, isIncomplete, isLockedBy } from '../ready.ts';
import type { Store } from '../store.ts';
import { isRecord } from './dump.ts';

const ATTEMPTS = 20;

export async function isLocked(store: Store): Promise<boolean> {
  return isLockedBy((await store.get(CLUSTER_INFORMATION))?.value);
}

/**
 * Without ClusterInformation a datastore counts as ready; locking makes one.
 *
 * @returns false when it was so already
 * @throws PoplinError STORE_BUSY when others rewrite the object again and again
 */
export async function setReady(store: Store, clock: Clock, ready: boolean): Promise<boolean> {
  return change(
    store,
    async () => {
      if (ready) return 'not needed';
      const created = await new ResourceClient(store, clock).create(fresh());
      if (created.ok) return 'made';
      if (!created.problems.some(({ code }) => code === 'RESOURCE_EXISTS')) unwrap(created);
      return 'again';
    },
    (value) => {
      if (isLockedBy(value) !== ready) return undefined;
      const changed = withReady(value, ready);
      return ready ? withIncomplete(changed, false) : changed;
    },
  );
}

/**
 * Says of a locked datastore whether what is there is only part of what it shall hold. Who starts on it takes in a whole
 * one, and waits for the rest of a part (`../mirror.ts`).
 */
export async function setIncomplete(store: Store, incomplete: boolean): Promise<void> {
  await change(
    store,
    async () => 'not needed',
    (value) => (isIncomplete(value) === incomplete ? undefined : withIncomplete(value, incomplete)),
  );
}

/** @param changed  undefined when nothing is to be changed */
async function change(
  store: Store,
  make: () => Promise<'made' | 'not needed' | 'again'>,
  changed: (value: unknown) => unknown,
): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const entry = await store.get(CLUSTER_INFORMATION);
    if (entry === undefined) {
      const made = await make();
      if (made === 'again') continue;
      return made === 'made';
    }
    const value = changed(entry.value);
    if (value === undefined) return false;
    const { key, revision } = entry;
    const commit = await store.commit([{ type: 'put', key, value, expect: { revision } }]);
    if (commit.ok) return true;
  }
  throw new PoplinError([
    {
      code: 'STORE_BUSY',
      resource: 'ClusterInformation/default',
      what: `others changed it ${ATTEMPTS} times in a row`,
      remedy: 'try again; if this persists, look for a program that rewrites it in a loop',
    },
  ]);
}

/** Only this field: what else is there, known to this release or not, stays. Pure. */
export function withReady(value: unknown, ready: boolean): Record<string, unknown> {
  const resource = isRecord(value) ? value : { ...fresh() };
  const spec = isRecord(resource['spec']) ? resource['spec'] : {};
  return { ...resource, spec: { ...spec, datastoreReady: ready } };
}

/** Pure. */
export function withIncomplete(value: unknown, incomplete: boolean): Record<string, unknown> {
  const resource = isRecord(value) ? value : { ...fresh() };
  const metadata = isRecord(resource['metadata']) ? resource['metadata'] : {};
  const { annotations: before, ...others } = metadata;
  const { [INCOMPLETE]: _, ...kept } = isRecord(before) ? before : {};
  const annotations = incomplete ? { ...kept, [INCOMPLETE]: 'import' } : kept;
  return {
    ...resource,
    metadata: Object.keys(annotations).length === 0 ? others : { ...others, annotations },
  };
}

function fresh(): ClusterInformation {
  return {
    apiVersion: API_VERSION,
    kind: 'ClusterInformation',
    metadata: { name: 'default' },
    spec: { datastoreReady: false },
  };
}
