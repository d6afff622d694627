/** Namespaces and service accounts as profiles: labels that pods inherit, and a namespace's open door. */
import { API_VERSION } from '../kinds/kind.ts';
import type { Namespace, ServiceAccount } from '../kinds/kubernetes-data.ts';
import type { Profile } from '../kinds/profile.ts';
import { MADE_PREFIXES, madeMetadata } from './identity.ts';

/** Labels of a namespace reach its endpoints under this prefix. */
export const NAMESPACE_LABELS = 'pcns.';
/** Labels of a service account reach its endpoints under this prefix. */
export const SERVICE_ACCOUNT_LABELS = 'pcsa.';
const NAME = 'projectcalico.org/name';

export function namespaceProfileName(namespace: string): string {
  return `${MADE_PREFIXES.namespace}${namespace}`;
}

export function serviceAccountProfileName(namespace: string, name: string): string {
  return `${MADE_PREFIXES.serviceAccount}${namespace}.${name}`;
}

/** `kns.<namespace>`: what no policy decided is allowed. */
export function namespaceProfile({ metadata }: Namespace): Profile {
  return {
    apiVersion: API_VERSION,
    kind: 'Profile',
    metadata: madeMetadata(metadata, namespaceProfileName(metadata.name)),
    spec: {
      ingress: [{ action: 'Allow' }],
      egress: [{ action: 'Allow' }],
      labelsToApply: inherited(NAMESPACE_LABELS, metadata),
    },
  };
}

/** `ksa.<namespace>.<name>`: labels alone. */
export function serviceAccountProfile({ metadata }: ServiceAccount): Profile {
  return {
    apiVersion: API_VERSION,
    kind: 'Profile',
    metadata: madeMetadata(
      metadata,
      serviceAccountProfileName(metadata.namespace ?? 'default', metadata.name),
    ),
    spec: { labelsToApply: inherited(SERVICE_ACCOUNT_LABELS, metadata) },
  };
}

function inherited(
  prefix: string,
  { name, labels = {} }: { readonly name: string; readonly labels?: Readonly<Record<string, string>> },
): Record<string, string> {
  return {
    ...Object.fromEntries(Object.entries(labels).map(([key, value]) => [`${prefix}${key}`, value])),
    [`${prefix}${NAME}`]: name,
  };
}
