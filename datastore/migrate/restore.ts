/** Writes a whole datastore into another, locked from the first object on, and then compares what lies there. */
import {
  DEFAULT_TIER,
  fail,
  ok,
  type Problem,
  type Result,
  TIER_LABEL,
  TIERED_KINDS,
} from '../../api/index.ts';
import type { Clock } from '../../clock/clock.ts';
import { sameForCalico } from '../etcd/go-json.ts';
import { stringifyJson } from '../json.ts';
import { type Entry, type Key, keyText, type Operation, type Store } from '../store.ts';
import { type Dumped, isRecord } from './dump.ts';
import { IPAM_KINDS, MIGRATED_KINDS } from './kinds.ts';
import { CLUSTER_INFORMATION } from '../ready.ts';
import { setIncomplete, setReady, withIncomplete, withReady } from './lock.ts';
import { snapshot } from './snapshot.ts';

/** etcd takes 128 operations and 1.5 MiB per transaction as it comes; a policy may need two operations there. */
const BATCH = 50;
const BATCH_CHARACTERS = 500_000;

export interface RestoreOptions {
  /** Also into a store that holds something: objects of the same name are replaced, others stay. */
  readonly overwrite: boolean;
}

export interface KindCount {
  readonly kind: string;
  /** In the export, and by the verification also in the store. */
  readonly objects: number;
  readonly written: number;
}

export interface Restored {
  /** Of each kind that has objects, in the order of writing. */
  readonly kinds: readonly KindCount[];
  /** Objects that were in the store before and are not part of the export. */
  readonly others: number;
}

/**
 * Leaves the store locked: whoever has looked at it unlocks it. When it is cut short, the same again with `overwrite`
 * completes it.
 */
export async function restore(
  store: Store,
  clock: Clock,
  objects: readonly Dumped[],
  { overwrite }: RestoreOptions,
): Promise<Result<Restored>> {
  const isGiven = (key: Key): boolean => store.isGiven?.(key) === true;
  // What Kubernetes has of its own stays as it is; but its nodes, which must be there, take what we know of them.
  const movable = objects.filter(({ key }) => !isGiven(key) || key.kind === 'Node');
  const before = await snapshot(store);
  const inTheWay = before.filter(({ key }) => key.kind !== CLUSTER_INFORMATION.kind && !isGiven(key));
  if (!overwrite && inTheWay.length > 0) return fail(notEmpty(inTheWay));

  await setReady(store, clock, false);
  await setIncomplete(store, true);
  const present = new Map((await snapshot(store)).map((entry) => [keyText(entry.key), entry]));
  const operations = movable.toSorted(inOrderOfWriting).flatMap((object) => {
    const found = present.get(keyText(object.key));
    const isThere = found !== undefined && sameObject(found, object);
    // Where uids are ours to give, they move along.
    const isItself = store.isGiven !== undefined || (isThere && uidOf(found.value) === uidOf(object.value));
    return isThere && isItself ? [] : [putOf(object, found)];
  });
  for (const batch of batchesOf(operations, store.transactional)) {
    const commit = await store.commit(batch);
    if (!commit.ok) return fail(interfered(commit.failed.key));
  }

  const after = await snapshot(store);
  const differences = differencesOf(
    movable.filter(({ key }) => !isGiven(key)),
    after,
  );
  if (differences.length > 0) return fail(...differences);
  await setIncomplete(store, false);
  return ok({
    kinds: countsOf(movable, operations),
    others:
      after.filter(({ key }) => key.kind !== CLUSTER_INFORMATION.kind && !isGiven(key)).length -
      movedOf(movable.filter(({ key }) => !isGiven(key))),
  });
}

/** What of the export a store does not hold, or holds otherwise. Pure. */
export function differencesOf(objects: readonly Dumped[], entries: readonly Entry[]): Problem[] {
  const present = new Map(entries.map((entry) => [keyText(entry.key), entry]));
  return objects.flatMap((object): Problem[] => {
    const found = present.get(keyText(object.key));
    if (found !== undefined && sameObject(found, object)) return [];
    return [
      {
        code: 'MIGRATION_DIFFERS',
        resource: keyText(object.key),
        what:
          found === undefined ? 'is not in the datastore' : 'is in the datastore, but not as it was exported',
        remedy: 'look for someone who writes to the datastore, and import again with --overwrite',
      },
    ];
  });
}

/**
 * Equal but for what Calico's form does not tell apart, and for what a move changes: the lock, the label of a policy's tier, which etcd adds, and the uid, which Kubernetes
 * gives anew; and that IPAM's objects are not deleted need not be said. Pure.
 */
function sameObject(entry: Entry, object: Dumped): boolean {
  return sameForCalico(comparable(entry.key, entry.value), comparable(object.key, object.value));
}

function uidOf(value: unknown): unknown {
  const metadata = isRecord(value) ? value['metadata'] : undefined;
  return isRecord(metadata) ? metadata['uid'] : undefined;
}

const TIERED: ReadonlySet<string> = new Set(TIERED_KINDS);

function comparable(key: Key, value: unknown): unknown {
  if (!isRecord(value)) return value;
  if (IPAM_KINDS.includes(key.kind)) return withoutDefaults(value);
  const { uid: _uid, ...metadata } = isRecord(value['metadata']) ? value['metadata'] : {};
  const found = { ...value, metadata };
  if (key.kind === CLUSTER_INFORMATION.kind) return withIncomplete(withReady(found, false), false);
  if (!TIERED.has(key.kind)) return found;
  const spec = isRecord(value['spec']) ? value['spec'] : {};
  const labels = isRecord(metadata['labels']) ? metadata['labels'] : {};
  return {
    ...found,
    metadata: { ...metadata, labels: { [TIER_LABEL]: spec['tier'] ?? DEFAULT_TIER, ...labels } },
  };
}

/** Custom resources say what etcd's objects leave out. */
function withoutDefaults(value: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== false));
}

function putOf({ key, value }: Dumped, found: Entry | undefined): Operation {
  return {
    type: 'put',
    key,
    value: key.kind === CLUSTER_INFORMATION.kind ? withIncomplete(withReady(value, false), true) : value,
    expect: found === undefined ? 'absent' : { revision: found.revision },
  };
}

function inOrderOfWriting(a: Dumped, b: Dumped): number {
  return MIGRATED_KINDS.indexOf(a.key.kind) - MIGRATED_KINDS.indexOf(b.key.kind);
}

function* batchesOf(operations: readonly Operation[], transactional: boolean): Generator<Operation[]> {
  let batch: Operation[] = [];
  let characters = 0;
  for (const operation of operations) {
    const size = operation.type === 'put' ? stringifyJson(operation.value).length : 0;
    const full = batch.length >= (transactional ? BATCH : 1) || characters + size > BATCH_CHARACTERS;
    if (full && batch.length > 0) {
      yield batch;
      batch = [];
      characters = 0;
    }
    batch.push(operation);
    characters += size;
  }
  if (batch.length > 0) yield batch;
}

function countsOf(objects: readonly Dumped[], operations: readonly Operation[]): KindCount[] {
  return MIGRATED_KINDS.flatMap((kind) => {
    const total = countOf(objects, kind);
    return total === 0 ? [] : [{ kind, objects: total, written: countOf(operations, kind) }];
  });
}

function countOf(all: readonly { readonly key: Key }[], kind: string): number {
  return all.filter(({ key }) => key.kind === kind).length;
}

function movedOf(objects: readonly Dumped[]): number {
  return objects.filter(({ key }) => key.kind !== CLUSTER_INFORMATION.kind).length;
}

function notEmpty(entries: readonly Entry[]): Problem {
  const shown = entries.slice(0, 3).map(({ key }) => keyText(key));
  const more = entries.length - shown.length;
  return {
    code: 'STORE_NOT_EMPTY',
    what: `the datastore is not empty: it holds ${shown.join(', ')}${more === 0 ? '' : ` and ${more} more`}`,
    remedy: 'import into an empty one, or replace objects of the same names with --overwrite',
  };
}

function interfered(key: Key): Problem {
  return {
    code: 'MIGRATION_INTERFERED',
    resource: keyText(key),
    what: 'was written by someone else during the import, which stopped there',
    remedy: 'stop whoever writes to this datastore, and import again with --overwrite',
  };
}
