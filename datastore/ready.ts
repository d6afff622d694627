/**
 * The lock of a migration, as Calico has it: `ClusterInformation.spec.datastoreReady`. Without the object, or the field, a
 * datastore counts as ready. Pure; who sets it is `migrate/lock.ts`.
 */
import type { Key } from './store.ts';

export const CLUSTER_INFORMATION: Key = { kind: 'ClusterInformation', scope: '', name: 'default' };

export function isLockedBy(clusterInformation: unknown): boolean {
  const spec = member(clusterInformation, 'spec');
  return member(spec, 'datastoreReady') === false;
}

/** Annotation of ClusterInformation while an import writes: what is there is not the whole of it. */
export const INCOMPLETE = 'poplin.internal/incomplete';

export function isIncomplete(clusterInformation: unknown): boolean {
  return member(member(member(clusterInformation, 'metadata'), 'annotations'), INCOMPLETE) !== undefined;
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
