/** The collector of IPAM as agents run it: one of them at a time, after the configured grace period. */
import { expect } from 'chai';
import { SimulatedClock } from '../clock/simulated.ts';
import { createLog } from '../daemon/log.ts';
import { exposition } from '../daemon/metrics.ts';
import { SimulatedStore } from '../datastore/simulated.ts';
import { putNode, putPool } from '../ipam/gc/testing.ts';
import { Ipam } from '../ipam/index.ts';
import { IpamCollector } from './ipam-collector.ts';
import { AGENT_METRICS } from './metrics.ts';

const STEP = 5_000;

describe('the IPAM collector of agents', () => {
  let store: SimulatedStore;
  let clock: SimulatedClock;
  const started: IpamCollector[] = [];

  beforeEach(async () => {
    store = new SimulatedStore({ transactional: false });
    clock = new SimulatedClock();
    await putPool(store, 'v4', '10.0.0.0/24', 26);
    await putNode(store, 'n0');
    await new Ipam(store, clock, () => 0).autoAssign({
      host: 'n0',
      handle: 'net.leaked',
      attributes: { node: 'n0', namespace: 'default', pod: 'leaked' },
      v4: 1,
      v6: 0,
    });
  });
  afterEach(async () => {
    for (const one of started.splice(0)) await one.stop();
  });

  function start(node: string, grace?: number): IpamCollector {
    const log = createLog('test', 'error');
    const one = new IpamCollector({ node, store, clock, log, grace });
    started.push(one);
    one.start();
    return one;
  }

  async function pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += STEP) {
      clock.advance(STEP);
      for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async function held(): Promise<number> {
    const { entries } = await store.list({ kind: 'IPAMHandle' });
    return entries.length;
  }

  async function configure(leakGracePeriod: string): Promise<void> {
    const value = { spec: { controllers: { node: { leakGracePeriod } } } };
    const key = { kind: 'KubeControllersConfiguration', scope: '', name: 'default' };
    await store.commit([{ type: 'put', key, value, expect: 'any' }]);
  }

  it('is run by one, who frees what was leaked for a quarter of an hour', async () => {
    const all = ['a', 'b', 'c'].map((node) => start(node));
    await pass(120_000);
    expect(all.filter(({ state }) => state.leader)).to.have.length(1);
    await pass(720_000);
    expect(await held()).to.equal(1);
    await pass(180_000);
    expect(await held()).to.equal(0);
    const leader = all.find(({ state }) => state.leader)!;
    expect(leader.state.done.get('address')).to.equal(1);
    expect(all.reduce((sum, { state }) => sum + state.looks, 0)).to.equal(leader.state.looks);
    const text = [...exposition(AGENT_METRICS, { collector: () => leader.state })].join('');
    expect(text).to.contain('poplin_ipam_gc_repairs_total{kind="address"} 1\n');
    expect(text).to.contain('poplin_ipam_gc_leader 1\n');
  });

  it('is taken over by another at once when the leader stops, who begins the grace period anew', async () => {
    const first = start('a');
    await pass(600_000);
    expect(first.state.leader).to.equal(true);
    const second = start('b');
    await pass(120_000);
    expect(second.state.leader).to.equal(false);
    await first.stop();
    await pass(90_000);
    expect(second.state.leader).to.equal(true);
    await pass(780_000);
    expect(await held()).to.equal(1);
    await pass(240_000);
    expect(await held()).to.equal(0);
  });

  it('goes by KubeControllersConfiguration, as it is at every look', async () => {
    await configure('0s');
    const one = start('a');
    await pass(1_800_000);
    expect([one.state.leader, one.state.looks, await held()]).to.deep.equal([true, 0, 1]);
    await configure('1m0s');
    await pass(420_000);
    expect(await held()).to.equal(0);
  });

  it('goes by the flag rather than by the configuration', async () => {
    await configure('0s');
    start('a', 30_000);
    await pass(120_000);
    expect(await held()).to.equal(0);
  });

  it('goes on after the store was out of reach', async () => {
    const one = start('a', 30_000);
    const list = store.list.bind(store);
    store.list = () => Promise.reject(new Error('out of reach'));
    await pass(120_000);
    expect([one.state.leader, one.state.looks]).to.deep.equal([true, 0]);
    store.list = list;
    expect(await held()).to.equal(1);
    await pass(120_000);
    expect(await held()).to.equal(0);
  });
});
