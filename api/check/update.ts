/** What may not change in a resource that exists. */
import type { Problem } from '../problem.ts';
import type { Resource } from '../kinds/index.ts';
import { resourceText } from './text.ts';

/** Problems of replacing `before` by `after`, two versions of one resource. */
export function checkUpdate(before: Resource, after: Resource): Problem[] {
  if (before.kind !== 'IPPool' || after.kind !== 'IPPool') return [];
  const problems: Problem[] = [];
  for (const field of ['cidr', 'blockSize'] as const) {
    if (before.spec[field] === after.spec[field]) continue;
    problems.push({
      code: 'FIELD_IMMUTABLE',
      resource: resourceText(after),
      field: `spec.${field}`,
      what: `${JSON.stringify(before.spec[field])} cannot become ${JSON.stringify(after.spec[field])}: blocks are cut from it`,
      remedy: 'make a new pool, move the workloads to it, then delete this one',
      value: after.spec[field],
    });
  }
  return problems;
}
