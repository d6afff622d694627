/** What of the resources in a store cannot be read, or does not fit together. Pure. */
import {
  checkTogether,
  KINDS,
  type Problem,
  readStored,
  type Resource,
  type WorkloadEndpoint,
} from '../api/index.ts';
import { isRecord, misnamed } from './migrate/dump.ts';
import { type Entry, keyText } from './store.ts';

const RESOURCE_KINDS: ReadonlySet<string> = new Set(KINDS.map(({ kind }) => kind));

export interface CheckedResources {
  readonly problems: readonly Problem[];
  /** Those that can be read. */
  readonly resources: readonly Resource[];
}

/** @param entries  of any kinds; those that are no v3 resources are passed over */
export function checkResources(entries: readonly Entry[]): CheckedResources {
  const problems: Problem[] = [];
  const resources: Resource[] = [];
  for (const { key, value } of entries) {
    if (!RESOURCE_KINDS.has(key.kind)) continue;
    const resource = keyText(key);
    const fault = isRecord(value) ? misnamed({ key, value }) : 'holds text that is no JSON object';
    if (fault !== undefined) {
      problems.push(broken(resource, `the datastore ${fault}`));
      continue;
    }
    const read = readStored(value);
    if (read.ok) resources.push(read.value);
    else problems.push(...read.problems.map((problem) => ({ ...problem, resource })));
  }
  return { resources, problems: [...problems, ...checkTogether(resources), ...homeless(resources)] };
}

function broken(resource: string, what: string): Problem {
  return {
    code: 'STORE_OBJECT_BROKEN',
    resource,
    what,
    remedy: 'write it anew or delete it with the tool that wrote it',
  };
}

/** Endpoints whose node is not there: no agent will ever take them away. */
function homeless(resources: readonly Resource[]): Problem[] {
  const nodes = new Set(resources.flatMap(({ kind, metadata }) => (kind === 'Node' ? [metadata.name] : [])));
  return resources
    .filter((resource): resource is WorkloadEndpoint => resource.kind === 'WorkloadEndpoint')
    .filter(({ spec }) => !nodes.has(spec.node))
    .map(({ metadata, spec }) => ({
      code: 'NODE_MISSING',
      resource: `WorkloadEndpoint/${metadata.namespace}/${metadata.name}`,
      field: 'spec.node',
      value: spec.node,
      what: `names the node ${spec.node}, which does not exist`,
      remedy:
        'delete the endpoint if its machine is gone for good, or start the agent there, which makes the node',
    }));
}
