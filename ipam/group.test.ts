/** How many writes there are: what grouping is for. */
import { expect } from 'chai';
import type { IPPool } from '../api/index.ts';
import { unwrap } from '../api/index.ts';
import { SimulatedClock } from '../clock/simulated.ts';
import type { Commit, Entry, Key, Operation } from '../datastore/index.ts';
import { keyText } from '../datastore/index.ts';
import { SimulatedStore } from '../datastore/simulated.ts';
import { Address } from '../net/addr/index.ts';
import type { IPAMBlock } from './block.ts';
import { Ipam } from './ipam.ts';

/** Notes every commit, and can do something just before the next. */
class NotedStore extends SimulatedStore {
  readonly writes: string[][] = [];
  readonly reads: string[] = [];
  before: (() => Promise<void>) | undefined;

  override async get(key: Key): Promise<Entry | undefined> {
    this.reads.push(keyText(key));
    return super.get(key);
  }

  override async commit(operations: readonly Operation[]): Promise<Commit> {
    const { before } = this;
    this.before = undefined;
    await before?.();
    this.writes.push(operations.map(({ type, key }) => `${type} ${keyText(key)}`));
    return super.commit(operations);
  }

  forget(): void {
    this.writes.length = 0;
    this.reads.length = 0;
  }
}

function pool(name: string, cidr: string): IPPool {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name },
    spec: {
      cidr,
      vxlanMode: 'Never',
      ipipMode: 'Never',
      nodeSelector: 'all()',
      allowedUses: ['Workload'],
      assignmentMode: 'Automatic',
    },
  };
}

async function open(transactional: boolean): Promise<{ store: NotedStore; ipam: Ipam }> {
  const store = new NotedStore({ transactional });
  for (const value of [pool('v4', '10.0.0.0/16'), pool('v6', 'fd00::/112')]) {
    const key = { kind: 'IPPool', scope: '', name: value.metadata.name };
    await store.commit([{ type: 'put', key, value, expect: 'absent' }]);
  }
  store.forget();
  return { store, ipam: new Ipam(store, new SimulatedClock(), () => 0) };
}

async function takeMany(ipam: Ipam, from: number, count: number, v6 = 0): Promise<string[]> {
  const given = await Promise.all(
    Array.from({ length: count }, async (_, i) =>
      ipam.autoAssign({ host: 'a', handle: `h${from + i}`, attributes: { node: 'a' }, v4: 1, v6 }),
    ),
  );
  return given.map(unwrap).flatMap((one) => [...one.v4, ...one.v6].map(String));
}

async function releaseMany(ipam: Ipam, from: number, count: number): Promise<number> {
  const freed = await Promise.all(
    Array.from({ length: count }, async (_, i) => ipam.releaseByHandle(`h${from + i}`)),
  );
  return freed.flat().length;
}

async function block(store: NotedStore): Promise<IPAMBlock> {
  const { entries } = await store.list({ kind: 'IPAMBlock' });
  return entries.map(({ value }) => value as IPAMBlock).find(({ cidr }) => cidr.startsWith('10.'))!;
}

describe('requests that come together', () => {
  it('are one commit, with the claim of the blocks, on a store with transactions', async () => {
    const { store, ipam } = await open(true);
    expect(new Set(await takeMany(ipam, 0, 50, 1)).size).to.equal(100);
    expect(store.writes.map((operations) => operations.length)).to.deep.equal([54]);
    const { entries } = await store.list({ kind: 'BlockAffinity' });
    expect(entries.map(({ value }) => value)).to.deep.equal([
      { state: 'confirmed', deleted: false },
      { state: 'confirmed', deleted: false },
    ]);
    store.forget();
    expect(await releaseMany(ipam, 0, 50)).to.equal(100);
    expect(store.writes.map((operations) => operations.length)).to.deep.equal([52]);
    expect(store.reads, 'all but the settings is remembered').to.deep.equal([
      'IPAMConfig/default',
      'IPAMConfiguration/default',
    ]);
    expect((await store.list({ kind: 'IPAMHandle' })).entries).to.deep.equal([]);
  });

  it('are a write of the block and one of each handle on a store that takes one key at a time', async () => {
    const { store, ipam } = await open(false);
    await takeMany(ipam, 0, 1);
    store.forget();
    await takeMany(ipam, 1, 20);
    expect(store.writes).to.have.length(21);
    expect(store.writes.at(-1)?.[0]).to.match(/^put IPAMBlock/);
    store.forget();
    expect(await releaseMany(ipam, 0, 21)).to.equal(21);
    expect(store.writes).to.have.length(22);
    expect(store.writes[0]?.[0]).to.match(/^put IPAMBlock/);
  });

  it('count a handle in both IP versions with one write', async () => {
    const { store, ipam } = await open(false);
    await takeMany(ipam, 0, 1, 1);
    store.forget();
    await takeMany(ipam, 1, 1, 1);
    expect(store.writes.map(([write]) => write?.split('/')[0])).to.deep.equal([
      'put IPAMHandle',
      'put IPAMBlock',
      'put IPAMBlock',
    ]);
  });

  it('gather while others are being written', async () => {
    const { store, ipam } = await open(true);
    await takeMany(ipam, 0, 1);
    store.forget();
    let later: Promise<string[]> | undefined;
    store.before = async () => {
      later = takeMany(ipam, 2, 30);
      await new Promise((resolve) => setImmediate(resolve));
    };
    await takeMany(ipam, 1, 1);
    await later;
    expect(store.writes).to.have.length(2);
  });

  it('step the sequence number of the block once, and each address knows the number that it was read with', async () => {
    const { store, ipam } = await open(true);
    await takeMany(ipam, 0, 1);
    const before = await block(store);
    await Promise.all([takeMany(ipam, 1, 3), releaseMany(ipam, 0, 1)]);
    const after = await block(store);
    expect(BigInt(after.sequenceNumber) - BigInt(before.sequenceNumber)).to.equal(1n);
    expect(Object.entries(after.sequenceNumberForAllocation ?? {})).to.deep.equal(
      [1, 2, 3].map((ordinal) => [String(ordinal), before.sequenceNumber]),
    );
    expect(after.unallocated.at(-1), 'freed, and last to be given again').to.equal(0);
  });

  it('are refused together when another writer was quicker, and go by what it left without a read', async () => {
    const { store, ipam } = await open(true);
    await takeMany(ipam, 0, 1);
    const other = new Ipam(store, new SimulatedClock(), () => 0);
    store.before = async () => void (await takeMany(other, 100, 5));
    store.forget();
    const given = await takeMany(ipam, 1, 10);
    expect(new Set(given).size).to.equal(10);
    expect((await block(store)).unallocated).to.have.length(64 - 16);
    // Two of the other, which knew nothing; two of ours, of which one in vain.
    expect(store.writes.length).to.equal(3);
  });

  it('take a particular address and any other in one go, or none', async () => {
    const { store, ipam } = await open(true);
    const addresses = [Address.parse('10.0.7.7')!];
    const given = unwrap(await ipam.autoAssign({ host: 'a', handle: 'h', addresses, v4: 0, v6: 1 }));
    expect(given.v4.map(String)).to.deep.equal(['10.0.7.7']);
    expect(store.writes).to.have.length(1);
    const again = await ipam.autoAssign({ host: 'a', handle: 'h2', addresses, v4: 0, v6: 1 });
    expect(again.ok ? '' : again.problems[0]?.code).to.equal('ADDRESS_TAKEN');
    expect(store.writes).to.have.length(1);
    expect((await ipam.handles()).map(({ handle }) => handle)).to.deep.equal(['h']);
  });

  it('may be of many hosts, each with its own blocks', async () => {
    const { store, ipam } = await open(true);
    const hosts = Array.from({ length: 40 }, (_, i) => `node-${i}`);
    const given = await Promise.all(
      hosts.map(async (host) =>
        ipam.autoAssign({ host, handle: host, attributes: { node: host }, v4: 1, v6: 0 }),
      ),
    );
    expect(given.every(({ ok }) => ok)).to.equal(true);
    const blocks = await ipam.blocks();
    expect(blocks.map(({ host }) => host)).to.have.members(hosts);
    expect(
      blocks.every(({ state, allocations }) => state === 'confirmed' && allocations.length === 1),
    ).to.equal(true);
    // Of 40 hosts with a block, an affinity and a handle each: 120 keys.
    expect(store.writes.length).to.be.within(1, 3);
  });

  it('are split where one commit cannot hold them, and one handle in more blocks than that is freed in several', async () => {
    const { store, ipam } = await open(true);
    const value = pool('v4', '10.0.0.0/16');
    const small = { ...value, spec: { ...value.spec, blockSize: 32 } };
    const key = { kind: 'IPPool', scope: '', name: 'v4' };
    await store.commit([{ type: 'put', key, value: small, expect: 'any' }]);
    const config = { strict_affinity: true, auto_allocate_blocks: true, maxBlocksPerHost: 500 };
    const configKey = { kind: 'IPAMConfig', scope: '', name: 'default' };
    await store.commit([{ type: 'put', key: configKey, value: config, expect: 'any' }]);
    store.forget();
    unwrap(await ipam.autoAssign({ host: 'a', handle: 'h', v4: 200, v6: 0 }));
    expect(await ipam.releaseByHandle('h')).to.have.length(200);
    expect(await releaseMany(ipam, 0, 1)).to.equal(0);
    expect(Math.max(...store.writes.map((operations) => operations.length))).to.be.within(2, 128);
    expect((await store.list({ kind: 'IPAMHandle' })).entries).to.deep.equal([]);
  });

  it('are all told when the store cannot be reached, and nothing that was remembered is believed any more', async () => {
    const { store, ipam } = await open(true);
    await takeMany(ipam, 0, 1);
    store.before = async () => {
      throw new Error('gone');
    };
    const results = await Promise.allSettled([takeMany(ipam, 1, 1), takeMany(ipam, 2, 1)]);
    expect(results.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected']);
    store.forget();
    await takeMany(ipam, 3, 1);
    expect(store.reads.some((read) => read.startsWith('IPAMBlock'))).to.equal(true);
  });
});
