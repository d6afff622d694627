/** calc and rules in a row, and what they would leave in a kernel: as lines of iptables and members of sets. */
import type { Resource } from '../../../api/index.ts';
import type { IpVersion } from '../../../net/addr/index.ts';
import { Calculator } from '../../calc/calculator.ts';
import type { SetChange } from '../../calc/model.ts';
import { readSettings } from '../../daemon/config.ts';
import { renderChain } from '../../dataplane/iptables/render.ts';
import { setName } from '../../rules/names.ts';
import { RuleTables, TABLES } from '../../rules/tables.ts';
import type { Rule, TableName } from '../../rules/types.ts';
import type { Chains, Sets } from '../netfilter.ts';
import { changesBetween, NODE, NODE_VIEW } from './agreement.ts';

export const VERSIONS = [4, 6] as const;

/** What would stand in the kernel. */
export class Kernel {
  readonly calculator = new Calculator({ node: NODE, interfacePrefix: 'cali' });
  readonly tables = new RuleTables(readSettings(undefined, undefined).rules);
  readonly sets = new Map<string, Set<string>>();

  take(): void {
    const delta = this.calculator.take();
    for (const [id, each] of delta.sets) this.#set(id, each);
    this.tables.update(delta);
  }

  #set(id: string, each: SetChange): void {
    if (each.type === 'gone') this.sets.delete(id);
    else if (each.type === 'whole') this.sets.set(id, new Set(each.members));
    else {
      for (const member of each.added) this.sets.get(id)?.add(member);
      for (const member of each.removed) this.sets.get(id)?.delete(member);
    }
  }

  tableOf(version: IpVersion, table: TableName): Chains {
    const text = (name: string, rules: readonly Rule[]): readonly string[] =>
      renderChain(name, rules, version).map((each) => each.text);
    const chains = [...this.tables.chains(version, table).values()];
    const hooks = this.tables.hooks().get(table) ?? [];
    return new Map([
      ...chains.map(({ name, rules }) => [name, text(name, rules)] as const),
      ...hooks.map(({ chain, first, last }) => [chain, text(chain, [...first, ...last])] as const),
    ]);
  }

  held(version: IpVersion): ReadonlyMap<string, Chains> {
    return new Map(TABLES.map((table) => [table, this.tableOf(version, table)]));
  }

  inKernel(version: IpVersion): Sets {
    const ofVersion = (member: string): boolean =>
      (member.split(',')[0] ?? '').includes(':') === (version === 6);
    return new Map(
      [...this.sets].map(([id, members]) => [setName(version, id), new Set([...members].filter(ofVersion))]),
    );
  }

  everything(): object {
    return {
      chains: VERSIONS.map((version) =>
        [...this.held(version)].map(([table, chains]) => [table, Object.fromEntries(chains)]),
      ),
      sets: Object.fromEntries([...this.sets].map(([id, members]) => [id, [...members].sort()])),
      counts: this.calculator.counts,
    };
  }
}

/** From nothing. */
export function built(resources: readonly Resource[]): Kernel {
  const kernel = new Kernel();
  kernel.calculator.putInterfaces(NODE_VIEW.interfaces);
  kernel.calculator.update(changesBetween([], resources));
  kernel.take();
  return kernel;
}
