/** Our own prefixes as paths in the Loc-RIBs: reconciled to a wanted list, what did not change stays untouched. */
import type { AttributePool } from '../rib/attributes.ts';
import type { Path, Source } from '../rib/path.ts';
import { FAMILIES, type Family } from '../wire/types.ts';
import { ownAttributes, type OriginatedRoute } from './config.ts';
import type { FamilyTable } from './family-table.ts';

/** Id of the source of our own routes; peers count from 1. */
export const OWN_SOURCE_ID = 0;

interface Own {
  readonly id: number;
  readonly path: Path;
  readonly table: FamilyTable;
}

export class OwnRoutes {
  readonly #pool: AttributePool;
  readonly #tables: Readonly<Record<Family, FamilyTable>>;
  readonly #routes = new Map<string, Own>();

  constructor(pool: AttributePool, tables: Readonly<Record<Family, FamilyTable>>) {
    this.#pool = pool;
    this.#tables = tables;
  }

  reconcile(wanted: readonly OriginatedRoute[], asn: number, routerId: number): void {
    const source = ownSource(asn, routerId);
    const left = new Map(this.#routes);
    for (const route of wanted) {
      const key = route.prefix.toString();
      const old = this.#routes.get(key);
      left.delete(key);
      this.#put(key, route, source, old);
    }
    for (const [key, own] of left) this.#remove(key, own);
  }

  #put(key: string, route: OriginatedRoute, source: Source, old: Own | undefined): void {
    const attributes = this.#pool.intern(ownAttributes(route));
    if (
      old !== undefined &&
      sameOwn(old.path, source) &&
      old.path.attributes === attributes &&
      old.path.kernel === route.kernel
    )
      return this.#pool.release(attributes);
    const table = this.#tables[familyOfVersion(route.prefix.version)];
    const path = table.locRib.table.intern({
      source,
      pathId: 0,
      nextHop: undefined,
      received: attributes,
      attributes,
      rejected: undefined,
      kernel: route.kernel,
    });
    this.#pool.release(attributes);
    const id = old?.id ?? table.index.acquire(route.prefix);
    if (old !== undefined) table.locRib.table.release(old.path.number);
    this.#routes.set(key, { id, path, table });
    table.locRib.put(id, path);
  }

  #remove(key: string, own: Own): void {
    this.#routes.delete(key);
    own.table.locRib.remove(own.id, own.path.source, own.path.pathId);
    own.table.locRib.table.release(own.path.number);
    own.table.index.release(own.id);
  }
}

function ownSource(asn: number, routerId: number): Source {
  return {
    id: OWN_SOURCE_ID,
    name: 'local',
    kind: 'local',
    reflectorClient: false,
    asn,
    routerId,
    address: undefined,
  };
}

function sameOwn(path: Path, source: Source): boolean {
  return path.source.asn === source.asn && path.source.routerId === source.routerId;
}

export function familyOfVersion(version: 4 | 6): Family {
  return FAMILIES['ipv4-unicast'].version === version ? 'ipv4-unicast' : 'ipv6-unicast';
}
