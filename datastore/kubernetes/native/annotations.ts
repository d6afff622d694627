/** What we know of an object of Kubernetes is kept in its annotations. */
import type { KubernetesObject, MergePatch } from './native.ts';

/**
 * Merge patch that makes the object's annotations say this, `undefined` taking one away; `{}` when they do already.
 * Annotations that are not named stay.
 */
export function annotationPatch(
  { metadata }: KubernetesObject,
  wanted: Readonly<Record<string, string | undefined>>,
): MergePatch {
  const present = metadata.annotations ?? {};
  const changes = Object.entries(wanted).filter(([key, value]) => present[key] !== value);
  if (changes.length === 0) return {};
  const annotations = Object.fromEntries(changes.map(([key, value]) => [key, value ?? null]));
  return { metadata: { annotations } };
}
