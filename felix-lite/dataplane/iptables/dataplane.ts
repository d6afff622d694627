/**
 * Policy in iptables and ipset: sets before the rules that look into them, per table one transaction in which chains come
 * before references, and only then the removal of sets that no rule needs any more.
 */
import type { Problem } from '../../../api/problem.ts';
import type { IpVersion } from '../../../net/addr/index.ts';
import type { iptables } from '../../../net/kernel/index.ts';
import type { CalcDelta } from '../../calc/model.ts';
import type { RuleTables } from '../../rules/tables.ts';
import { refusedSet } from '../closed-chains.ts';
import type { Applied, Dataplane, RuleCounter } from '../dataplane.ts';
import { type IpsetIo, IpSets } from '../ipset/sets.ts';
import type { Leftovers } from '../leftovers.ts';
import { type IptablesIo, IptablesTable } from './table.ts';

export interface IptablesDataplaneOptions {
  readonly rules: RuleTables;
  readonly versions: readonly IpVersion[];
  readonly iptables: IptablesIo;
  readonly ipset: IpsetIo;
  readonly leftovers: Leftovers;
  /** Known before anything is written. */
  readonly problems?: readonly Problem[];
  readonly maxSetSize?: number;
}

interface FirstLoad {
  readonly table: IptablesTable;
  readonly seen: readonly iptables.SavedChain[];
  readonly steps: readonly iptables.RestoreStep[];
}

interface FirstLoads {
  readonly tried: ReadonlySet<IptablesTable>;
  readonly loaded: ReadonlySet<IptablesTable>;
  /** Of those that were loaded. */
  readonly steps: number;
}

export class IptablesDataplane implements Dataplane {
  readonly #rules: RuleTables;
  readonly #versions: readonly IpVersion[];
  readonly #sets: IpSets;
  readonly #ipset: IpsetIo;
  readonly #iptables: IptablesIo;
  readonly #tables: readonly IptablesTable[];
  readonly #leftovers: Leftovers;
  readonly #standing: readonly Problem[];
  #stuck: readonly string[] = [];
  #fresh = true;

  constructor({
    rules,
    versions,
    iptables: io,
    ipset,
    leftovers,
    problems,
    maxSetSize,
  }: IptablesDataplaneOptions) {
    this.#standing = problems ?? [];
    this.#rules = rules;
    this.#versions = versions;
    this.#ipset = ipset;
    this.#iptables = io;
    this.#sets = new IpSets(ipset, versions, maxSetSize);
    this.#leftovers = leftovers;
    const hooks = rules.hooks();
    this.#tables = versions.flatMap((version) =>
      rules.tables(version).map((table) => new IptablesTable(version, table, hooks.get(table) ?? [], io)),
    );
  }

  update(delta: CalcDelta): void {
    this.#sets.update(delta.sets);
    this.#rules.update(delta);
  }

  /** @throws when no set could be written: no rule is touched then, since it might look into one of them */
  async apply(reread: boolean): Promise<Applied> {
    const look = reread || this.#fresh;
    for (const { version, table, chains } of this.#rules.takeChanges()) {
      this.#tables.find((each) => each.version === version && each.table === table)?.update(chains);
    }
    // Side by side: sets over netlink, and tools that read the tables.
    const [seen, filled] = await Promise.allSettled([
      Promise.all(look ? this.#tables.map((table) => table.look()) : []),
      this.#sets.applyUpdates(look),
    ]);
    if (filled.status === 'rejected') throw filled.reason;
    const refused = new Set(this.#sets.refused.keys());
    for (const table of this.#tables) table.refuseSets(refused);
    const present = seen.status === 'fulfilled' ? seen.value : [];
    const first = await this.#loadFirst(present);
    let steps = filled.value + first.steps;
    const failures: Applied['failures'][number][] = [];
    // At once: no table depends on another, and each waits for a process of its own.
    await Promise.all(
      this.#tables.map(async (each, index) => {
        if (first.loaded.has(each)) return;
        try {
          steps += await each.apply(look, first.tried.has(each) ? undefined : present[index]);
        } catch (error) {
          failures.push({ version: each.version, table: each.table, error });
        }
      }),
    );
    // Sets that a failed table may still look into stay.
    if (failures.length > 0) return { steps, failures, leftover: 0 };
    this.#fresh = false;
    if (look) await this.#leftovers.clear();
    const { stuck, left } = await this.#sets.applyRemovals();
    this.#stuck = stuck;
    return { steps, failures, leftover: left, unseen: this.#tables.some(({ unseen }) => unseen) };
  }

  /**
   * Tables in which nothing is ours yet: all of a family by one process, beside which the next family is rendered. Why that
   * fails, if it does, is found out table by table, by {@link IptablesTable.apply}.
   *
   * @param present  what each table holds; undefined: not looked at
   */
  async #loadFirst(present: readonly (readonly iptables.SavedChain[] | undefined)[]): Promise<FirstLoads> {
    const tried = new Set<IptablesTable>();
    const loaded = new Set<IptablesTable>();
    let steps = 0;
    const writes: Promise<void>[] = [];
    for (const version of this.#versions) {
      const loads: FirstLoad[] = [];
      for (const [index, table] of this.#tables.entries()) {
        const seen = present[index];
        if (table.version !== version || seen === undefined) continue;
        const first = await table.firstLoad(seen);
        if (first !== undefined && first.length > 0) loads.push({ table, seen, steps: first });
      }
      if (loads.length === 0) continue;
      for (const { table } of loads) tried.add(table);
      const input = loads.map((each) => ({ table: each.table.table, steps: each.steps }));
      const taken = (): void => {
        for (const each of loads) {
          each.table.loaded(each.seen);
          loaded.add(each.table);
          steps += each.steps.length;
        }
      };
      writes.push(this.#iptables.write(version, input).then(taken, () => undefined));
    }
    await Promise.all(writes);
    return { tried, loaded, steps };
  }

  get problems(): readonly Problem[] {
    const stuck = this.#stuck.map((name) => ({
      code: 'SET_IN_USE',
      value: name,
      what: `the address set ${name} is not needed any more, but a rule that is not ours uses it`,
      remedy: 'remove that rule; the set then goes by itself',
    }));
    const refused = [...this.#sets.refused].map(([name, { version, said }]) =>
      refusedSet(
        name,
        version,
        said,
        this.#tables.flatMap((table) => (table.version === version ? table.usersOf(name) : [])),
      ),
    );
    return [...this.#standing, ...this.#tables.flatMap(({ problems }) => problems), ...refused, ...stuck];
  }

  get counts(): { readonly rules: number; readonly sets: number } {
    return { rules: this.#tables.reduce((sum, { ruleCount }) => sum + ruleCount, 0), sets: this.#sets.size };
  }

  async counters(): Promise<readonly RuleCounter[]> {
    const counters = await Promise.all(this.#tables.map((table) => table.counters()));
    return counters.flat();
  }

  close(): void {
    this.#ipset.close?.();
    this.#iptables.close?.();
  }
}
