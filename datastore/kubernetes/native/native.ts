/**
 * The seam between the Kubernetes engine and the kinds that Kubernetes keeps itself. The engine (`datastore/kubernetes/`)
 * lists, watches and patches; a {@link NativeKind} says what a Kubernetes object is in our terms, and what has to be
 * changed in it so that it says what we want. Conversions are pure: one file a kind of Kubernetes, gathered in
 * `native/index.ts` as `NATIVE_KINDS`.
 *
 * Several native kinds may feed one of ours, beside Calico's own custom resources of that kind: a Namespace and a
 * ServiceAccount both are Profiles, a Kubernetes NetworkPolicy is one more NetworkPolicy. Their keys may not meet:
 * `locate` claims the keys that are its own, by their names (`kns.`, `ksa.`, `knp.default.`).
 */
import type { Problem } from '../../../api/problem.ts';
import type { Key } from '../../store.ts';

/** An object as the API server serves it, parsed by `datastore/json.ts`. Of a list, `kind` and `apiVersion` are filled in. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: KubernetesMetadata;
  readonly [field: string]: unknown;
}

export interface KubernetesMetadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string | null;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly Readonly<Record<string, unknown>>[];
  readonly finalizers?: readonly string[];
  readonly managedFields?: readonly unknown[];
}

/** What one Kubernetes object is in our terms. The engine adds the revision. */
export interface NativeEntry {
  readonly key: Key;
  /** A resource as `ResourceClient` stores it: without `resourceVersion`. */
  readonly value: unknown;
}

export interface NativeKind {
  /** Ours: `Node`, `Profile`, `WorkloadEndpoint`, ... or, where Calico has none of its own, that of Kubernetes: `Service`. */
  readonly kind: string;
  /** Of Kubernetes: `v1`, `networking.k8s.io/v1`. */
  readonly apiVersion: string;
  /** Of Kubernetes: `Pod`. */
  readonly objectKind: string;
  /** Of Kubernetes, as in paths: `pods`. */
  readonly plural: string;
  readonly namespaced: boolean;
  /** True where a cluster may not serve it (`policy.networking.k8s.io`): it then counts as empty. */
  readonly optional: boolean;

  /**
   * What the object is in our terms: nothing (a pod on the host's network), one entry, or several. The same object
   * always gives the same keys, as long as it gives any, and no two objects give the same key.
   */
  toEntries(object: KubernetesObject): readonly NativeEntry[];

  /** Selects, in the API server, the objects of one node; absent: there is no such field. */
  readonly fieldSelectorOf?: (node: string) => string;

  /** The Kubernetes object behind a key; undefined when no object of this kind can have it. */
  locate(key: Key): { readonly namespace?: string; readonly name: string } | undefined;

  /** Absent, as `whole` is: we never write to this kind, and the engine says so. */
  readonly write?: NativeWrite;

  /**
   * Of objects that people make through us as they would through kubectl (policies): the whole object for a value, sent to
   * be made or to take the place of the one that is there.
   */
  whole?(value: unknown): object;
}

/** Objects of Kubernetes are never created or removed by us; what we know of them is kept in them, mostly as annotations. */
export interface NativeWrite {
  /** `status` where the change goes through that subresource (and needs rights to it alone). */
  readonly subresource?: 'status';
  /**
   * JSON merge patch (RFC 7386) that makes `object` say `value`; `{}` when it does already. The engine adds
   * `metadata.resourceVersion` for compare-and-swap. What Kubernetes owns (addresses of a node, labels of a pod)
   * cannot be changed here; a value that says otherwise is not refused, since it was read from there.
   * @returns a problem for a value that the object has no place for
   */
  patchFor(value: unknown, object: KubernetesObject): MergePatch | Problem;
  /** Merge patch that takes away what we keep in the object (a pod's addresses); absent: deleting is refused. */
  removalPatch?(key: Key, object: KubernetesObject): MergePatch;
}

export type MergePatch = { readonly [field: string]: unknown };

export function isProblem(result: MergePatch | Problem): result is Problem {
  return typeof result['code'] === 'string' && typeof result['remedy'] === 'string';
}
