/**
 * Which resources of the API server hold which kinds of the store: Calico's custom resources, what Kubernetes keeps itself
 * (`native/`), and for everything else our own {@link StoredObject}. Pure.
 */
import { API_VERSION, type KindInfo, kindInfo, type Problem } from '../../api/index.ts';
import type { Key } from '../store.ts';
import { IPAM_FORMS, type IpamForm } from './ipam-values.ts';
import { NATIVE_KINDS } from './native/index.ts';
import type { KubernetesObject, MergePatch, NativeEntry, NativeKind } from './native/native.ts';
import { CALICO_GROUP, decodeResource, encodeResource, olderName } from './resource-values.ts';
import {
  decodeStored,
  encodeStored,
  kindSelector,
  OWN_GROUP,
  OWN_KIND,
  storedName,
} from './stored-object.ts';

/** A resource of the API server. */
export interface ApiResource {
  /** `` for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly objectKind: string;
  readonly namespaced: boolean;
  /** A cluster may not serve it; it is then empty. */
  readonly optional: boolean;
}

export interface Place {
  readonly namespace?: string;
  readonly name: string;
}

/** A resource, seen as the holder of one kind of the store. */
export interface Source {
  /** Names the stream of its changes in a revision. */
  readonly stream: string;
  readonly kind: string;
  readonly resource: ApiResource;
  /** Of the objects that are of this kind; undefined: all. */
  readonly labelSelector?: string;
  /** Which together select all objects of a scope, in the API server; undefined: nothing in them tells. */
  labelSelectorsOf?(scope: string): readonly string[];
  /** Of the objects that belong to a node; undefined: nothing in them tells. */
  fieldSelectorOf?(node: string): string;
  /** Undefined when no object of this resource can hold the key. */
  locate(key: Key): Place | undefined;
  /** Where an older Calico may have put it. */
  locateOlder?(key: Key): Place | undefined;
  /** Nothing, when the object is none of this kind, or counts as deleted. */
  decode(object: KubernetesObject): readonly NativeEntry[];
  readonly write: Custom | Native | undefined;
}

/** Objects that are ours to make, replace and remove. */
export interface Custom {
  readonly type: 'custom';
  /** Read before each write, for what others keep in the object and for where an older Calico put it. */
  readonly looksFirst?: true;
  /** The server fills in what is left out, so that an object says more than was written. */
  readonly fillsIn?: true;
  /** @param nonce  unlike that of any other write */
  encode(key: Key, value: unknown, place: Place, nonce: string): object;
}

/** Objects of Kubernetes, which we only add to. */
export interface Native {
  readonly type: 'native';
  readonly subresource: string;
  patchFor(value: unknown, object: KubernetesObject): MergePatch | Problem;
  removalPatch?(key: Key, object: KubernetesObject): MergePatch;
}

/** Those that Kubernetes keeps first: they claim the keys that are theirs. */
export function sourcesOf(kind: string): readonly Source[] {
  let found = SOURCES.get(kind);
  if (found === undefined) SOURCES.set(kind, (found = makeSources(kind)));
  return found;
}

const SOURCES = new Map<string, readonly Source[]>();

/** The one source that may hold the key. */
export function sourceOf(key: Key): { readonly source: Source; readonly place: Place } {
  for (const source of sourcesOf(key.kind)) {
    const place = source.locate(key);
    if (place !== undefined) return { source, place };
  }
  throw new RangeError(`${JSON.stringify(key)} has no place in Kubernetes: the scope does not fit the kind`);
}

function makeSources(kind: string): readonly Source[] {
  const natives = NATIVE_KINDS.filter((native) => native.kind === kind).map(nativeSource);
  const form = IPAM_FORMS.find((one) => one.kind === kind);
  if (form !== undefined) return [...natives, ipamSource(form)];
  // Calico keeps IPAMConfiguration in the one object that its IPAM reads.
  if (kind === 'IPAMConfiguration')
    return [...natives, calicoSource(kind, 'ipamconfigs', 'IPAMConfig', false)];
  const info = kindInfo(kind);
  if (info?.kind === kind && isCustom(info))
    return [...natives, calicoSource(kind, info.plural, kind, info.namespaced)];
  // Profiles and endpoints need not come from an object of Kubernetes; all else that it keeps does.
  return natives.length > 0 && !ALSO_STORED.has(kind) ? natives : [...natives, storedSource(kind)];
}

/** Kinds that Calico has no custom resource for. */
const NOT_CUSTOM: ReadonlySet<string> = new Set(['Node', 'Profile', 'WorkloadEndpoint', 'IPAMConfiguration']);
const ALSO_STORED: ReadonlySet<string> = new Set(['Profile', 'WorkloadEndpoint']);

/** Whether Calico has a custom resource of its own for the kind, named like it. */
export function isCustom({ kind, written }: KindInfo): boolean {
  return written.apiVersion === API_VERSION && !NOT_CUSTOM.has(kind);
}

function nativeSource(native: NativeKind): Source {
  const slash = native.apiVersion.lastIndexOf('/');
  const group = slash < 0 ? '' : native.apiVersion.slice(0, slash);
  const { kind, plural, objectKind, namespaced, optional } = native;
  return {
    stream: streamOf(kind, plural, group),
    kind,
    resource: {
      group,
      version: native.apiVersion.slice(slash + 1),
      plural,
      objectKind,
      namespaced,
      optional,
    },
    locate: (key) => native.locate(key),
    decode: (object) => native.toEntries(object),
    write: writeOf(native),
    ...(native.fieldSelectorOf === undefined ? {} : { fieldSelectorOf: native.fieldSelectorOf }),
  };
}

function writeOf(native: NativeKind): Source['write'] {
  const { write } = native;
  if (native.whole !== undefined) {
    const encode: Custom['encode'] = (_key, value) => native.whole?.(value) ?? {};
    return { type: 'custom', looksFirst: true, encode };
  }
  return write === undefined ? undefined : { type: 'native', subresource: '', ...write };
}

function calicoSource(kind: string, plural: string, objectKind: string, namespaced: boolean): Source {
  return {
    stream: streamOf(kind, plural, CALICO_GROUP),
    kind,
    resource: { group: CALICO_GROUP, version: 'v1', plural, objectKind, namespaced, optional: false },
    locate: (key) => (namespaced === (key.scope !== '') ? placeOf(key, key.name) : undefined),
    locateOlder: (key) => {
      const name = olderName(key);
      return name === undefined ? undefined : placeOf(key, name);
    },
    decode: (object) => [decodeResource(kind, object)],
    write: {
      type: 'custom',
      looksFirst: true,
      encode: (key, value, place) => encodeResource(key, value, objectKind, place.name),
    },
  };
}

function ipamSource(form: IpamForm): Source {
  const { kind, plural, objectKind } = form;
  return {
    stream: streamOf(kind, plural, CALICO_GROUP),
    kind,
    resource: { group: CALICO_GROUP, version: 'v1', plural, objectKind, namespaced: false, optional: false },
    locate: (key) => (form.hasPlace(key) ? { name: form.nameOf(key) } : undefined),
    decode: (object) => {
      const entry = form.decode(object);
      return entry === undefined ? [] : [entry];
    },
    write: { type: 'custom', encode: (key, value) => form.encode(key, value) },
    ...(form.labelSelectorsOf === undefined ? {} : { labelSelectorsOf: form.labelSelectorsOf }),
  };
}

/** Of all kinds that neither Calico nor Kubernetes has a resource for. */
export const STORED_OBJECTS: ApiResource = {
  group: OWN_GROUP,
  version: 'v1',
  plural: 'storedobjects',
  objectKind: OWN_KIND,
  namespaced: false,
  // Whoever runs Calico's own definitions alone has none of ours.
  optional: true,
};

function storedSource(kind: string): Source {
  return {
    stream: streamOf(kind, 'storedobjects', OWN_GROUP),
    kind,
    resource: STORED_OBJECTS,
    labelSelector: kindSelector(kind),
    locate: (key) => ({ name: storedName(key) }),
    decode: (object) => {
      const entry = decodeStored(object);
      return entry?.key.kind === kind ? [entry] : [];
    },
    write: { type: 'custom', encode: (key, value, _place, nonce) => encodeStored(key, value, nonce) },
  };
}

/** One resource may hold several kinds, and one kind lie in several resources. */
function streamOf(kind: string, plural: string, group: string): string {
  return `${kind}/${plural}${group === '' ? '' : `.${group}`}`;
}

function placeOf({ scope }: Key, name: string): Place {
  return scope === '' ? { name } : { namespace: scope, name };
}

/** Path of a collection, or of the part of it in one namespace. */
export function collectionPath(
  { group, version, plural, namespaced }: ApiResource,
  namespace: string | undefined,
): string {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const within = namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${within}/${plural}`;
}

export function objectPath(resource: ApiResource, { namespace, name }: Place): string {
  return `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`;
}
