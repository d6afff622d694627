/**
 * Work of ours that stands where we no longer work: the other backend's after a change of mind, Calico's chains that we
 * have no use for. Packets pass it as well as what is in force, so it goes, but only once that stands.
 */
import type { IpVersion } from '../../net/addr/index.ts';
import { IpsetNetlink, Nftables } from '../../net/kernel/index.ts';
import { isOurSet } from '../rules/names.ts';
import { TABLES } from '../rules/tables.ts';
import type { TableName } from '../rules/types.ts';
import { kernelIptables } from './iptables/io.ts';
import { IptablesTable } from './iptables/table.ts';
import { ourTable } from './nftables/names.ts';

/** One thing to be removed; throws when that has to wait. */
export type Leftover = () => Promise<void>;

export class Leftovers {
  #stages: readonly (readonly Leftover[])[];

  /** @param stages  those of one are removed side by side, and those that they refer to in a later one */
  constructor(...stages: readonly (readonly Leftover[])[]) {
    this.#stages = stages;
  }

  /** No workload's policy hangs on these: what fails is tried again the next time. */
  async clear(): Promise<void> {
    const left: (readonly Leftover[])[] = [];
    for (const stage of this.#stages) {
      const outcomes = await Promise.allSettled(stage.map((remove) => remove()));
      left.push(stage.filter((_, index) => outcomes[index]?.status === 'rejected'));
    }
    this.#stages = left;
  }
}

/** Every chain and rule of ours in these tables of one iptables. */
export function iptablesLeftovers(
  backend: 'nft' | 'legacy',
  netns: string | undefined,
  versions: readonly IpVersion[],
  tables: readonly TableName[] = [...TABLES, ...UNUSED],
): readonly Leftover[] {
  const io = kernelIptables({ netns, backend });
  return versions.flatMap((version) =>
    tables.map((table) => async () => {
      await new IptablesTable(version, table, [], io).apply(true);
    }),
  );
}

/** Calico keeps chains there that we do not need. */
export const UNUSED: readonly TableName[] = (['raw', 'mangle', 'nat', 'filter'] as const).filter(
  (table) => !TABLES.includes(table),
);

/** Address sets, of which the nftables backend has its own. */
export function ipsetLeftovers(netns: string | undefined): Leftover {
  return async () => {
    using kernel = IpsetNetlink.open({ netns });
    const ours = (await kernel.headers()).filter(({ name }) => isOurSet(name));
    for (const { name } of ours) await kernel.apply([{ op: 'destroy', name }]);
  };
}

/**
 * The tables, and in a transaction before that the chains that packets come to. Both at once would cut what policy allows:
 * from the moment that a transaction holds until its work comes to a chain that packets come to, which is behind all rules
 * and sets, the kernel runs the rules of such a chain as before, and its maps are empty by then, so that every interface is
 * unknown. (A chain that goes gets no new list of rules: the kernel's `nf_tables_commit_chain_prepare()`.)
 */
export function nftablesLeftovers(
  netns: string | undefined,
  versions: readonly IpVersion[],
): readonly Leftover[] {
  return versions.map((version) => async () => {
    using nft = Nftables.open({ netns });
    const table = ourTable(version);
    if (!(await nft.listTables(table.family)).includes(table.name)) return;
    const hooked = (await nft.listChains(table)).filter(({ base }) => base !== undefined);
    if (hooked.length > 0)
      await nft.commit(hooked.map(({ name }) => ({ op: 'delete-chain', table, chain: name })));
    await nft.commit([{ op: 'delete-table', table }]);
  });
}
