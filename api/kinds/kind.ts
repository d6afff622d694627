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

export interface KindNames<K extends string> {
  readonly kind: K;
  readonly plural: string;
  /** What else calicoctl calls it, besides the lower-case kind and the plural. */
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
}

/** Schema of a whole resource around the schema of its spec. */
export function resource<K extends string, S extends z.ZodType>(kind: K, spec: S) {
  return z.strictObject({ apiVersion: z.literal(API_VERSION), kind: z.literal(kind), metadata, spec });
}

/** A spec that may be left out altogether; its defaults then apply. */
export function optionalSpec<S extends z.ZodObject>(spec: S) {
  return spec.prefault({} as z.input<S>);
}
