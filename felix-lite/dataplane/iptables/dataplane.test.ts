import { expect } from 'chai';
import type { IpVersion } from '../../../net/addr/index.ts';
import { Calculator, type ResourceChange } from '../../calc/calculator.ts';
import { readSettings } from '../../daemon/config.ts';
import { RuleTables, TABLES } from '../../rules/tables.ts';
import type { Rest } from '../dataplane.ts';
import { Leftovers } from '../leftovers.ts';
import type { IpsetIo } from '../ipset/sets.ts';
import { IptablesDataplane } from './dataplane.ts';
import { isOurs } from './diff.ts';
import type { ipset } from '../../../net/kernel/index.ts';
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

function dataplaneOver(
  kernel: MemoryTables,
  world = WORLD,
  ipset: IpsetIo = { read: () => Promise.resolve([]), write: () => Promise.resolve() },
  calculator = new Calculator({ node: 'here', interfacePrefix: 'cali' }),
): IptablesDataplane {
  calculator.update(world);
  const rules = new RuleTables(readSettings(undefined, undefined).rules);
  const dataplane = new IptablesDataplane({
    rules,
    versions: VERSIONS,
    iptables: kernel,
    ipset,
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
    expect(kernel.writes.map((each) => each.split(' '))).to.have.deep.members(
      VERSIONS.map((version) => [String(version), 'filter', 'raw', 'mangle']),
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

/** The sets of a kernel, and what was done to them. */
class MemorySets implements IpsetIo {
  readonly sets = new Map<string, Set<string>>();
  readonly steps: ipset.IpsetStep[] = [];
  /** Thrown by the writes that add members. */
  failure: Error | undefined;

  read(): Promise<readonly ipset.SavedSet[]> {
    return Promise.resolve(
      [...this.sets].map(([name, members]) => ({
        name,
        type: 'hash:net',
        options: { maxelem: String(1 << 20) },
        members: [...members],
      })),
    );
  }

  async write(steps: readonly ipset.IpsetStep[]): Promise<void> {
    await Promise.resolve();
    for (const step of steps) {
      this.steps.push(step);
      if (step.op === 'create') this.sets.set(step.name, new Set());
      if (step.op === 'destroy') this.sets.delete(step.name);
      if (step.op === 'add' && this.failure !== undefined) throw this.failure;
      if (step.op === 'add') this.sets.get(step.name)?.add(step.member);
      if (step.op === 'delete') this.sets.get(step.name)?.delete(step.member);
    }
  }
}

/** Admits what is labelled so, wherever it is. */
const CLIENTS = put('NetworkPolicy', 'test', 'clients', {
  selector: 'all()',
  types: ['Ingress'],
  ingress: [{ action: 'Allow', source: { selector: 'client == "yes"' } }],
});

function elsewhere(pod: string, ...ipNetworks: readonly string[]): ResourceChange {
  const spec = {
    orchestrator: 'k8s',
    node: 'there',
    pod,
    endpoint: 'eth0',
    interfaceName: 'cali1',
    ipNetworks,
  };
  return put('WorkloadEndpoint', 'test', `there-k8s-${pod}-eth0`, spec, { client: 'yes' });
}

const ELSEWHERE = elsewhere('one', '10.1.0.1/32', 'fd00:1::1/128');
const FURTHER = elsewhere('two', '10.1.0.2/32');

/** Of both families. */
function leadsToOurs(kernel: MemoryTables): readonly string[] {
  return [...kernel.tables].flatMap(([table, { chains }]) =>
    [...chains].flatMap(([name, rules]) => (isOurs(name) ? [] : rules.map(() => `${table} ${name}`))),
  );
}

/** What it comes to where all is known from the beginning. */
async function straight(): Promise<readonly string[]> {
  const kernel = new MemoryTables();
  await dataplaneOver(kernel, [...WORLD, CLIENTS, ELSEWHERE], new MemorySets()).apply(false);
  return ownChains(kernel);
}

function partOf(update: () => void): Rest {
  return async (each = atOnce) => {
    await turns(10);
    await each(update);
  };
}

function atOnce(update: () => void): Promise<void> {
  update();
  return Promise.resolve();
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

function setUp(divided: boolean) {
  const kernel = new MemoryTables();
  kernel.divided = divided;
  const sets = new MemorySets();
  const calculator = new Calculator({ node: 'here', interfacePrefix: 'cali' });
  const dataplane = dataplaneOver(kernel, [...WORLD, CLIENTS], sets, calculator);
  const take = (...changes: readonly ResourceChange[]): void => {
    calculator.update(changes);
    dataplane.update(calculator.take());
  };
  return { kernel, sets, dataplane, take };
}

function members({ sets }: MemorySets): readonly string[] {
  return [...sets.values()].flatMap((each) => [...each]).sort();
}

for (const divided of [false, true])
  describe(`a first load of iptables, chains ${divided ? 'committed' : 'held back'} while sets are filled`, () => {
    it('leads no packet to them before all members are there', async () => {
      const { kernel, sets, dataplane, take } = setUp(divided);
      let during: readonly unknown[] = [];
      const { failures, unseen } = await dataplane.apply(false, async (each = atOnce) => {
        await turns(50);
        await each(() => take(ELSEWHERE));
        await turns(50);
        during = [leadsToOurs(kernel), ownChains(kernel).length > 0, members(sets), sets.sets.size];
        await each(() => take(FURTHER));
      });
      expect(during).to.deep.equal([[], divided, ['10.1.0.1', 'fd00:1::1'], 2]);
      expect([failures, unseen]).to.deep.equal([[], true]);
      expect(members(sets)).to.deep.equal(['10.1.0.1', '10.1.0.2', 'fd00:1::1']);
      expect(leadsToOurs(kernel)).to.include.members(['4 filter FORWARD', '6 filter FORWARD']);
      expect(ownChains(kernel)).to.have.members(await straight());
      expect((await dataplane.apply(true)).steps).to.equal(0);
    });

    it('never leads packets there when members are not to be had, and mends that with the next pass', async () => {
      const { kernel, sets, dataplane, take } = setUp(divided);
      sets.failure = new Error('no memory');
      const rest = partOf(() => take(ELSEWHERE));
      expect(String(await dataplane.apply(false, rest).catch((error: unknown) => error))).to.include(
        'no memory',
      );
      expect(leadsToOurs(kernel)).to.deep.equal([]);
      sets.failure = undefined;
      expect((await dataplane.apply(true)).failures).to.deep.equal([]);
      expect(members(sets)).to.deep.equal(['10.1.0.1', 'fd00:1::1']);
      expect(ownChains(kernel)).to.have.members(await straight());
    });

    it('throws its rules away when others are wanted by then', async () => {
      const { kernel, sets, dataplane, take } = setUp(divided);
      const another = put('NetworkPolicy', 'test', 'z', { selector: 'all()', types: ['Egress'] });
      let during: readonly unknown[] = [];
      const { failures } = await dataplane.apply(false, async (each = atOnce) => {
        await each(() => take(ELSEWHERE, another));
        await turns(50);
        during = leadsToOurs(kernel);
        await each(() => take());
      });
      expect([failures, during]).to.deep.equal([[], []]);
      expect(members(sets)).to.deep.equal(['10.1.0.1', 'fd00:1::1']);
      const wanted = new MemoryTables();
      await dataplaneOver(wanted, [...WORLD, CLIENTS, ELSEWHERE, another], new MemorySets()).apply(false);
      expect(ownChains(kernel)).to.have.members(ownChains(wanted));
      expect(leadsToOurs(kernel)).to.have.members(leadsToOurs(wanted));
    });

    it('closes only the chain that the kernel refuses', async () => {
      const { kernel, dataplane, take } = setUp(divided);
      kernel.table(4, 'filter').refuses = /192\.0\.2\.0/;
      const { failures } = await dataplane.apply(
        false,
        partOf(() => take(ELSEWHERE)),
      );
      expect(failures).to.deep.equal([]);
      expect(dataplane.problems.map(({ code }) => code)).to.deep.equal(['RULES_REFUSED']);
      const wanted = await straight();
      expect(ownChains(kernel).filter((chain) => !wanted.includes(chain))).to.have.length(1);
    });

    it('is none where sets are there already: no rule of another backend misses a member', async () => {
      const { kernel, sets, dataplane, take } = setUp(divided);
      await dataplane.apply(
        false,
        partOf(() => take(ELSEWHERE)),
      );
      const { steps } = sets;
      steps.length = 0;
      const fresh = new MemoryTables();
      fresh.divided = divided;
      const calculator = new Calculator({ node: 'here', interfacePrefix: 'cali' });
      const again = dataplaneOver(fresh, [...WORLD, CLIENTS], sets, calculator);
      let during: readonly unknown[] = [];
      await again.apply(false, async (each = atOnce) => {
        await turns(50);
        during = [ownChains(fresh), members(sets)];
        await each(() => {
          calculator.update([ELSEWHERE]);
          again.update(calculator.take());
        });
      });
      expect(during).to.deep.equal([[], ['10.1.0.1', 'fd00:1::1']]);
      expect(steps).to.deep.equal([]);
      expect(ownChains(fresh)).to.have.members(ownChains(kernel));
    });
  });
