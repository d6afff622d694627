/** What an API server holds, without what is in it: names of blocks, and what is no object of this release. */
import { isMigrated, isOwn } from '../migrate/kinds.ts';
import type { Key, Selection, Stray } from '../store.ts';
import type { Client } from './client.ts';
import { entriesOf } from './reflector.ts';
import { listObjects, METADATA_ONLY } from './list.ts';
import { cidrOf } from './names.ts';
import type { KubernetesObject } from './native/native.ts';
import { type ApiResource, type Source, sourcesOf, STORED_OBJECTS } from './resources.ts';
import { decodeStored } from './stored-object.ts';

const MARKED = 'deletions of Calico that were cut short; whoever reads one counts it as gone';

/**
 * The keys of a selection, of kinds whose names say them all. A block that is marked as deleted is named, too: its place is
 * free once it is gone.
 *
 * @returns undefined when objects must be read to know them
 */
export async function namesOf(client: Client, { kind }: Selection): Promise<readonly Key[] | undefined> {
  if (kind !== 'IPAMBlock') return undefined;
  const [source] = sourcesOf(kind);
  if (source === undefined) return undefined;
  const { objects } = await listObjects(client, source.resource, { accept: METADATA_ONLY });
  const keys = objects.flatMap(({ metadata }): Key[] => {
    const cidr = cidrOf(metadata.name);
    return cidr === undefined ? [] : [{ kind, scope: '', name: cidr }];
  });
  return keys.length === objects.length ? keys : undefined;
}

/**
 * Objects in collections that are ours or Calico's which are nothing that this release knows.
 *
 * @param kinds  all that this release knows
 */
export async function straysOf(client: Client, kinds: readonly string[]): Promise<readonly Stray[]> {
  const custom = kinds.flatMap((kind) =>
    sourcesOf(kind).filter(
      ({ write, resource }) => write?.type === 'custom' && resource.plural !== STORED_OBJECTS.plural,
    ),
  );
  const collections = Map.groupBy(custom, ({ resource }) => nameOf(resource));
  const strays: Stray[] = [];
  for (const [name, sources] of collections) {
    const [{ resource }] = sources as [Source];
    const { objects } = await listObjects(client, resource, {});
    for (const object of objects) {
      if (sources.some((source) => entriesOf(object, source).length > 0)) continue;
      const where = `${name}/${object.metadata.name}`;
      strays.push(isMarked(object) ? { where, belongsTo: MARKED } : { where });
    }
  }
  const { objects } = await listObjects(client, STORED_OBJECTS, {});
  for (const object of objects) {
    const kind = decodeStored(object)?.key.kind;
    if (kind !== undefined && isMigrated(kind)) continue;
    const where = `${nameOf(STORED_OBJECTS)}/${object.metadata.name}`;
    const isWork = kind !== undefined && isOwn(kind);
    strays.push(isWork ? { where, belongsTo: 'the work of this release itself' } : { where });
  }
  return strays;
}

function nameOf({ plural, group }: ApiResource): string {
  return `${plural}.${group}`;
}

function isMarked({ spec }: KubernetesObject): boolean {
  const deleted: unknown = typeof spec === 'object' && spec !== null && 'deleted' in spec && spec.deleted;
  return deleted === true || deleted === 'true';
}
