/**
 * From wanted changes and what the store holds to the operations of one commit: pure. Nothing is written while
 * any change has a problem.
 */
import {
  checkTogether,
  checkUpdate,
  keepingUnknown,
  type Kind,
  kindInfo,
  type Position,
  type Problem,
  type Resource,
  TIERED_KINDS,
  writeProblems,
} from '../api/index.ts';
import { sameForCalico } from './etcd/go-json.ts';
import type { Entry, Key, Operation } from './store.ts';

/** Gives a field, written as users write it, its place in their text. */
type Locate = (field?: string) => Position;

export type ResourceChange =
  | { readonly type: 'create' | 'update' | 'apply'; readonly resource: Resource; readonly at?: Locate }
  | { readonly type: 'delete'; readonly kind: Kind; readonly name: string; readonly namespace?: string };

export interface ResourceChanged {
  readonly outcome: 'created' | 'updated' | 'unchanged' | 'deleted';
  /** As stored, with its `resourceVersion`; of a deleted one, as it last was. */
  readonly resource: Resource;
}

export interface Situation {
  /** What the changes' keys hold, in order of the changes. */
  readonly found: readonly (Entry | undefined)[];
  /** All stored resources of the kinds in {@link checkedWith}. */
  readonly related: readonly Resource[];
  readonly now: Date;
  readonly newUid: () => string;
}

export interface Step {
  readonly outcome: ResourceChanged['outcome'];
  readonly resource: Resource;
  /** Absent when nothing is to be written. */
  readonly operation?: Operation;
}

/** Which stored kinds a change of a kind must be looked at together with, see `api/check/together.ts`. */
const TOGETHER: Partial<Record<Kind, readonly Kind[]>> = {
  IPPool: ['IPPool'],
  Tier: ['Tier', ...TIERED_KINDS],
  ...Object.fromEntries(TIERED_KINDS.map((kind) => [kind, ['Tier']])),
};

export function checkedWith(changes: readonly ResourceChange[]): Kind[] {
  return [...new Set(changes.flatMap((change) => TOGETHER[kindOf(change)] ?? []))];
}

export function resourceKey(kind: Kind, name: string, namespace: string | undefined): Key {
  return { kind, scope: namespace ?? '', name };
}

export function changeKey(change: ResourceChange): Key {
  if (change.type === 'delete') return resourceKey(change.kind, change.name, change.namespace);
  const { kind, metadata } = change.resource;
  return resourceKey(kind, metadata.name, metadata.namespace);
}

function kindOf(change: ResourceChange): Kind {
  return change.type === 'delete' ? change.kind : change.resource.kind;
}

/** What a reader sees of an entry: the stored resource with its revision, which is never stored. */
export function toResource(entry: Entry): Resource {
  const stored = entry.value as Resource;
  return { ...stored, metadata: { ...stored.metadata, resourceVersion: entry.revision } };
}

export function planChanges(
  changes: readonly ResourceChange[],
  situation: Situation,
): { readonly steps: readonly Step[]; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const steps: Step[] = [];
  const deleted = new Set<string>();
  let unsound = false;
  for (const [i, change] of changes.entries()) {
    const id = idOf(changeKey(change));
    if (deleted.has(id)) problems.push(repeated(changeKey(change)));
    if (change.type === 'delete') deleted.add(id);
    const invalid = change.type === 'delete' ? [] : writeProblems(change.resource, situation.found[i]?.value);
    problems.push(...invalid.map((problem) => placed(problem, change)));
    if (invalid.length > 0) {
      unsound = true;
      continue;
    }
    const planned = planChange(change, situation.found[i], situation);
    if ('code' in planned) problems.push(placed(planned, change));
    else steps.push(planned);
  }
  // What is unsound alone is not asked how it fits with others.
  if (unsound) return { steps, problems };
  problems.push(...togetherProblems(changes, situation));
  return { steps, problems };
}

function planChange(change: ResourceChange, found: Entry | undefined, situation: Situation): Step | Problem {
  const key = changeKey(change);
  if (change.type === 'delete') {
    if (found === undefined) return missing(key, change.kind);
    const expect = { revision: found.revision };
    return { outcome: 'deleted', resource: toResource(found), operation: { type: 'delete', key, expect } };
  }
  if (found === undefined) {
    if (change.type === 'update') return missing(key, change.resource.kind);
    const resource = storedForm(change.resource, undefined, situation);
    return {
      outcome: 'created',
      resource,
      operation: { type: 'put', key, value: resource, expect: 'absent' },
    };
  }
  if (change.type === 'create') return exists(key);
  const { resourceVersion } = change.resource.metadata;
  if (resourceVersion !== undefined && resourceVersion !== found.revision)
    return conflict(key, resourceVersion, found);
  const before = found.value as Resource;
  const [problem] = checkUpdate(before, change.resource);
  if (problem !== undefined) return problem;
  const resource = storedForm(keepingUnknown(change.resource, before), before, situation);
  if (sameForCalico(resource, before)) return { outcome: 'unchanged', resource: toResource(found) };
  const expect = { revision: found.revision };
  return { outcome: 'updated', resource, operation: { type: 'put', key, value: resource, expect } };
}

/**
 * What is stored of a resource: the identity that the server gave it, without what it fills in on reading. Fields
 * outside `metadata` and `spec` (a status) stay when the new text is silent on them.
 */
function storedForm(wanted: Resource, before: Resource | undefined, { now, newUid }: Situation): Resource {
  const {
    resourceVersion: _revision,
    selfLink: _selfLink,
    managedFields: _managedFields,
    deletionTimestamp: _deletion,
    deletionGracePeriodSeconds: _grace,
    ...metadata
  } = wanted.metadata;
  const uid = before?.metadata.uid ?? metadata.uid ?? newUid();
  const creationTimestamp =
    before?.metadata.creationTimestamp ?? metadata.creationTimestamp ?? toSeconds(now);
  return { ...before, ...wanted, metadata: { ...metadata, uid, creationTimestamp } } as Resource;
}

/** RFC 3339 in whole seconds, as Kubernetes writes it. */
function toSeconds(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

/** What the changes break between resources; what was broken before is not held against them. */
function togetherProblems(changes: readonly ResourceChange[], { related }: Situation): Problem[] {
  const touched = new Set(changes.map((change) => idOf(changeKey(change))));
  const wanted = changes.flatMap((change) => (change.type === 'delete' ? [] : [change.resource]));
  const kept = related.filter(
    ({ kind, metadata }) => !touched.has(idOf(resourceKey(kind, metadata.name, metadata.namespace))),
  );
  const old = new Set(checkTogether(related).map(signature));
  return checkTogether([...kept, ...wanted])
    .filter((problem) => !old.has(signature(problem)))
    .map((problem) => {
      const culprit = changes.find(
        (change) => change.type !== 'delete' && textOf(changeKey(change)) === problem.resource,
      );
      return culprit === undefined ? problem : placed(problem, culprit);
    });
}

function signature({ code, resource, field, what }: Problem): string {
  return JSON.stringify([code, resource, field, what]);
}

function idOf({ kind, scope, name }: Key): string {
  return JSON.stringify([kind, scope, name]);
}

function textOf({ kind, scope, name }: Key): string {
  return scope === '' ? `${kind}/${name}` : `${kind}/${scope}/${name}`;
}

function placed(problem: Problem, change: ResourceChange): Problem {
  if (change.type === 'delete' || change.at === undefined || problem.at !== undefined) return problem;
  return { ...problem, at: change.at(problem.field) };
}

export function missing(key: Key, kind: Kind): Problem {
  const plural = kindInfo(kind)?.plural ?? kind;
  const where = key.scope === '' ? '' : ` -n ${key.scope}`;
  return {
    code: 'RESOURCE_MISSING',
    resource: textOf(key),
    what: 'does not exist',
    remedy: `see what does with: poplin get ${plural}${where}`,
  };
}

/** Two changes of one resource that include a deletion; two puts are found by `checkTogether`. */
function repeated(key: Key): Problem {
  return {
    code: 'RESOURCE_REPEATED',
    resource: textOf(key),
    what: 'is named twice, once to be deleted',
    remedy: 'name it once',
  };
}

function exists(key: Key): Problem {
  return {
    code: 'RESOURCE_EXISTS',
    resource: textOf(key),
    what: 'exists already',
    remedy: 'change it with apply or replace',
  };
}

export function conflict(key: Key, asked: string, current: Entry | undefined): Problem {
  return {
    code: 'RESOURCE_CONFLICT',
    resource: textOf(key),
    field: 'metadata.resourceVersion',
    what: `was changed by someone else: ${asked} was expected, it is ${current?.revision ?? 'deleted'} now`,
    remedy: 'read it again and repeat the change, or leave resourceVersion out to overwrite',
    value: asked,
  };
}
