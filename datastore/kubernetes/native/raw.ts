/** Objects of Kubernetes that are kept as they are, under a kind of ours: policies, services and their endpoints. */
import { kindInfo, type Kind } from '../../../api/index.ts';
import type { Key } from '../../store.ts';
import type { KubernetesObject, NativeEntry, NativeKind } from './native.ts';

interface RawTraits {
  /** A cluster may not serve it. */
  readonly optional?: true;
  /** People may make and change it through us. */
  readonly writable?: true;
}

export function rawKind(kind: Kind, { optional, writable }: RawTraits = {}): NativeKind {
  const info = kindInfo(kind);
  if (info === undefined) throw new TypeError(`${kind} is no kind`);
  const { plural, namespaced, written } = info;
  return {
    kind,
    apiVersion: written.apiVersion,
    objectKind: written.kind,
    plural: kind === 'KubernetesNetworkPolicy' ? 'networkpolicies' : plural,
    namespaced,
    optional: optional === true,
    toEntries: (object): readonly NativeEntry[] => [
      { key: keyOf(kind, namespaced, object), value: { ...object, kind, metadata: ownMetadata(object) } },
    ],
    locate: (key) => {
      if (key.kind !== kind || namespaced !== (key.scope !== '')) return undefined;
      return namespaced ? { namespace: key.scope, name: key.name } : { name: key.name };
    },
    ...(writable === undefined
      ? {}
      : { whole: (value: unknown) => ({ ...(value as KubernetesObject), kind: written.kind }) }),
  };
}

function keyOf(kind: Kind, namespaced: boolean, { metadata }: KubernetesObject): Key {
  return { kind, scope: namespaced ? (metadata.namespace ?? '') : '', name: metadata.name };
}

/** Without what the API server counts and notes for itself: the revision, the generation, who wrote which field. */
function ownMetadata({ metadata }: KubernetesObject): object {
  const { resourceVersion: _, managedFields: __, generation: ___, ...kept } = metadata;
  return kept;
}
