/**
 * Brings the kernel to what rules and sets say, in an order in which no packet meets a half-built policy:
 * sets before the rules that look into them, per table one transaction in which chains come before references,
 * and only then the removal of sets that no rule needs any more.
 */
import type { Problem } from '../../api/problem.ts';
import type { IpVersion } from '../../net/addr/index.ts';
import type { CalcDelta } from '../calc/model.ts';
import { type RuleTables, TABLES } from '../rules/tables.ts';
import type { TableName } from '../rules/types.ts';
import { type IpsetIo, IpSets } from './ipset/sets.ts';
import { type IptablesIo, IptablesTable } from './iptables/table.ts';

export interface DataplaneOptions {
  readonly rules: RuleTables;
  readonly versions: readonly IpVersion[];
  readonly iptables: IptablesIo;
  /** The other iptables, if work of ours is left in it: removed once ours stands here. */
  readonly abandoned?: IptablesIo | undefined;
  readonly ipset: IpsetIo;
  readonly maxSetSize?: number;
}

export interface Applied {
  /** Lines of work that the kernel took. */
  readonly steps: number;
  /** Failures of single tables; the other tables are as they should be. */
  readonly failures: readonly {
    readonly version: IpVersion;
    readonly table: TableName;
    readonly error: unknown;
  }[];
  /** Removals that were put off to keep the pass short. */
  readonly leftover: number;
}

/** Calico keeps chains there that we do not need; what an upgrade left is removed once, at the start. */
const ABANDONED: readonly TableName[] = ['nat', 'mangle'];

export class Dataplane {
  readonly #rules: RuleTables;
  readonly #sets: IpSets;
  readonly #tables: readonly IptablesTable[];
  #abandoned: readonly IptablesTable[];
  #stuck: readonly string[] = [];
  #fresh = true;

  constructor({ rules, versions, iptables, abandoned, ipset, maxSetSize }: DataplaneOptions) {
    this.#rules = rules;
    this.#sets = new IpSets(ipset, versions, maxSetSize);
    const hooks = rules.hooks();
    const everyVersion = (names: readonly TableName[], io: IptablesIo, hooked: boolean): IptablesTable[] =>
      versions.flatMap((version) =>
        names.map((table) => new IptablesTable(version, table, (hooked && hooks.get(table)) || [], io)),
      );
    this.#tables = everyVersion(TABLES, iptables, true);
    this.#abandoned = [
      ...everyVersion(ABANDONED, iptables, false),
      ...(abandoned === undefined ? [] : everyVersion([...TABLES, ...ABANDONED], abandoned, false)),
    ];
  }

  /** Takes in a difference; nothing reaches the kernel before {@link apply}. */
  update(delta: CalcDelta): void {
    this.#sets.update(delta.sets);
    this.#rules.update(delta);
  }

  /**
   * @param reread  compare with the kernel's present state; the first call does so in any case
   * @throws when the sets could not be written: no rule is touched then, since it might look into one of them
   */
  async apply(reread: boolean): Promise<Applied> {
    const look = reread || this.#fresh;
    for (const { version, table, chains } of this.#rules.takeChanges()) {
      this.#tables.find((each) => each.version === version && each.table === table)?.update(chains);
    }
    let steps = await this.#sets.applyUpdates(look);
    const failures: Applied['failures'][number][] = [];
    for (const each of this.#tables) {
      try {
        steps += await each.apply(look);
      } catch (error) {
        failures.push({ version: each.version, table: each.table, error });
      }
    }
    // Sets that a failed table may still look into stay.
    if (failures.length > 0) return { steps, failures, leftover: 0 };
    this.#fresh = false;
    if (look) await this.#clearAbandoned();
    const { stuck, left } = await this.#sets.applyRemovals();
    this.#stuck = stuck;
    return { steps, failures, leftover: left };
  }

  /** No workload's policy hangs on these: what fails is tried again at the next look. */
  async #clearAbandoned(): Promise<void> {
    const left: IptablesTable[] = [];
    for (const table of this.#abandoned) {
      try {
        await table.apply(true);
      } catch {
        left.push(table);
      }
    }
    this.#abandoned = left;
  }

  get problems(): readonly Problem[] {
    const stuck = this.#stuck.map((name) => ({
      code: 'SET_IN_USE',
      value: name,
      what: `the address set ${name} is not needed any more, but a rule that is not ours uses it`,
      remedy: 'remove that rule; the set then goes by itself',
    }));
    return [...this.#tables.flatMap(({ problems }) => problems), ...stuck];
  }

  /** What the kernel holds of ours. */
  get counts(): { readonly rules: number; readonly sets: number } {
    return { rules: this.#tables.reduce((sum, { ruleCount }) => sum + ruleCount, 0), sets: this.#sets.size };
  }
}
