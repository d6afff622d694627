/** For tests: released addresses rest, on any engine of the Store. */
import { expect } from 'chai';
import { unwrap } from '../api/index.ts';
import { SimulatedClock } from '../clock/simulated.ts';
import type { Store } from '../datastore/index.ts';
import { Address } from '../net/addr/index.ts';
import type { IPAMBlock } from './block.ts';
import { Collector } from './gc/index.ts';
import { putPool } from './gc/testing.ts';
import { Ipam } from './ipam.ts';
import { blockKey } from './records.ts';

const HOST = 'rest-a';

/** @param open  a store that holds no objects of IPAM; it holds none afterwards, nor the pools that were made */
export function cooldownContract(
  engine: string,
  open: () => Promise<Store>,
  close: (store: Store) => Promise<void> = async (store) => store.close(),
): void {
  describe(`addresses that rest: ${engine}`, () => {
    let store: Store;
    let clock: SimulatedClock;
    let ipam: Ipam;

    beforeEach(async () => {
      store = await open();
      clock = new SimulatedClock();
      ipam = new Ipam(store, clock, () => 0);
      await putPool(store, 'rest-v4', '10.99.0.0/30', 30);
      await putPool(store, 'rest-v6', 'fd00:99::/126', 126);
      unwrap(await ipam.configure({ ipCooldownSeconds: 60 }));
    });

    afterEach(async () => {
      unwrap(await ipam.configure({ ipCooldownSeconds: 0 }));
      for (const { handle } of await ipam.handles()) await ipam.releaseByHandle(handle);
      await ipam.releaseHost(HOST);
      for (const { cidr } of await ipam.blocks()) {
        const entry = await store.get(blockKey(cidr.toString()));
        if (entry !== undefined)
          await store.commit([{ type: 'delete', key: entry.key, expect: { revision: entry.revision } }]);
      }
      for (const name of ['rest-v4', 'rest-v6'])
        await store.commit([{ type: 'delete', key: { kind: 'IPPool', scope: '', name }, expect: 'any' }]);
      await close(store);
    });

    async function take(handle: string, v4: number, v6 = 0): Promise<string[] | string> {
      const given = await ipam.autoAssign({ host: HOST, handle, attributes: { node: HOST }, v4, v6 });
      return given.ok ? [...given.value.v4, ...given.value.v6].map(String) : given.problems[0]!.code;
    }

    async function block(cidr = '10.99.0.0/30'): Promise<IPAMBlock> {
      return (await store.get(blockKey(cidr)))!.value as IPAMBlock;
    }

    it("are nobody's, and nobody gets them before their time, in both IP versions", async () => {
      expect(await take('h1', 4, 4)).to.have.length(8);
      expect(await ipam.releaseByHandle('h1')).to.have.length(8);
      expect(await ipam.handles()).to.deep.equal([]);
      const { attributes, unallocated, sequenceNumber, sequenceNumberForAllocation } = await block();
      const releasedAt = clock.wall().toISOString().replace('.000Z', 'Z');
      expect(attributes).to.deep.equal([{ releasedAt }]);
      expect(unallocated).to.deep.equal([]);
      const released = BigInt(sequenceNumber) - 1n;
      expect(Object.values(sequenceNumberForAllocation ?? {}).map(BigInt)).to.deep.equal(
        [0, 1, 2, 3].map(() => released),
      );
      expect(await take('h2', 1)).to.equal('POOL_FULL');
      expect(await take('h2', 0, 1)).to.equal('POOL_FULL');
      const address = Address.parse('10.99.0.2')!;
      const refused = await ipam.assign({ address, host: HOST, handle: 'h2' });
      expect(refused.ok ? '' : refused.problems[0]!.what).to.contain(`was released at ${releasedAt}`);
      expect(unwrap(await ipam.release([address])), 'released before').to.deep.equal([]);
      clock.advance(59_000);
      expect(await take('h2', 1)).to.equal('POOL_FULL');
      clock.advance(1_000);
      expect(await take('h2', 2, 1)).to.deep.equal(['10.99.0.0', '10.99.0.1', 'fd00:99::']);
      expect((await block()).unallocated, 'the rest is free by the same write').to.deep.equal([2, 3]);
    });

    it('one by one, each from its own release', async () => {
      await take('h1', 1);
      await take('h2', 1);
      await take('h3', 2);
      await ipam.release([Address.parse('10.99.0.1')!]);
      clock.advance(30_000);
      await ipam.releaseByHandle('h1');
      clock.advance(30_000);
      expect(await take('h4', 1)).to.deep.equal(['10.99.0.1']);
      expect(await take('h5', 1)).to.equal('POOL_FULL');
      clock.advance(30_000);
      expect(await take('h5', 1)).to.deep.equal(['10.99.0.0']);
    });

    it('in a block that nobody writes, are freed by the collector, and the block after them', async () => {
      const collector = new Collector(store, clock, () => 0, { grace: 0, longestGap: 1e9 });
      const find = async (): Promise<string[]> => (await collector.look()).findings.map(({ kind }) => kind);
      await take('h1', 2);
      await ipam.releaseByHandle('h1');
      await ipam.releaseHost(HOST);
      expect((await ipam.blocks()).map(({ affinity, free }) => [affinity, free])).to.deep.equal([
        [undefined, 2],
      ]);
      expect(await find()).to.deep.equal([]);
      clock.advance(60_000);
      expect(await find()).to.deep.equal(['rested', 'nobodys-block']);
      const collected = await collector.collect((await collector.look()).due);
      expect(collected.map(({ outcome }) => outcome)).to.deep.equal(['done', 'passed']);
      expect(await ipam.blocks()).to.deep.equal([]);
      expect(await find()).to.deep.equal([]);
    });

    it('rest no longer once the setting is gone', async () => {
      await take('h1', 4);
      await ipam.releaseByHandle('h1');
      unwrap(await ipam.configure({ ipCooldownSeconds: 0 }));
      expect(await take('h2', 4)).to.have.length(4);
      await ipam.releaseByHandle('h2');
      expect((await block()).unallocated).to.have.length(4);
    });
  });
}
