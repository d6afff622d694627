/** Objects of Kubernetes that are kept as they are, under a kind of ours: policies, services and their endpoints. */
import { kindInfo, type Kind } from '../../../api/index.ts';
import type { Key } from '../../store.ts';
import type { KubernetesObject, NativeEntry, NativeKind } from './native.ts';

/** @param optional  a cluster may not serve it */
export function rawKind(kind: Kind, optional: boolean): NativeKind {
  const info = kindInfo(kind);
  if (info === undefined) throw new TypeError(`${kind} is no kind`);
  const { plural, namespaced, written } = info;
  return {
    kind,
    apiVersion: written.apiVersion,
    objectKind: written.kind,
    plural: kind === 'KubernetesNetworkPolicy' ? 'networkpolicies' : plural,
    namespaced,
    optional,
    toEntries: (object): readonly NativeEntry[] => [
      { key: keyOf(kind, namespaced, object), value: { ...object, kind, metadata: ownMetadata(object) } },
    ],
    locate: (key) => {
      if (key.kind !== kind || namespaced !== (key.scope !== '')) return undefined;
      return namespaced ? { namespace: key.scope, name: key.name } : { name: key.name };
    },
  };
}

function keyOf(kind: Kind, namespaced: boolean, { metadata }: KubernetesObject): Key {
  return { kind, scope: namespaced ? (metadata.namespace ?? '') : '', name: metadata.name };
}

/** Without what is not stored: the revision, and who wrote which field. */
function ownMetadata({ metadata }: KubernetesObject): object {
  const { resourceVersion: _, managedFields: __, ...kept } = metadata;
  return kept;
}
