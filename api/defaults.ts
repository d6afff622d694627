/** Defaults that look at a whole resource; those of single fields stand in the schemas. */
import { TIER_LABEL } from './kinds/policy.ts';
import { isTiered, type Resource } from './kinds/index.ts';

/** Policies carry their tier as a label too, so that they can be listed by it. */
export function withDefaults(resource: Resource): Resource {
  if (!isTiered(resource)) return resource;
  const labels = { ...resource.metadata.labels, [TIER_LABEL]: resource.spec.tier };
  return { ...resource, metadata: { ...resource.metadata, labels } };
}
