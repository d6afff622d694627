/** What a reading of the table has found, by the route that it concerns. */
import type { TableRoute } from './route-table.ts';
import type { Routes } from './routes.ts';
import type { TableEntry } from './table-entry.ts';
import type { Trouble } from './trouble.ts';

/** Somebody else's route in the place of ours. */
export type Foreign = Pick<Trouble, 'foreign' | 'kin'>;

export interface Found {
  /** Of ours, by id. */
  readonly actual: readonly (TableEntry | undefined)[];
  readonly foreign: ReadonlyMap<number, Foreign>;
}

/** A route of ours of a type that we do not write: whatever is wanted differs from it, so it goes. */
const OTHERWISE: TableEntry = { type: 'unicast', gateways: [] };

/** Those of ours are known from here on; others' where something of ours is wanted or stands. */
export function sortOut(routes: Routes, listed: readonly TableRoute[]): Found {
  const actual: (TableEntry | undefined)[] = [];
  const foreign = new Map<number, Foreign>();
  for (const route of listed) {
    const { prefix, owner, entry } = route;
    if (owner === 'ours') actual[routes.open(prefix)] = entry ?? OTHERWISE;
    else {
      const id = routes.find(prefix);
      const kin = owner === 'kin' ? (entry?.type ?? 'unicast') : undefined;
      if (id !== undefined) foreign.set(id, { foreign: route.text, kin });
    }
  }
  return { actual, foreign };
}
