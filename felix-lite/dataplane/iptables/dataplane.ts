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
import type { Applied, Dataplane, Rest, RuleCounter } from '../dataplane.ts';
import { type IpsetIo, IpSets } from '../ipset/sets.ts';
import type { Leftovers } from '../leftovers.ts';
import { loadFirst } from './first-load.ts';
import { type IptablesIo, IptablesTable, isFresh } from './table.ts';

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

type Present = readonly (readonly iptables.SavedChain[] | undefined)[];

export class IptablesDataplane implements Dataplane {
  readonly #rules: RuleTables;
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

  readonly takesRest = true;

  /** @throws when no set could be written: no rule is touched then, since it might look into one of them */
  async apply(reread: boolean, rest?: Rest): Promise<Applied> {
    const look = reread || this.#fresh;
    this.#takeRules();
    // Side by side: sets over netlink, and tools that read the tables.
    const looking = this.#look(look);
    const ahead = rest !== undefined && (await this.#isNew(looking));
    if (rest !== undefined && !ahead) {
      await rest();
      this.#takeRules();
    }
    let steps = await this.#sets.applyUpdates(look && !ahead);
    this.#closeRefused();
    const present = await looking;
    const filled = Promise.withResolvers<void>();
    const loading = loadFirst(this.#iptables, this.#tables, present, filled.promise);
    try {
      const completed = ahead ? await this.#complete(rest) : undefined;
      steps += completed?.steps ?? 0;
      if (completed?.overtaken === true) filled.reject(new Error('other rules are wanted by now'));
      else filled.resolve();
    } catch (error) {
      filled.reject(error);
      await loading;
      throw error;
    }
    const first = await loading;
    steps += first.steps;
    const failures: Applied['failures'][number][] = [];
    // At once: no table depends on another, and each waits for a process of its own.
    await Promise.all(
      this.#tables.map(async (each, index) => {
        if (first.loaded.has(each)) return;
        try {
          const taken = await each.apply(look, first.tried.has(each) ? undefined : present[index]);
          steps += taken;
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

  /** @returns whether there were changes */
  #takeRules(): boolean {
    const changes = this.#rules.takeChanges();
    for (const { version, table, chains } of changes)
      this.#tables.find((each) => each.version === version && each.table === table)?.update(chains);
    return changes.length > 0;
  }

  /** What each table holds; undefined for one that could not be read. */
  async #look(look: boolean): Promise<Present> {
    if (!look) return [];
    return Promise.all(this.#tables.map((table) => table.look().catch(() => undefined)));
  }

  /** Nothing of ours is in the kernel: no rules, and no sets that those of another backend may look into. */
  async #isNew(looking: Promise<Present>): Promise<boolean> {
    const [present, noSets] = await Promise.all([looking, this.#sets.look()]);
    return noSets && present.length > 0 && present.every((seen) => seen !== undefined && isFresh(seen));
  }

  /**
   * Takes in the members that are still missing: those of one part go to the kernel while the next is worked out.
   * Overtaken: the rules are no longer those that were made ready.
   */
  async #complete(rest: Rest): Promise<{ readonly steps: number; readonly overtaken: boolean }> {
    let overtaken = false;
    let steps = 0;
    let filling = Promise.resolve(0);
    await rest(async (update) => {
      const taken = await filling;
      steps += taken;
      update();
      if (this.#takeRules()) overtaken = true;
      filling = this.#sets.applyUpdates(false);
      // Found where it is waited for.
      filling.catch(() => undefined);
    });
    const last = await filling;
    steps += last;
    if (this.#closeRefused()) overtaken = true;
    return { steps, overtaken };
  }

  /** Closes what looks into a refused set. @returns whether there is one */
  #closeRefused(): boolean {
    const refused = new Set(this.#sets.refused.keys());
    for (const table of this.#tables) table.refuseSets(refused);
    return refused.size > 0;
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
