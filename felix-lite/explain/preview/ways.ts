/** The ways that a flow may take over hosts, and in words only as far as they make a difference. Pure. */
import type { Door } from './group.ts';

/** Without a door: over no interface of a host that has policy for what is forwarded. */
export interface Way {
  readonly out?: Door | undefined;
  readonly into?: Door | undefined;
  /** Both ends are on one node. */
  readonly isNear?: true;
}

export interface Told {
  readonly change: 'opens' | 'closes';
  readonly traffic: readonly string[];
}

interface Found {
  readonly way: Way;
  readonly changes: readonly Told[];
}

/** What is the same by all interfaces on one side is told without naming them. */
export function byWay(found: readonly Found[]): readonly (Told & { readonly by?: string })[] {
  if (areAlike(found)) return found[0]?.changes ?? [];
  const near = found.filter(({ way }) => way.isNear === true);
  const far = found.filter(({ way }) => way.isNear !== true);
  const bySide = (['into', 'out'] as const).find((side) =>
    [...groupedBy(far, side).values()].every((group) => areAlike(group)),
  );
  const told =
    bySide === undefined
      ? far
      : [...groupedBy(far, bySide)].flatMap(([door, [first]]) =>
          first === undefined ? [] : [{ way: { [bySide]: door }, changes: first.changes }],
        );
  return [...near, ...told].flatMap(({ way, changes }) =>
    changes.map((each) => ({ ...each, by: wordsFor(way) })),
  );
}

function groupedBy(
  found: readonly Found[],
  side: 'out' | 'into',
): ReadonlyMap<Door | undefined, readonly Found[]> {
  return Map.groupBy(found, ({ way }) => way[side]);
}

function areAlike(found: readonly Found[]): boolean {
  return new Set(found.map(({ changes }) => JSON.stringify(changes))).size <= 1;
}

function wordsFor({ out, into, isNear }: Way): string {
  if (isNear === true) return 'on one node';
  const words = [
    ...(out === undefined ? [] : [`out by ${out.name}`]),
    ...(into === undefined ? [] : [`in by ${into.name}`]),
  ];
  return words.length === 0 ? 'between nodes' : words.join(', ');
}
