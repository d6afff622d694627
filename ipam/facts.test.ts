import { expect } from 'chai';
import { unwrap, validate } from '../api/index.ts';
import { SimulatedClock } from '../clock/simulated.ts';
import { ResourceClient, type Selection } from '../datastore/index.ts';
import { SimulatedStore } from '../datastore/simulated.ts';
import { Address } from '../net/addr/index.ts';
import { type FactsSource, FollowedFacts } from './facts.ts';
import { Ipam } from './ipam.ts';

/** Says what it was asked for. */
class WatchedStore extends SimulatedStore {
  readonly listed: string[] = [];

  override async list(selection: Selection, at?: string): ReturnType<SimulatedStore['list']> {
    this.listed.push(selection.kind);
    return super.list(selection, at);
  }
}

describe('what IPAM goes by', () => {
  let store: WatchedStore;
  let facts: FollowedFacts;
  const clock = new SimulatedClock();

  beforeEach(() => {
    store = new WatchedStore();
    facts = new FollowedFacts(store);
  });
  afterEach(() => facts.stop());

  async function define(kind: string, name: string, spec: object): Promise<void> {
    const resource = { apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec };
    unwrap(await new ResourceClient(store, clock).apply(unwrap(validate(resource))));
  }

  it('is followed: no address costs a list of pools, and changes are heeded all the same', async () => {
    await define('IPPool', 'v4', { cidr: '10.0.0.0/29', blockSize: 30 });
    await facts.start();
    const ipam = new Ipam(store, clock, () => 0, facts);
    const take = async (handle: string): Promise<string> =>
      String(unwrap(await ipam.autoAssign({ host: 'a', handle, v4: 1, v6: 0 })).v4[0]);
    await take('h0');
    store.listed.length = 0;
    await take('h1');
    expect(store.listed).to.deep.equal([]);
    const block = (await ipam.blocks())[0]!.cidr;
    await define('IPReservation', 'rest', { reservedCIDRs: [block.toString()] });
    await new Promise((resolve) => setImmediate(resolve));
    expect(block.contains(Address.parse(await take('h2'))!)).to.equal(false);
  });

  it('refuses nobody for what was true a moment ago', async () => {
    await define('IPPool', 'v4', { cidr: '10.0.0.0/29', blockSize: 30, disabled: true });
    await facts.start();
    const old = await facts.read();
    const late: FactsSource = {
      read: async () => old,
      settings: async () => old.settings,
      fresh: async () => facts.fresh(),
    };
    const ipam = new Ipam(store, clock, () => 0, late);
    const refused = await ipam.autoAssign({ host: 'a', handle: 'h', v4: 1, v6: 0 });
    expect(refused.ok).to.equal(false);
    await define('IPPool', 'v4', { cidr: '10.0.0.0/29', blockSize: 30 });
    unwrap(await ipam.autoAssign({ host: 'a', handle: 'h', v4: 1, v6: 0 }));
  });
});
