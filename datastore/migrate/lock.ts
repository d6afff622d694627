/**
 * The lock of a migration, as Calico has it: `ClusterInformation.spec.datastoreReady`. While it is false the node agents
 * (Calico's and ours) attach no new workload; what runs goes on running.
 */
import { API_VERSION, type ClusterInformation, PoplinError, unwrap } from '../../api/index.ts';
import type { Clock } from '../../clock/clock.ts';
import { ResourceClient } from '../resources.ts';
import type { Key, Store } from '../store.ts';
import { isRecord } from './dump.ts';

export const CLUSTER_INFORMATION: Key = { kind: 'ClusterInformation', scope: '', name: 'default' };

const ATTEMPTS = 20;

export async function isLocked(store: Store): Promise<boolean> {
  const value = (await store.get(CLUSTER_INFORMATION))?.value;
  return isRecord(value) && isRecord(value['spec']) && value['spec']['datastoreReady'] === false;
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
    if (isReady(entry.value) === ready) return false;
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

function isReady(value: unknown): boolean {
  return !(isRecord(value) && isRecord(value['spec']) && value['spec']['datastoreReady'] === false);
}

function fresh(): ClusterInformation {
  return {
    apiVersion: API_VERSION,
    kind: 'ClusterInformation',
    metadata: { name: 'default' },
    spec: { datastoreReady: false },
  };
}
