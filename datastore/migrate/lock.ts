/**
 * Sets and asks for the lock of a migration (`../ready.ts`). While it is held the node agents (Calico's and ours) attach no
 * new workload, and bgpd and felix-lite keep what they last knew; what runs goes on running.
 */
import { API_VERSION, type ClusterInformation, PoplinError, unwrap } from '../../api/index.ts';
import type { Clock } from '../../clock/clock.ts';
import { ResourceClient } from '../resources.ts';
import { CLUSTER_INFORMATION, isLockedBy } from '../ready.ts';
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
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const entry = await store.get(CLUSTER_INFORMATION);
    if (entry === undefined) {
      if (ready) return false;
      const created = await new ResourceClient(store, clock).create(fresh());
      if (created.ok) return true;
      if (!created.problems.some(({ code }) => code === 'RESOURCE_EXISTS')) unwrap(created);
      continue;
    }
    const value = withReady(entry.value, ready);
    if (isLockedBy(entry.value) !== ready) return false;
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

function fresh(): ClusterInformation {
  return {
    apiVersion: API_VERSION,
    kind: 'ClusterInformation',
    metadata: { name: 'default' },
    spec: { datastoreReady: false },
  };
}
