/**
 * Random clusters, policies and packets: what the generated rules do with a packet is what the evaluator,
 * which knows nothing of calc and rules, says. And what calc and rules say does not depend on how the cluster
 * came to be.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import type { Resource } from '../../api/index.ts';
import type { IpVersion } from '../../net/addr/index.ts';
import { Calculator } from '../calc/calculator.ts';
import type { SetChange } from '../calc/model.ts';
import { readSettings } from '../daemon/config.ts';
import { renderChain } from '../dataplane/iptables/render.ts';
import { setName } from '../rules/names.ts';
import { RuleTables, TABLES } from '../rules/tables.ts';
import type { Rule, TableName } from '../rules/types.ts';
import type { Chains, Sets } from './netfilter.ts';
import {
  NODE,
  NODE_VIEW,
  changesBetween,
  cluster,
  hostCluster,
  expectAgreement,
  packet,
  valid,
} from './testing.ts';

const VERSIONS = [4, 6] as const;

/** What would stand in the kernel. */
class Kernel {
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

function built(resources: readonly Resource[]): Kernel {
  const kernel = new Kernel();
  kernel.calculator.putInterfaces(NODE_VIEW.interfaces);
  kernel.calculator.update(changesBetween([], resources));
  kernel.take();
  return kernel;
}

describe('rules against the evaluator', function () {
  this.timeout(120_000);

  const worlds = [
    ['clusters', cluster, 300],
    ['policies of hosts, in every place', hostCluster, 200],
  ] as const;
  for (const [what, world, numRuns] of worlds)
    it(`agree on random ${what}`, () => {
      const tally = { allowed: 0, denied: 0 };
      const packets = fc.array(packet, { minLength: 12, maxLength: 12 });
      fc.assert(
        fc.property(world, packets, (objects, sent) => {
          const resources = objects.map(valid);
          const kernel = built(resources);
          for (const version of VERSIONS) {
            const state = { tables: kernel.held(version), sets: kernel.inKernel(version) };
            expectAgreement(resources, sent, version, state, tally);
          }
        }),
        { numRuns },
      );
      expect(tally.allowed).to.be.greaterThan(1000);
      expect(tally.denied).to.be.greaterThan(1000);
    });

  it('come out the same whatever the way that led there', () => {
    const way = fc.array(fc.record({ at: fc.nat(1000), stop: fc.boolean() }), {
      minLength: 60,
      maxLength: 60,
    });
    fc.assert(
      fc.property(cluster, cluster, way, (before, after, steps) => {
        const [first, second] = [before.map(valid), after.map(valid)];
        const kernel = built(first);
        const shuffled = changesBetween(first, second)
          .map((change, index) => ({ change, ...(steps[index % steps.length] ?? { at: 0, stop: true }) }))
          .sort((a, b) => a.at - b.at);
        for (const { change, stop } of shuffled) {
          kernel.calculator.update([change]);
          if (stop) kernel.take();
        }
        kernel.take();
        expect(kernel.everything()).to.deep.equal(built(second).everything());
      }),
      { numRuns: 100 },
    );
  });
});
