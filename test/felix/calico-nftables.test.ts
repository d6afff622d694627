/**
 * Taking over from Calico's own nftables mode: what it would have written through the nft tool stands in the kernel, in its
 * words and under its hashes, and rules that say what ours say are left as they are, counters and all.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { FelixConfiguration, Resource } from '../../api/index.ts';
import { Calculator } from '../../felix-lite/calc/calculator.ts';
import { readSettings } from '../../felix-lite/daemon/config.ts';
import { lastChainName } from '../../felix-lite/dataplane/iptables/render.ts';
import { layered } from '../../felix-lite/dataplane/nftables/names.ts';
import { nftRuleHashes, nftRuleText } from '../../felix-lite/dataplane/nftables/text.ts';
import { changesBetween } from '../../felix-lite/explain/testing/agreement.ts';
import { RuleTables, TABLES } from '../../felix-lite/rules/tables.ts';
import type { Rule, TableName } from '../../felix-lite/rules/types.ts';
import type { IpVersion } from '../../net/addr/index.ts';
import { Nftables } from '../../net/kernel/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { BACKENDS, configurationOf } from './backends.ts';
import { DB, NODE, TestNode, WEB, addressesOf, endpointOf, np, openProfile, valid } from './node.ts';
import { Stream } from './stream.ts';

const WORLD: readonly Resource[] = [
  configurationOf({ ...BACKENDS.nftables, iptablesRefreshInterval: '1h' }),
  openProfile('prod'),
  endpointOf(WEB),
  endpointOf(DB),
  np('db', {
    selector: "role == 'db'",
    ingress: [
      {
        action: 'Allow',
        protocol: 'TCP',
        source: { selector: "role == 'web'" },
        destination: { ports: [8080] },
      },
      { action: 'Log', protocol: 'UDP' },
      { action: 'Deny', source: { nets: ['198.51.100.0/24'] } },
      { action: 'Allow', protocol: 'TCP', destination: { ports: [1, 3, 5, '7000:7010'] } },
    ],
  }),
].map((each) => valid(each));

const VERSIONS = [4, 6] as const;

function rulesOf(resources: readonly Resource[]): RuleTables {
  const configuration = resources.find((each) => each.kind === 'FelixConfiguration') as FelixConfiguration;
  const calculator = new Calculator({ node: NODE, interfacePrefix: 'cali' });
  calculator.update(changesBetween([], resources));
  const tables = new RuleTables(readSettings(undefined, configuration).rules, 'map');
  tables.update(calculator.take());
  return tables;
}

/** Every rule as Calico would give it to the nft tool. */
function calicos(tables: RuleTables, version: IpVersion): readonly string[] {
  const family = version === 4 ? 'ip' : 'ip6';
  const lines: string[] = [];
  const write = (table: TableName, chain: string, rules: readonly Rule[], hashed = chain): void => {
    const hashes = nftRuleHashes(table, hashed, rules, version);
    for (const [index, rule] of rules.entries())
      lines.push(
        `add rule ${family} calico ${layered(table, chain)} ${nftRuleText(rule, table, version)} comment "cali:${hashes[index] ?? ''};"`,
      );
  };
  const flush = (name: string): void => void lines.push(`flush chain ${family} calico ${name}`);
  for (const table of TABLES) {
    for (const { name, rules } of tables.chains(version, table).values()) {
      flush(layered(table, name));
      write(table, name, rules);
    }
    for (const { chain, first, last } of tables.hooks().get(table) ?? []) {
      flush(layered(table, chain));
      write(table, chain, first);
      write(table, chain, last, lastChainName(chain));
    }
  }
  // Sets of addresses have ranges there, whatever they hold.
  const sets = new Set(lines.flatMap((line) => /@(cali[46]0s[^ ]*)/.exec(line)?.[1] ?? []));
  const type = version === 4 ? 'ipv4_addr' : 'ipv6_addr';
  const made = [...sets].map((name) => `add set ${family} calico ${name} { type ${type}; flags interval; }`);
  return [...made, ...lines];
}

describeOnKernel("felix-lite after Calico's nftables mode", function () {
  this.timeout(180_000);
  let node: TestNode;

  beforeEach(async () => {
    node = await TestNode.create([WEB, DB]);
    await node.put(...WORLD);
  });
  afterEach(() => node.remove());

  /** Handle and text of each rule. */
  async function held(version: IpVersion): Promise<ReadonlyMap<bigint | undefined, string>> {
    using nft = Nftables.open({ netns: node.netns });
    const rules = await nft.listRules({ family: version === 4 ? 'ip' : 'ip6', name: 'calico' });
    return new Map(rules.map(({ handle, chain, comment }) => [handle, `${chain} ${comment ?? ''}`]));
  }

  it('leaves rules that say the same, and takes over the rest without a packet lost', async () => {
    await node.startFelix();
    const stream = await Stream.start(
      node.network,
      VERSIONS.map((version) => node.network.flow('outside', addressesOf(2)[version], 9090, false)),
    );
    await node.stopFelix();
    const tables = rulesOf(WORLD);
    const file = join(node.runDir, 'calico.nft');
    writeFileSync(file, VERSIONS.flatMap((version) => calicos(tables, version)).join('\n'));
    await node.run('nft', '-f', file);
    const before = await Promise.all(VERSIONS.map(held));
    await node.startFelix();
    const after = await Promise.all(VERSIONS.map(held));
    for (const [index, rules] of before.entries()) {
      const lost = [...rules].flatMap(([handle, text]) => (after[index]?.get(handle) === text ? [] : [text]));
      // Only what looks into sets of addresses, which are of another kind here, and where its comparison of a state is not ours.
      expect(new Set(lost.map((text) => text.split(' ')[0]))).to.have.all.keys([
        'filter-cali-OUTPUT',
        'filter-cali-pi-np/prod/db',
      ]);
      expect(lost.length).to.be.lessThan(rules.size / 8);
    }
    expect(await node.prober('web').reach('tcp', addressesOf(2)[4], 8080, true)).to.equal(true);
    expect(await node.prober('web').reach('tcp', addressesOf(2)[4], 9090, false)).to.equal(false);
    const { leaked, stopped } = await stream.stop();
    expect(leaked).to.deep.equal([]);
    expect(stopped).to.be.greaterThan(20);
  });
});
