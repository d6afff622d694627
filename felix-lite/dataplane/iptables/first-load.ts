/**
 * The first load of a node: tables in which nothing is ours yet. All of a family go to one process, which reads chains while
 * the next are rendered and while sets are still being filled. What leads packets to these chains is withheld until that is
 * done, so a load that is broken off in the middle, by us or by our death, is met by no packet.
 */
import type { IpVersion } from '../../../net/addr/index.ts';
import type { iptables } from '../../../net/kernel/index.ts';
import { type IptablesIo, type IptablesTable, isFresh, type LoadPart } from './table.ts';

interface Fresh {
  readonly table: IptablesTable;
  /** What the kernel held before. */
  readonly seen: readonly iptables.SavedChain[];
}

export interface FirstLoads {
  readonly tried: ReadonlySet<IptablesTable>;
  /** In force, as wanted. */
  readonly loaded: ReadonlySet<IptablesTable>;
  /** Of those that were loaded. */
  readonly steps: number;
}

/**
 * Why a load fails, if it does, is found out table by table, by {@link IptablesTable.apply}.
 *
 * @param present  what each table holds; undefined: not looked at, or not to be had
 * @param filled  resolves once all sets that the rules look into are as wanted; rejects when these rules are not to come
 *   into force
 */
export async function loadFirst(
  io: IptablesIo,
  tables: readonly IptablesTable[],
  present: readonly (readonly iptables.SavedChain[] | undefined)[],
  filled: Promise<void>,
): Promise<FirstLoads> {
  // It may be known before a tool asks.
  filled.catch(() => undefined);
  const fresh = tables.flatMap((table, index): readonly Fresh[] => {
    const seen = present[index];
    return seen !== undefined && isFresh(seen) && !table.isEmpty ? [{ table, seen }] : [];
  });
  const loaded = new Set<IptablesTable>();
  let steps = 0;
  const families = Map.groupBy(fresh, ({ table }) => table.version);
  await Promise.all(
    [...families].map(async ([version, loads]) => {
      try {
        const taken = await loadFamily(io, version, loads, filled);
        steps += taken;
        for (const { table } of loads) loaded.add(table);
      } catch {
        // What the kernel holds of it now, whoever writes it next has to ask.
      }
    }),
  );
  return { tried: new Set(fresh.map(({ table }) => table)), loaded, steps };
}

async function loadFamily(
  io: IptablesIo,
  version: IpVersion,
  loads: readonly Fresh[],
  filled: Promise<void>,
): Promise<number> {
  let count = 0;
  const counted = async function* (): AsyncGenerator<LoadPart> {
    for await (const part of partsOf(loads, filled)) {
      count += part.steps.length;
      yield part;
    }
  };
  await io.load(version, counted());
  for (const { table, seen } of loads) table.loaded(seen);
  return count;
}

/** One table can be open at a time, and the one with the most in it is worth beginning with. */
async function* partsOf(loads: readonly Fresh[], filled: Promise<void>): AsyncGenerator<LoadPart> {
  const [largest, ...others] = loads.toSorted((a, b) => b.table.size - a.table.size);
  if (largest === undefined) return;
  // Bit by bit: the tool then parses for one family while the kernel is at work for the other.
  yield* chainsOf(largest, 'unreached');
  await filled;
  yield hooksOf(largest);
  for (const each of others) {
    yield* chainsOf(each, 'inside');
    yield hooksOf(each);
  }
}

function* chainsOf({ table }: Fresh, end: LoadPart['end']): Generator<LoadPart> {
  for (const steps of table.chainSteps()) yield { table: table.table, steps, end };
}

function hooksOf({ table, seen }: Fresh): LoadPart {
  return { table: table.table, steps: table.hookSteps(seen), end: 'whole' };
}
