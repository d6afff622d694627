import { expect } from 'chai';
import { SimulatedClock } from '../clock/simulated.ts';
import { SimulatedStore } from '../datastore/simulated.ts';
import { Address } from '../net/addr/index.ts';
import { allocate, newBlock, prefixOf } from './block.ts';
import { explain } from './explain.ts';
import { Ipam } from './ipam.ts';

const address = (text: string): Address => Address.parse(text)!;

describe('explain', () => {
  let store: SimulatedStore;
  beforeEach(() => (store = new SimulatedStore()));

  async function put(kind: string, name: string, value: unknown): Promise<void> {
    await store.commit([{ type: 'put', key: { kind, scope: '', name }, value, expect: 'any' }]);
  }

  it('reads blocks whose pool is gone, and tells an address that cools down from one in use', async () => {
    const at = new Date('2026-08-01T10:00:00Z');
    const given = allocate(newBlock(prefixOf('10.0.0.0/30'), 'host:a1', at), 2, {
      handle: 'h',
      attributes: { node: 'b1', timestamp: '2026-08-01 10:00:05 +0000 UTC' },
    });
    const cooling = { handle_id: null, secondary: null, releasedAt: '2026-08-01T11:00:00Z' };
    const block = {
      ...given?.block,
      attributes: [...(given?.block.attributes ?? []), cooling],
      allocations: [0, 1, null, null],
    };
    await put('IPAMBlock', '10.0.0.0/30', block);
    const held = await explain(store, address('10.0.0.0'));
    expect(held.pools).to.deep.equal([]);
    expect(held.block).to.deep.include({ claimed: '2026-08-01T10:00:00Z', state: undefined, free: 2 });
    expect(held.allocation).to.deep.include({
      since: '2026-08-01 10:00:05 +0000 UTC',
      borrowed: true,
      releasedAt: undefined,
    });
    expect(held.handle, 'the object of the handle is missing').to.equal(undefined);
    const cools = await explain(store, address('10.0.0.1'));
    expect(cools.allocation).to.deep.include({ handle: undefined, releasedAt: '2026-08-01T11:00:00Z' });
    expect((await explain(store, address('10.0.0.2'))).allocation).to.equal(undefined);
    expect((await explain(store, address('10.0.0.4'))).block).to.equal(undefined);
  });
});

describe('settings', () => {
  it('change what is named, and keep what this release does not know', async () => {
    const store = new SimulatedStore();
    const key = { kind: 'IPAMConfig', scope: '', name: 'default' };
    const value = { auto_allocate_blocks: true, kubeVirtVMAddressPersistence: 'Enabled' };
    await store.commit([{ type: 'put', key, value, expect: 'any' }]);
    const ipam = new Ipam(store, new SimulatedClock(), () => 0);
    await ipam.configure({ strictAffinity: true });
    expect((await store.get(key))?.value).to.deep.equal({ ...value, strict_affinity: true });
    const before = await store.revision();
    await ipam.configure({ strictAffinity: true });
    expect(await store.revision(), 'nothing to write').to.equal(before);
  });

  it('start from the resource that users apply', async () => {
    const store = new SimulatedStore();
    const value = {
      spec: {
        strictAffinity: true,
        autoAllocateBlocks: false,
        maxBlocksPerHost: 3,
        ipCooldownSeconds: 30,
      },
    };
    const key = { kind: 'IPAMConfiguration', scope: '', name: 'default' };
    await store.commit([{ type: 'put', key, value, expect: 'any' }]);
    const ipam = new Ipam(store, new SimulatedClock(), () => 0);
    const refused = await ipam.configure({ strictAffinity: false, maxBlocksPerHost: 0 });
    expect(refused.ok, 'no blocks and no borrowing').to.equal(false);
    await ipam.configure({ maxBlocksPerHost: 5 });
    expect(await ipam.settings()).to.deep.equal({ ...value.spec, maxBlocksPerHost: 5 });
  });
});
