/** Namespaces and service accounts, which are Profiles here. Nobody writes to them through us. */
import type { Namespace, ServiceAccount } from '../../../api/index.ts';
import { MADE_PREFIXES, namespaceProfile, serviceAccountProfile } from '../../../api/kubernetes/index.ts';
import type { Key } from '../../store.ts';
import type { KubernetesObject, NativeEntry, NativeKind } from './native.ts';

export const namespaces: NativeKind = {
  kind: 'Profile',
  apiVersion: 'v1',
  objectKind: 'Namespace',
  plural: 'namespaces',
  namespaced: false,
  optional: false,
  toEntries: (object) => entries(namespaceProfile(object as KubernetesObject & Namespace)),
  locate: ({ name }) => {
    const namespace = behind(name, MADE_PREFIXES.namespace);
    return namespace === undefined ? undefined : { name: namespace };
  },
};

export const serviceAccounts: NativeKind = {
  kind: 'Profile',
  apiVersion: 'v1',
  objectKind: 'ServiceAccount',
  plural: 'serviceaccounts',
  namespaced: true,
  optional: false,
  toEntries: (object) => entries(serviceAccountProfile(object as KubernetesObject & ServiceAccount)),
  locate: ({ name }) => {
    // Namespaces have no dots, accounts may.
    const [, namespace, account] =
      /^([^.]+)\.(.+)$/.exec(behind(name, MADE_PREFIXES.serviceAccount) ?? '') ?? [];
    return namespace === undefined || account === undefined ? undefined : { namespace, name: account };
  },
};

function entries(profile: { readonly metadata: { readonly name: string } }): readonly NativeEntry[] {
  const key: Key = { kind: 'Profile', scope: '', name: profile.metadata.name };
  return [{ key, value: profile }];
}

function behind(name: string, prefix: string): string | undefined {
  return name.startsWith(prefix) && name.length > prefix.length ? name.slice(prefix.length) : undefined;
}
