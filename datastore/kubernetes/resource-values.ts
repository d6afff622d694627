/**
 * A v3 resource as Calico keeps it in a custom resource of `crd.projectcalico.org/v1`, both ways. Pure.
 *
 * The custom resource's own metadata belongs to Kubernetes; that of the v3 resource lies in an annotation as JSON. Only
 * labels and annotations that are Calico's own are in both. Policies that an older Calico wrote (dialect A) are called
 * `default.NAME` and have their name in the annotation, or lost it with their prefix.
 */
import { DEFAULT_TIER, TIER_LABEL } from '../../api/index.ts';
import { API_VERSION } from '../../api/kinds/kind.ts';
import { parseJson, stringifyJson } from '../json.ts';
import type { Key } from '../store.ts';
import { mirrorUid } from './names.ts';
import type { KubernetesObject, NativeEntry } from './native/native.ts';

export const CALICO_GROUP = 'crd.projectcalico.org';
export const CALICO_VERSION = `${CALICO_GROUP}/v1`;

const METADATA = 'projectcalico.org/metadata';
const OWN = /projectcalico\.org\/|operator\.tigera\.io\//;
const POLICIES: ReadonlySet<string> = new Set([
  'NetworkPolicy',
  'GlobalNetworkPolicy',
  'StagedNetworkPolicy',
  'StagedGlobalNetworkPolicy',
]);
/** Names that Kubernetes' own policies have in etcd; no prefix of ours to strip. */
const FOREIGN = /^(?:knp|ossg|kanp|kbanp)\./;
const DIALECT_A = 'default.';

type Text = Readonly<Record<string, string>>;
type Loose = Readonly<Record<string, unknown>>;

interface Shape {
  readonly metadata?: Loose & { readonly labels?: Text; readonly annotations?: Text };
  readonly spec?: { readonly tier?: string };
}

/** The name that an older Calico would have given the object; undefined where it gave the same. */
export function olderName({ kind, name }: Key): string | undefined {
  return POLICIES.has(kind) && !name.startsWith(DIALECT_A) && !FOREIGN.test(name)
    ? `${DIALECT_A}${name}`
    : undefined;
}

/** @param name  of the custom resource */
export function encodeResource(key: Key, value: unknown, objectKind: string, name: string): object {
  const resource = isShape(value) ? value : {};
  const { apiVersion: _version, kind: _kind, metadata = {}, ...rest } = resource as Shape & Loose;
  const {
    name: _name,
    namespace: _namespace,
    uid: _uid,
    resourceVersion: _revision,
    selfLink: _selfLink,
    managedFields: _managedFields,
    labels: given = {},
    annotations = {},
    ownerReferences,
    creationTimestamp = null,
    ...kept
  } = metadata;
  const isPolicy = POLICIES.has(key.kind);
  const labels = isPolicy ? { [TIER_LABEL]: resource.spec?.tier ?? DEFAULT_TIER, ...given } : given;
  const stored = {
    ...(isPolicy ? { name: key.name } : {}),
    creationTimestamp,
    ...kept,
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    ...(ownerReferences === undefined ? {} : { ownerReferences: owners(ownerReferences, CALICO_VERSION) }),
  };
  return {
    apiVersion: CALICO_VERSION,
    kind: objectKind,
    metadata: {
      name,
      ...(key.scope === '' ? {} : { namespace: key.scope }),
      ...nonEmpty('labels', own(labels)),
      annotations: { ...own(annotations), [METADATA]: stringifyJson(stored) },
    },
    ...rest,
  };
}

export function decodeResource(kind: string, object: KubernetesObject): NativeEntry {
  const { apiVersion: _version, kind: _kind, metadata, ...rest } = object;
  const { [METADATA]: text, ...annotations } = metadata.annotations ?? {};
  const stored = storedMetadata(text);
  const isPolicy = POLICIES.has(kind);
  const name = isPolicy ? policyName(object, stored) : metadata.name;
  const {
    name: _name,
    namespace: _namespace,
    uid: _uid,
    resourceVersion: _revision,
    creationTimestamp,
    labels: storedLabels,
    annotations: storedAnnotations,
    ownerReferences: storedOwners,
    ...kept
  } = stored ?? ownMetadata(object);
  const created = creationTimestamp ?? metadata.creationTimestamp ?? undefined;
  return {
    key: { kind, scope: metadata.namespace ?? '', name },
    value: {
      apiVersion: API_VERSION,
      kind,
      metadata: {
        name,
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
        ...(metadata.uid === undefined ? {} : { uid: mirrorUid(metadata.uid) }),
        ...(created === undefined ? {} : { creationTimestamp: created }),
        ...kept,
        ...nonEmpty('labels', { ...metadata.labels, ...(storedLabels as Text | undefined) }),
        ...nonEmpty('annotations', { ...annotations, ...(storedAnnotations as Text | undefined) }),
        ...(storedOwners === undefined ? {} : { ownerReferences: owners(storedOwners, API_VERSION) }),
      },
      ...rest,
    },
  };
}

/** Without the annotation (somebody used kubectl) the object's own metadata counts, but for what only a server says. */
function ownMetadata({ metadata }: KubernetesObject): Loose {
  const { finalizers, ownerReferences } = metadata;
  return {
    ...(finalizers === undefined ? {} : { finalizers }),
    ...(ownerReferences === undefined ? {} : { ownerReferences }),
  };
}

function storedMetadata(text: string | undefined): Loose | undefined {
  if (text === undefined) return undefined;
  try {
    const value = parseJson(text);
    return isShape(value) ? (value as Loose) : undefined;
  } catch {
    return undefined;
  }
}

function policyName({ metadata, spec }: KubernetesObject, stored: Loose | undefined): string {
  if (typeof stored?.['name'] === 'string' && stored['name'] !== '') return stored['name'];
  const { name } = metadata;
  const tier = (spec as { readonly tier?: string } | undefined)?.tier ?? DEFAULT_TIER;
  return tier === DEFAULT_TIER && name.startsWith(DIALECT_A) && !FOREIGN.test(name)
    ? name.slice(DIALECT_A.length)
    : name;
}

/** An owner of Calico's is named by the object that holds it in storage, and by the resource above. */
function owners(references: unknown, apiVersion: string): unknown {
  if (!Array.isArray(references)) return references;
  return references.map((reference: unknown) => {
    if (typeof reference !== 'object' || reference === null) return reference;
    const { apiVersion: version, uid } = reference as {
      readonly apiVersion?: unknown;
      readonly uid?: unknown;
    };
    const isCalico = version === API_VERSION || version === CALICO_VERSION;
    if (!isCalico || version === apiVersion) return reference;
    return { ...reference, apiVersion, ...(typeof uid === 'string' ? { uid: mirrorUid(uid) } : {}) };
  });
}

function own(texts: Text): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).filter(([name]) => OWN.test(name) && name !== METADATA));
}

function nonEmpty(field: string, texts: Text): object {
  return Object.keys(texts).length === 0 ? {} : { [field]: texts };
}

function isShape(value: unknown): value is Shape {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
