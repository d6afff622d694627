/** The iptables tools of one namespace and backend, and who else uses them. */
import { iptables, presentTables, type WatchedTable, watchTables } from '../../../net/kernel/index.ts';
import type { IpVersion } from '../../../net/addr/index.ts';
import type { TableName } from '../../rules/types.ts';
import { isOurs } from './diff.ts';
import type { IptablesIo, LoadPart } from './table.ts';

/** Tools whose work is remembered as ours until the kernel has told of it. */
const REMEMBERED = 64;

/** @param options  namespace and backend; defaults are this one and the machine's */
export function kernelIptables(options: iptables.IptablesOptions): IptablesIo {
  return {
    read: async (version, table) => {
      const { netns, backend } = options;
      // No process for a table that is not there: so it is on a node that has just come up.
      if (backend !== undefined && !(await presentTables(version, { netns, backend })).has(table)) return [];
      return (await iptables.save(version, table, options))[0]?.chains ?? [];
    },
    write: (version, tables) => iptables.restore(version, tables, { ...options, noflush: true }),
    load: (version, parts) => load(version, parts, options),
    counters: (version, table) => iptables.counters(version, table, options),
  };
}

async function load(
  version: IpVersion,
  parts: AsyncIterable<LoadPart>,
  options: iptables.RestoreOptions,
): Promise<void> {
  await iptables.restoreParts(version, transactions(parts, options.backend), { ...options, noflush: true });
}

/**
 * With the nft tool, chains that nothing leads to yet are committed, which is most of its work. The legacy one writes the
 * whole table with each commit: it has one.
 */
async function* transactions(
  parts: AsyncIterable<LoadPart>,
  backend: iptables.IptablesBackend | undefined,
): AsyncGenerator<iptables.RestorePart> {
  for await (const { table, steps, end } of parts)
    yield { table, steps, commit: end === 'whole' || (end === 'unreached' && backend === 'nft') };
}

/**
 * As {@link kernelIptables}, and calls `edited` when a program that we did not start has changed a chain of ours or one
 * that we hook into. The kernel tells of that with the nft-based tools only; what others do with the legacy ones is
 * found when the tables are read again.
 */
export function watchedIptables(
  options: iptables.IptablesOptions,
  tables: readonly TableName[],
  edited: () => void,
): IptablesIo {
  const io = kernelIptables(options);
  if (options.backend !== 'nft') return io;
  const pids = new Set<number>();
  let writing = 0;
  const watched = (['ip', 'ip6'] as const).flatMap((family) =>
    tables.map(
      (name): WatchedTable => ({ family, name, chains: (chain) => isOurs(chain) || BUILT_IN.test(chain) }),
    ),
  );
  const cancel = watchTables(options.netns, watched, ({ pid, program }) => {
    // In a container the kernel counts processes otherwise than we do, and the name has to do.
    const ours = pids.has(pid) || (writing > 0 && OUR_TOOL.test(program));
    if (!ours) edited();
  });
  const onStart = (pid: number): void => {
    pids.add(pid);
    const [oldest] = pids;
    if (pids.size > REMEMBERED && oldest !== undefined) pids.delete(oldest);
  };
  const asOurs = async (work: Promise<void>): Promise<void> => {
    writing++;
    try {
      await work;
    } finally {
      writing--;
    }
  };
  return {
    ...io,
    write: (version, tables) =>
      asOurs(iptables.restore(version, tables, { ...options, noflush: true, onStart })),
    load: (version, parts) => asOurs(load(version, parts, { ...options, onStart })),
    close: cancel,
  };
}

const BUILT_IN = /^[A-Z]+$/;
/** As far as a thread's name reaches. */
const OUR_TOOL = /^ip6?tables-nft-/;
