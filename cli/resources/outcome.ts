/** What is said after, and refused before, a change of resources. */
import type { ManifestDocument, Problem, Resource } from '../../api/index.ts';

/** `3 'IPPool' resource(s)` or, of different kinds, `5 resource(s)`: calicoctl's words, which scripts look for. */
export function countResources(kinds: readonly string[]): string {
  const [first] = kinds;
  const alike = first !== undefined && kinds.every((kind) => kind === first);
  return alike ? `${kinds.length} '${first}' resource(s)` : `${kinds.length} resource(s)`;
}

/** Poplin's own record of the cluster is read by everybody and written by none. */
export function notWritable(documents: readonly ManifestDocument[]): Problem[] {
  return documents.flatMap((document) =>
    document.resource.kind === 'ClusterInformation' ? [readOnly(document.resource, document.at())] : [],
  );
}

function readOnly(resource: Resource, at: Problem['at']): Problem {
  return {
    code: 'RESOURCE_READ_ONLY',
    resource: `${resource.kind}/${resource.metadata.name}`,
    field: 'kind',
    value: resource.kind,
    what: 'ClusterInformation is kept by Poplin itself and cannot be written',
    remedy: 'leave it out of the file',
    ...(at === undefined ? {} : { at }),
  };
}
