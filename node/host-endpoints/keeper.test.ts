/** Automatic host endpoints as agents keep them: made, changed and taken away with nodes and configuration. */
import { expect } from 'chai';
import { SimulatedClock } from '../../clock/simulated.ts';
import { silent } from '../../daemon/log.ts';
import { ResourceClient } from '../../datastore/index.ts';
import { SimulatedStore } from '../../datastore/simulated.ts';
import { HostEndpointKeeper } from './keeper.ts';

const LOOK = 5_000;

describe('the keeper of automatic host endpoints', () => {
  let store: SimulatedStore;
  let client: ResourceClient;
  let clock: SimulatedClock;
  let leader: number;
  let keepers: readonly HostEndpointKeeper[];

  beforeEach(async () => {
    store = new SimulatedStore({ transactional: false });
    clock = new SimulatedClock();
    client = new ResourceClient(store, clock);
    leader = 0;
    await node('a1', '10.9.0.1');
    await node('b1', '10.9.0.2');
    keepers = [0, 1].map((index) => {
      const keeper = new HostEndpointKeeper({
        store,
        client,
        clock,
        log: silent,
        leads: () => leader === index,
      });
      keeper.start();
      return keeper;
    });
  });
  afterEach(async () => {
    for (const keeper of keepers) await keeper.stop();
  });

  it('makes them when that is switched on, follows nodes, and takes all away when it is switched off', async () => {
    await looks(2);
    expect(await held()).to.deep.equal({});
    await configure('Enabled');
    await looks(2);
    expect(await held()).to.deep.equal({ 'a1-auto-hep': ['10.9.0.1'], 'b1-auto-hep': ['10.9.0.2'] });
    await node('a1', '10.9.0.7');
    await node('c1', '10.9.0.3');
    await client.delete('Node', 'b1');
    await looks(2);
    expect(await held()).to.deep.equal({ 'a1-auto-hep': ['10.9.0.7'], 'c1-auto-hep': ['10.9.0.3'] });
    await configure('Disabled');
    await looks(2);
    expect(await held()).to.deep.equal({});
  });

  it('leaves those of people alone, also under a name that it would give, and what people changed of its own', async () => {
    await client.create(endpoint('mine', 'a1'));
    await client.create(endpoint('b1-auto-hep', 'b1'));
    await configure('Enabled');
    await looks(2);
    const before = await client.get('HostEndpoint', 'b1-auto-hep');
    expect(before.ok && before.value.spec.interfaceName).to.equal('eth0');
    const made = await client.get('HostEndpoint', 'a1-auto-hep');
    if (!made.ok) throw new Error('not made');
    await client.update({ ...made.value, spec: { ...made.value.spec, profiles: [] } });
    await node('a1', '10.9.0.9');
    await looks(2);
    const after = await client.get('HostEndpoint', 'a1-auto-hep');
    expect(after.ok && [after.value.spec.expectedIPs, after.value.spec.profiles]).to.deep.equal([
      ['10.9.0.9'],
      [],
    ]);
    await configure('Disabled');
    await looks(2);
    expect(Object.keys(await held())).to.deep.equal(['b1-auto-hep', 'mine']);
  });

  it('takes nothing away in doubt: without a configuration that speaks of it, or with no node at all', async () => {
    await configure('Enabled');
    await looks(2);
    await client.delete('KubeControllersConfiguration', 'default');
    await looks(2);
    expect(Object.keys(await held())).to.have.length(2);
    await configure('Enabled');
    for (const name of ['a1', 'b1']) await client.delete('Node', name);
    await looks(2);
    expect(Object.keys(await held())).to.have.length(2);
  });

  it('is gone on with by the next leader', async () => {
    await configure('Enabled');
    await looks(2);
    leader = 1;
    await looks(2);
    await node('c1', '10.9.0.3');
    await looks(3);
    expect(Object.keys(await held())).to.deep.equal(['a1-auto-hep', 'b1-auto-hep', 'c1-auto-hep']);
    leader = -1;
    await looks(1);
    await node('d1', '10.9.0.4');
    await looks(3);
    expect(Object.keys(await held())).to.have.length(3);
  });

  async function looks(count: number): Promise<void> {
    for (let look = 0; look < count; look++) {
      clock.advance(LOOK);
      for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async function held(): Promise<Readonly<Record<string, readonly string[]>>> {
    const listed = await client.list('HostEndpoint');
    return Object.fromEntries(
      (listed.ok ? listed.value : [])
        .map(({ metadata, spec }) => [metadata.name, spec.expectedIPs ?? []] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  }

  async function node(name: string, address: string): Promise<void> {
    await client.apply({
      apiVersion: 'projectcalico.org/v3',
      kind: 'Node',
      metadata: { name },
      spec: { bgp: { ipv4Address: `${address}/24` } },
    });
  }

  async function configure(autoCreate: 'Enabled' | 'Disabled'): Promise<void> {
    const applied = await client.apply({
      apiVersion: 'projectcalico.org/v3',
      kind: 'KubeControllersConfiguration',
      metadata: { name: 'default' },
      spec: { healthChecks: 'Enabled', controllers: { node: { hostEndpoint: { autoCreate } } } },
    });
    expect(applied).to.have.property('ok', true);
  }
});

function endpoint(name: string, on: string) {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'HostEndpoint',
    metadata: { name },
    spec: { node: on, interfaceName: 'eth0' },
  } as const;
}
