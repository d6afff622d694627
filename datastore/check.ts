/** What of a store cannot be read, is there twice, belongs to nobody, or does not fit together. Pure. */
import {
  checkTogether,
  KINDS,
  type Problem,
  readStored,
  type Resource,
  type WorkloadEndpoint,
} from '../api/index.ts';
import { isRecord, misnamed } from './migrate/dump.ts';
import { type Entry, keyText, type Stray } from './store.ts';

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
  return {
    resources,
    problems: [
      ...problems,
      ...twice(entries),
      ...checkTogether(resources),
      ...homeless(resources),
      ...orphans(resources),
    ],
  };
}

/** Keys of an engine that are no objects of any kind that this release knows. */
export function checkStrays(strays: readonly Stray[]): Problem[] {
  return strays
    .filter(({ belongsTo }) => belongsTo === undefined)
    .map(({ where }) => ({
      code: 'STORE_UNKNOWN',
      value: where,
      what: `the datastore holds ${where}, which is of no kind that this release knows, and which a migration leaves behind`,
      remedy: 'use a release that knows it, or delete it with the tool that wrote it',
    }));
}

/** A policy under both of the names that releases of Calico give it: which of them counts is chance. */
function twice(entries: readonly Entry[]): Problem[] {
  const groups = Map.groupBy(entries, ({ key }) => keyText(key));
  return [...groups].flatMap(([resource, group]) =>
    group.length < 2
      ? []
      : [
          {
            code: 'STORE_DUPLICATE',
            resource,
            what: `lies in the datastore ${group.length} times, under the names that older and newer releases of Calico give it`,
            remedy:
              'write it once with poplin apply, which leaves one, or calicoctl datastore migrate-policy-names',
          },
        ],
  );
}

interface OwnerReference {
  readonly kind: string;
  readonly name: string;
  readonly uid?: string;
}

/** What names an owner of our kinds that is not there, or is another by now. */
function orphans(resources: readonly Resource[]): Problem[] {
  const uids = new Map(
    resources.map(({ kind, metadata }) => [
      `${kind}/${metadata.namespace ?? ''}/${metadata.name}`,
      metadata.uid,
    ]),
  );
  const isThere = ({ kind, name, uid }: OwnerReference, namespace: string): boolean =>
    // An owner is in the same namespace, or in none.
    [namespace, ''].some((scope) => {
      const id = `${kind}/${scope}/${name}`;
      return uids.has(id) && (uid === undefined || uids.get(id) === uid);
    });
  return resources.flatMap((resource) =>
    ownersOf(resource)
      .filter(({ kind }) => RESOURCE_KINDS.has(kind))
      .filter((owner) => !isThere(owner, resource.metadata.namespace ?? ''))
      .map(({ kind, name }) => ({
        code: 'OWNER_MISSING',
        resource: keyText({
          kind: resource.kind,
          scope: resource.metadata.namespace ?? '',
          name: resource.metadata.name,
        }),
        field: 'metadata.ownerReferences',
        value: `${kind}/${name}`,
        what: `belongs to ${kind}/${name}, which does not exist, or is another of that name`,
        remedy: 'delete it if its owner is gone for good, or take the reference out of its metadata',
      })),
  );
}

function ownersOf({ metadata }: Resource): OwnerReference[] {
  const references: readonly unknown[] = Array.isArray(metadata.ownerReferences)
    ? metadata.ownerReferences
    : [];
  return references.flatMap((one) =>
    isRecord(one) &&
    typeof one['kind'] === 'string' &&
    typeof one['name'] === 'string' &&
    isOurs(one['apiVersion'])
      ? [
          {
            kind: one['kind'],
            name: one['name'],
            ...(typeof one['uid'] === 'string' ? { uid: one['uid'] } : {}),
          },
        ]
      : [],
  );
}

function isOurs(apiVersion: unknown): boolean {
  return typeof apiVersion === 'string' && apiVersion.startsWith('projectcalico.org/');
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
