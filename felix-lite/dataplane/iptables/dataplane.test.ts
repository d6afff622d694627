import { expect } from 'chai';
import type { IpVersion } from '../../../net/addr/index.ts';
import { Calculator, type ResourceChange } from '../../calc/calculator.ts';
import { readSettings } from '../../daemon/config.ts';
import { RuleTables, TABLES } from '../../rules/tables.ts';
import { Leftovers } from '../leftovers.ts';
import { IptablesDataplane } from './dataplane.ts';
import { isOurs } from './diff.ts';
import { commandError, MemoryTables } from './testing.ts';

const VERSIONS: readonly IpVersion[] = [4, 6];
const API = { apiVersion: 'projectcalico.org/v3' };

function put(kind: string, scope: string, name: string, spec: object, labels: object = {}): ResourceChange {
  const namespace = scope === '' ? {} : { namespace: scope };
  return {
    key: { kind, scope, name },
    value: { ...API, kind, metadata: { name, ...namespace, labels }, spec },
  };
}

/** One pod, admitted to from one prefix of each family. */
const WORLD: readonly ResourceChange[] = [
  put('Profile', '', 'kns.test', { egress: [{ action: 'Allow' }] }),
  put('NetworkPolicy', 'test', 'from', {
    selector: 'all()',
    types: ['Ingress'],
    ingress: ['192.0.2.0/24', '2001:db8::/32'].map((net) => ({ action: 'Allow', source: { nets: [net] } })),
  }),
  put('WorkloadEndpoint', 'test', 'here-k8s-pod-eth0', {
    orchestrator: 'k8s',
    node: 'here',
    pod: 'pod',
    endpoint: 'eth0',
    interfaceName: 'cali0',
    ipNetworks: ['10.0.0.1/32', 'fd00::1/128'],
    profiles: ['kns.test'],
  }),
];

function dataplaneOver(kernel: MemoryTables): IptablesDataplane {
  const calculator = new Calculator({ node: 'here', interfacePrefix: 'cali' });
  calculator.update(WORLD);
  const rules = new RuleTables(readSettings(undefined, undefined).rules);
  const dataplane = new IptablesDataplane({
    rules,
    versions: VERSIONS,
    iptables: kernel,
    ipset: { read: () => Promise.resolve([]), write: () => Promise.resolve() },
    leftovers: new Leftovers(),
  });
  dataplane.update(calculator.take());
  return dataplane;
}

function ownChains(kernel: MemoryTables): readonly string[] {
  return [...kernel.tables].flatMap(([table, { chains }]) =>
    [...chains].filter(([name]) => isOurs(name)).map(([name, rules]) => [table, name, ...rules].join('\n')),
  );
}

/** What it comes to where nothing goes wrong. */
async function loaded(): Promise<readonly string[]> {
  const kernel = new MemoryTables();
  await dataplaneOver(kernel).apply(false);
  return ownChains(kernel);
}

describe('a first load of iptables', () => {
  it('takes one process a family, and is read back by the next look', async () => {
    const kernel = new MemoryTables();
    const dataplane = dataplaneOver(kernel);
    const { failures, unseen, steps } = await dataplane.apply(false);
    expect([failures, unseen]).to.deep.equal([[], true]);
    expect(steps).to.be.greaterThan(100);
    expect(kernel.writes).to.have.members(
      VERSIONS.map((version) => TABLES.map((table) => `${version} ${table}`).join()),
    );
    const { reads } = kernel;
    expect(reads).to.equal(VERSIONS.length * TABLES.length);
    const again = await dataplane.apply(true);
    expect([again.unseen, again.steps, kernel.writes.length]).to.deep.equal([false, 0, VERSIONS.length]);
    expect(kernel.reads).to.equal(2 * reads);
  });

  it('finds what a stranger did in the meantime, once it looks', async () => {
    const kernel = new MemoryTables();
    const dataplane = dataplaneOver(kernel);
    await dataplane.apply(false);
    const before = ownChains(kernel);
    kernel.table(6, 'filter').chains.get('cali-FORWARD')?.pop();
    kernel.table(4, 'raw').chains.set('PREROUTING', []);
    const { steps, unseen } = await dataplane.apply(true);
    expect([steps > 0, unseen]).to.deep.equal([true, false]);
    expect(ownChains(kernel)).to.have.members(before);
    expect(kernel.table(4, 'raw').chains.get('PREROUTING')).to.have.length(1);
  });

  it('leaves rules of others where they are, behind ours', async () => {
    const kernel = new MemoryTables();
    kernel.table(4, 'filter').chains.set('FORWARD', ['-i eth9 -j DROP']);
    await dataplaneOver(kernel).apply(false);
    const forward = kernel.table(4, 'filter').chains.get('FORWARD') ?? [];
    expect(forward[0]).to.match(/--jump cali-FORWARD$/);
    expect(forward.filter((rule) => rule === '-i eth9 -j DROP')).to.have.length(1);
    expect(ownChains(kernel)).to.have.members(await loaded());
  });

  for (const namesLine of [true, false])
    it(`closes only the chain that the kernel refuses, told by ${namesLine ? 'its line' : 'the COMMIT only'}`, async () => {
      const kernel = new MemoryTables({ namesLine, refuses: /192\.0\.2\.0/ });
      const dataplane = dataplaneOver(kernel);
      const { failures } = await dataplane.apply(false);
      expect(failures).to.deep.equal([]);
      expect(dataplane.problems.map(({ code }) => code)).to.deep.equal(['RULES_REFUSED']);
      const wanted = await loaded();
      const different = ownChains(kernel).filter((chain) => !wanted.includes(chain));
      expect(different).to.have.length(1);
      expect(different[0]).to.match(/^4 filter\ncali-pi-\S+\n.*--jump DROP$/);
      expect(ownChains(kernel)).to.have.length(wanted.length);
    });

  it('goes table by table where all at once is refused, and holds what is wanted', async () => {
    const kernel = new MemoryTables();
    for (const _ of VERSIONS)
      kernel.failures.push(commandError('Another app is currently holding the xtables lock.'));
    const { failures, unseen } = await dataplaneOver(kernel).apply(false);
    expect([failures, unseen]).to.deep.equal([[], false]);
    expect(kernel.writes).to.have.length(VERSIONS.length + VERSIONS.length * TABLES.length);
    expect(ownChains(kernel)).to.have.members(await loaded());
  });

  it('is none where a predecessor has been: what is there is compared', async () => {
    const kernel = new MemoryTables();
    await dataplaneOver(kernel).apply(false);
    const writes = kernel.writes.length;
    const { steps, unseen } = await dataplaneOver(kernel).apply(false);
    expect([steps, unseen, kernel.writes.length]).to.deep.equal([0, false, writes]);
  });
});
