/** What a kind of resource is: its names, its scope, its schema. */
import { z } from 'zod';
import { rules } from '../schema/field.ts';
import { annotationComplaints, labelComplaints, name, shortName } from '../schema/names.ts';

export const API_VERSION = 'projectcalico.org/v3';

const labels = rules(z.record(z.string(), z.string()), labelComplaints);
const annotations = rules(z.record(z.string(), z.string()), annotationComplaints);

/**
 * What users and the datastore say about any resource. The fields that only a server fills in
 * (`managedFields`, `selfLink`, ...) are accepted, because people apply what they once read.
 */
export const metadata = z.strictObject({
  name: name(),
  namespace: z.exactOptional(shortName()),
  uid: z.exactOptional(z.string()),
  resourceVersion: z.exactOptional(z.string()),
  generation: z.exactOptional(z.number()),
  creationTimestamp: z.exactOptional(z.string()),
  deletionTimestamp: z.exactOptional(z.string()),
  deletionGracePeriodSeconds: z.exactOptional(z.number()),
  labels: z.exactOptional(labels),
  annotations: z.exactOptional(annotations),
  ownerReferences: z.exactOptional(z.array(z.record(z.string(), z.unknown()))),
  finalizers: z.exactOptional(z.array(z.string())),
  selfLink: z.exactOptional(z.string()),
  managedFields: z.exactOptional(z.array(z.unknown())),
});

export type Metadata = z.output<typeof metadata>;

/** Names of pods are made up by controllers, and their labels are checked by Kubernetes. */
const kubernetesMetadata = metadata.extend({ generateName: z.exactOptional(z.string()) });

export interface KindNames<K extends string> {
  /** Unique among all kinds. As in manifests, but for what Kubernetes calls by a name that Calico uses too. */
  readonly kind: K;
  readonly plural: string;
  /** How manifests begin that are not Calico's own: `apiVersion` and `kind` as Kubernetes spells them. */
  readonly kubernetes?: { readonly apiVersion: string; readonly kind: string };
  /** What else calicoctl calls it, besides the lower-case kind and the plural. */
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
}

/** Schema of a whole resource around the schema of its spec. */
export function resource<K extends string, S extends z.ZodType>(kind: K, spec: S) {
  return z.strictObject({ apiVersion: z.literal(API_VERSION), kind: z.literal(kind), metadata, spec });
}

/** An object of Kubernetes: its own fields beside the usual head. */
export function kubernetesResource<K extends string, V extends string, F extends z.ZodRawShape>(
  kind: K,
  apiVersion: V,
  fields: F,
) {
  return z.strictObject({
    apiVersion: z.literal(apiVersion),
    kind: z.literal(kind),
    metadata: kubernetesMetadata,
    ...fields,
  });
}

const condition = z.strictObject({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string(),
  message: z.string(),
  lastTransitionTime: z.string(),
  observedGeneration: z.exactOptional(z.number()),
});

/** The status of kinds whose health controllers tell in the usual form of Kubernetes. */
export const conditions = z.strictObject({ conditions: z.exactOptional(z.array(condition)) });
