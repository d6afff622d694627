/** How a resource is named in problems. */
import type { Resource } from '../kinds/index.ts';

/** `Kind/name` or `Kind/namespace/name`. */
export function resourceText({ kind, metadata }: Pick<Resource, 'kind' | 'metadata'>): string {
  return metadata.namespace === undefined
    ? `${kind}/${metadata.name}`
    : `${kind}/${metadata.namespace}/${metadata.name}`;
}
