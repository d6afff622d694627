/**
 * What neither Calico nor Kubernetes has a resource for: our own records (leases of the garbage collector), profiles and
 * workload endpoints that come from no namespace and no pod. One custom resource of our own holds them all. Pure.
 *
 * The value is JSON text, so that it comes back to the octet. `write` is another one with each write: an unchanged value
 * still moves the revision, and a writer who lost the answer knows its own write again.
 */
import { parseJson, stringifyJson } from '../json.ts';
import type { Key } from '../store.ts';
import { hashedName } from './names.ts';
import type { KubernetesObject, NativeEntry } from './native/native.ts';

/** No domain of the project's own: `.internal` is set aside for such. */
export const OWN_GROUP = 'poplin.internal';
export const OWN_KIND = 'StoredObject';
const KIND_LABEL = `${OWN_GROUP}/kind`;

interface Spec {
  readonly kind?: unknown;
  readonly scope?: unknown;
  readonly name?: unknown;
  readonly value?: unknown;
  readonly write?: unknown;
}

export function storedName({ kind, scope, name }: Key): string {
  return hashedName(`${kind}-${scope}-${name}`, JSON.stringify([kind, scope, name]));
}

export function kindSelector(kind: string): string {
  return `${KIND_LABEL}=${kindLabel(kind)}`;
}

/** @param write  unlike that of any other write */
export function encodeStored(key: Key, value: unknown, write: string): object {
  return {
    apiVersion: `${OWN_GROUP}/v1`,
    kind: OWN_KIND,
    metadata: { name: storedName(key), labels: { [KIND_LABEL]: kindLabel(key.kind) } },
    spec: { ...key, value: stringifyJson(value), write },
  };
}

export function decodeStored(object: KubernetesObject): NativeEntry | undefined {
  const { kind, scope, name, value } = (object['spec'] ?? {}) as Spec;
  if (typeof kind !== 'string' || typeof scope !== 'string' || typeof name !== 'string') return undefined;
  if (typeof value !== 'string') return undefined;
  return { key: { kind, scope, name }, value: parse(value) };
}

export function writeOf(object: unknown): unknown {
  const { spec } = object as { readonly spec?: Spec };
  return spec?.write;
}

/** Text that is not JSON is the value itself: whoever checks the object then says what is wrong with it. */
function parse(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}

/** Labels take 63 characters of a few kinds. */
function kindLabel(kind: string): string {
  return /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(kind) ? kind : hashedName('kind', kind);
}
