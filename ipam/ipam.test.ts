import { expect } from 'chai';
import { type Problem, type Result, unwrap, validate } from '../api/index.ts';
import { SimulatedClock } from '../clock/simulated.ts';
import { SystemClock } from '../clock/system.ts';
import { ResourceClient } from '../datastore/index.ts';
import { temporaryStore } from '../datastore/testing.ts';
import { Address, Prefix } from '../net/addr/index.ts';
import { ExaminedStore, seeded } from './interleaving.ts';
import { Ipam } from './ipam.ts';

function address(text: string): Address {
  return Address.parse(text)!;
}

function code(result: Result<unknown>): string | undefined {
  const problems: readonly Problem[] = result.ok ? [] : result.problems;
  return problems[0]?.code;
}

describe('Ipam', () => {
  let store: ExaminedStore;
  let clock: SimulatedClock;
  let ipam: Ipam;

  beforeEach(async () => {
    store = new ExaminedStore();
    clock = new SimulatedClock();
    ipam = new Ipam(store, clock, () => 0);
    await define('IPPool', 'v4', { cidr: '10.0.0.0/28', blockSize: 30 });
    await define('IPPool', 'v6', { cidr: 'fd00::/120' });
  });

  afterEach(() => expect(store.broken).to.deep.equal([]));

  async function define(kind: string, name: string, spec: object): Promise<void> {
    unwrap(
      await new ResourceClient(store, clock).apply(
        unwrap(validate({ apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec })),
      ),
    );
  }

  async function configure(config: object): Promise<void> {
    await store.commit([
      { type: 'put', key: { kind: 'IPAMConfig', scope: '', name: 'default' }, value: config, expect: 'any' },
    ]);
  }

  async function take(host: string, handle: string, v4: number, v6 = 0): Promise<string[]> {
    const given = unwrap(await ipam.autoAssign({ host, handle, v4, v6, attributes: { node: host } }));
    return [...given.v4, ...given.v6].map(String);
  }

  async function blocksOf(host: string): Promise<string[]> {
    return (await ipam.blocks()).filter((block) => block.host === host).map(({ cidr }) => cidr.toString());
  }

  it('gives both versions at once, from blocks of the host', async () => {
    const given = await take('a', 'h', 1, 1);
    expect(given).to.have.length(2);
    const blocks = await ipam.blocks();
    expect(blocks.map(({ host, state, free, size }) => [host, state, size - free])).to.deep.equal([
      ['a', 'confirmed', 1],
      ['a', 'confirmed', 1],
    ]);
    expect((await store.get({ kind: 'IPAMHandle', scope: '', name: 'h' }))?.value).to.deep.equal({
      block: Object.fromEntries(blocks.map(({ cidr }) => [cidr.toString(), 1])),
      deleted: false,
    });
  });

  it('fills a block before it claims the next, and uses a freed address last', async () => {
    await take('a', 'h1', 3);
    expect(await blocksOf('a')).to.have.length(1);
    const [freed] = (await ipam.releaseByHandle('h1')).map(String);
    const [next] = await take('a', 'h2', 1);
    expect(next).not.to.equal(freed);
    await take('a', 'h3', 4);
    expect(await blocksOf('a')).to.have.length(2);
  });

  it('gives one request many addresses over several blocks, in as few writes as there are blocks', async () => {
    expect(new Set(await take('a', 'h', 10)).size).to.equal(10);
    expect(await blocksOf('a')).to.have.length(3);
  });

  it('gives all or nothing', async () => {
    const result = await ipam.autoAssign({ host: 'a', handle: 'h', v4: 1, v6: 1000 });
    expect(code(result)).to.equal('POOL_FULL');
    expect(await ipam.handles()).to.deep.equal([]);
    expect((await ipam.blocks()).flatMap(({ allocations }) => allocations)).to.deep.equal([]);
  });

  it('borrows single addresses when the pool has no free block, unless affinity is strict', async () => {
    for (const host of ['a', 'b', 'c', 'd']) await take(host, `h-${host}`, 1);
    clock.advance(1000);
    const [borrowed = ''] = await take('e', 'h-e', 1);
    expect(await blocksOf('e')).to.deep.equal([]);
    expect(await ipam.whoHas(address(borrowed))).to.include({ handle: 'h-e', borrowed: true });
    await configure({ auto_allocate_blocks: true, strict_affinity: true });
    expect(code(await ipam.autoAssign({ host: 'e', handle: 'h', v4: 1, v6: 0 }))).to.equal('POOL_FULL');
  });

  it('takes over an empty block of another host once its claim is a minute old', async () => {
    await configure({ auto_allocate_blocks: true, strict_affinity: true });
    for (const host of ['a', 'b', 'c', 'd']) unwrap(await ipam.ensureAffinity(4, { host }));
    await take('a', 'h-a', 1);
    expect(code(await ipam.autoAssign({ host: 'e', handle: 'h', v4: 1, v6: 0 }))).to.equal('POOL_FULL');
    clock.advance(61_000);
    expect(await take('e', 'h', 1)).to.have.length(1);
    expect(await blocksOf('a')).to.have.length(1);
    expect(await blocksOf('e')).to.have.length(1);
  });

  it('claims no more blocks than a host may have', async () => {
    await configure({ auto_allocate_blocks: true, strict_affinity: true, maxBlocksPerHost: 2 });
    expect(code(await ipam.autoAssign({ host: 'a', handle: 'h', v4: 9, v6: 0 }))).to.equal('POOL_FULL');
    expect(await take('a', 'h', 8)).to.have.length(8);
  });

  it('claims none when told not to: a stored configuration that is silent says so', async () => {
    await configure({});
    expect(code(await ipam.autoAssign({ host: 'a', handle: 'h', v4: 1, v6: 0 }))).to.equal('POOL_FULL');
  });

  it('heeds the resource IPAMConfiguration where Calico has stored no configuration of its own', async () => {
    await define('IPAMConfiguration', 'default', { strictAffinity: true, maxBlocksPerHost: 1 });
    expect(code(await ipam.autoAssign({ host: 'a', handle: 'h', v4: 5, v6: 0 }))).to.equal('POOL_FULL');
  });

  it('passes over reserved addresses, but gives one that is asked for', async () => {
    await define('IPReservation', 'r', { reservedCIDRs: ['10.0.0.0/29', '10.0.0.8/32'] });
    const given = await take('a', 'h', 7);
    expect(given.toSorted()).to.deep.equal([
      '10.0.0.10',
      '10.0.0.11',
      '10.0.0.12',
      '10.0.0.13',
      '10.0.0.14',
      '10.0.0.15',
      '10.0.0.9',
    ]);
    expect(code(await ipam.autoAssign({ host: 'a', handle: 'h', v4: 1, v6: 0 }))).to.equal('POOL_FULL');
    unwrap(await ipam.assign({ address: address('10.0.0.3'), host: 'a', handle: 'h' }));
  });

  it('never cuts addresses anew that lie in a block of a pool that is gone', async () => {
    const given = await take('a', 'old', 4);
    await new ResourceClient(store, clock).delete('IPPool', 'v4');
    await define('IPPool', 'v4', { cidr: '10.0.0.0/28', blockSize: 31 });
    const more = await take('b', 'new', 12);
    expect(new Set([...given, ...more]).size).to.equal(16);
    expect((await ipam.releaseByHandle('old')).map(String)).to.have.members(given);
  });

  it('gives a particular address, once', async () => {
    unwrap(await ipam.assign({ address: address('10.0.0.5'), host: 'a', handle: 'h' }));
    expect(await blocksOf('a')).to.deep.equal(['10.0.0.4/30']);
    const again = await ipam.assign({ address: address('10.0.0.5'), host: 'a', handle: 'h2' });
    expect([code(again), (await ipam.handles()).map(({ handle }) => handle)]).to.deep.equal([
      'ADDRESS_TAKEN',
      ['h'],
    ]);
    expect(code(await ipam.assign({ address: address('10.1.0.5'), host: 'a', handle: 'h' }))).to.equal(
      'ADDRESS_OUTSIDE_POOLS',
    );
    unwrap(await ipam.assign({ address: address('10.0.0.6'), host: 'b', handle: 'h3' }));
    await configure({ auto_allocate_blocks: true, strict_affinity: true });
    expect(code(await ipam.assign({ address: address('10.0.0.7'), host: 'b', handle: 'h4' }))).to.equal(
      'BLOCK_OF_OTHER',
    );
  });

  it('releases by address, passing over what is free and refusing what is held otherwise', async () => {
    const [first = '', second = ''] = await take('a', 'h', 2);
    expect(code(await ipam.release([{ address: address(first), handle: 'other' }]))).to.equal(
      'ADDRESS_HELD_OTHERWISE',
    );
    expect(code(await ipam.release([{ address: address(first), sequence: 1n }]))).to.equal(
      'ADDRESS_HELD_OTHERWISE',
    );
    const held = await ipam.whoHas(address(first));
    const exact = {
      address: address(first),
      handle: 'h',
      ...(held?.sequence === undefined ? {} : { sequence: held.sequence }),
    };
    expect(unwrap(await ipam.release([exact])).map(String)).to.deep.equal([first]);
    expect(unwrap(await ipam.release([address(first), address('192.0.2.1')]))).to.deep.equal([]);
    expect(await ipam.whoHas(address(first))).to.equal(undefined);
    expect((await ipam.handles())[0]?.counts[0]?.count).to.equal(1);
    expect(unwrap(await ipam.release([address(second)])).map(String)).to.deep.equal([second]);
    expect(await ipam.handles()).to.deep.equal([]);
  });

  it('gives a host a block to advertise before its first workload, once', async () => {
    const first = unwrap(await ipam.ensureAffinity(4, { host: 'a' }));
    expect(unwrap(await ipam.ensureAffinity(4, { host: 'a' })).equals(first)).to.equal(true);
    expect(await blocksOf('a')).to.deep.equal([first.toString()]);
    expect((await take('a', 'h', 1)).every((one) => first.contains(address(one)))).to.equal(true);
  });

  it("takes leave of a host: empty blocks go, used ones are nobody's until the last address is free", async () => {
    const [one = ''] = await take('a', 'h', 1, 1);
    unwrap(await ipam.ensureAffinity(4, { host: 'b' }));
    expect(await ipam.releaseAffinity('a', Prefix.of(address(one), 30), { keepIfUsed: true })).to.equal(
      false,
    );
    expect((await ipam.blocks()).map(({ state }) => state)).to.deep.equal([
      'confirmed',
      'confirmed',
      'confirmed',
    ]);
    for (const host of ['a', 'b']) await ipam.releaseHost(host);
    expect((await ipam.blocks()).map(({ affinity }) => affinity)).to.deep.equal([undefined, undefined]);
    await ipam.releaseByHandle('h');
    expect(await ipam.blocks()).to.deep.equal([]);
    expect((await store.list({ kind: 'BlockAffinity' })).entries).to.deep.equal([]);
  });

  it('gives nothing out of a block while it is not confirmed: such a block is not advertised', async () => {
    const [first = ''] = await take('a', 'h1', 1);
    const { entries } = await store.list({ kind: 'BlockAffinity' });
    for (const { key, revision } of entries) {
      // As a release does first that dies there, Calico's or ours, while this process has the block in mind.
      const value = { state: 'pendingDeletion', deleted: false };
      await store.commit([{ type: 'put', key, value, expect: { revision } }]);
    }
    await take('a', 'h2', 1);
    const [block] = await ipam.blocks();
    expect([block?.state, block?.allocations.length]).to.deep.equal(['confirmed', 2]);
    expect(block?.cidr.contains(address(first))).to.equal(true);
  });

  it('counts a block as empty that holds only what Windows keeps for itself, and keeps it as it is', async () => {
    const block = unwrap(await ipam.ensureAffinity(4, { host: 'win' })).toString();
    const key = { kind: 'IPAMBlock', scope: '', name: block };
    const stored = (await store.get(key))!;
    const reserved = {
      ...(stored.value as object),
      allocations: [0, null, null, 0],
      unallocated: [1, 2],
      attributes: [{ handle_id: 'windows-reserved-ipam-handle', secondary: { note: 'windows host' } }],
      sequenceNumberForAllocation: { 0: 1n, 3: 1n },
    };
    const count = { block: { [block]: 2 }, deleted: false };
    await store.commit([
      { type: 'put', key, value: reserved, expect: { revision: stored.revision } },
      {
        type: 'put',
        key: { kind: 'IPAMHandle', scope: '', name: 'windows-reserved-ipam-handle' },
        value: count,
        expect: 'absent',
      },
    ]);
    expect(await take('win', 'h', 2)).to.have.length(2);
    await ipam.releaseByHandle('h');
    expect((await store.get(key))?.value).to.deep.include({
      allocations: [0, null, null, 0],
      attributes: reserved.attributes,
    });
    expect(await ipam.releaseAffinity('win', Prefix.parse(block)!, { keepIfUsed: true })).to.equal(true);
    // Its handle is left counting what is gone; a release of the handle sets that right.
    await ipam.releaseByHandle('windows-reserved-ipam-handle');
  });

  it('fails at the limit of blocks rather than borrow, as Calico does', async () => {
    await configure({ auto_allocate_blocks: true, maxBlocksPerHost: 1 });
    await take('b', 'h-b', 1);
    expect(await take('a', 'h', 4)).to.have.length(4);
    expect(code(await ipam.autoAssign({ host: 'a', handle: 'h', v4: 1, v6: 0 }))).to.equal('POOL_FULL');
  });

  it('counts towards the limit only blocks of the pools that are asked', async () => {
    await configure({ auto_allocate_blocks: true, strict_affinity: true, maxBlocksPerHost: 1 });
    await define('IPPool', 'other', { cidr: '10.0.1.0/28', blockSize: 30, assignmentMode: 'Manual' });
    await take('a', 'h', 4);
    const manual = unwrap(
      await ipam.autoAssign({ host: 'a', handle: 'm', v4: 1, v6: 0, v4Pools: ['other'] }),
    );
    expect(manual.v4.map(String)[0]).to.match(/^10\.0\.1\./);
  });

  it('takes pools in the order asked, and the next only when the one before has nothing left', async () => {
    await configure({ auto_allocate_blocks: true, strict_affinity: true });
    await define('IPPool', 'a-last', { cidr: '10.0.1.0/30', blockSize: 30 });
    await define('IPPool', 'b-first', { cidr: '10.0.2.0/30', blockSize: 30 });
    const request = { host: 'a', handle: 'h', v6: 0, v4Pools: ['b-first', '10.0.1.0/30'] };
    const given = unwrap(await ipam.autoAssign({ ...request, v4: 6 })).v4.map(String);
    expect(given.map((text) => text.split('.')[2])).to.deep.equal(['2', '2', '2', '2', '1', '1']);
  });

  it('gives back an empty block in a pool that does not select the node any more', async () => {
    const nodeLabels = { rack: 'a' };
    await define('IPPool', 'rack', { cidr: '10.0.1.0/28', blockSize: 30, nodeSelector: "rack == 'a'" });
    const request = { host: 'a', handle: 'h', v4: 1, v6: 0, v4Pools: ['rack'] };
    unwrap(await ipam.autoAssign({ ...request, nodeLabels }));
    await ipam.releaseByHandle('h');
    expect(await blocksOf('a')).to.have.length(1);
    unwrap(await ipam.autoAssign({ host: 'a', handle: 'h', v4: 1, v6: 0, nodeLabels: { rack: 'b' } }));
    expect((await blocksOf('a')).map((cidr) => cidr.startsWith('10.0.0.'))).to.deep.equal([true]);
  });

  it('gives addresses of services out of blocks that belong to no node', async () => {
    await define('IPPool', 'lb', {
      cidr: '10.0.3.0/28',
      blockSize: 30,
      allowedUses: ['LoadBalancer'],
    });
    const request = { host: 'load-balancer', handle: 'lb-1', v4: 1, v6: 0, use: 'LoadBalancer' } as const;
    unwrap(await ipam.autoAssign(request));
    const [block] = (await ipam.blocks()).map(({ affinity, state }) => [affinity, state]);
    expect(block).to.deep.equal(['virtual:load-balancer', 'confirmed']);
    const particular = { ...request, address: address('10.0.3.9'), handle: 'lb-2' };
    unwrap(await ipam.assign(particular));
    expect(code(await ipam.assign({ ...particular, address: address('10.0.0.9') }))).to.equal(
      'ADDRESS_OUTSIDE_POOLS',
    );
  });

  it('reserves single addresses too, as people write them', async () => {
    await define('IPReservation', 'r', { reservedCIDRs: ['10.0.0.12', '10.0.0.13/32'] });
    expect((await take('a', 'h', 2)).toSorted()).to.deep.equal(['10.0.0.14', '10.0.0.15']);
  });

  it('serves many callers at once on the embedded store, each its own address, without wasting blocks', async () => {
    const embedded = await temporaryStore();
    const client = new ResourceClient(embedded, clock);
    for (const [name, cidr] of [
      ['v4', '10.0.0.0/16'],
      ['v6', 'fd00::/64'],
    ] as const) {
      unwrap(
        await client.create(
          unwrap(
            validate({
              apiVersion: 'projectcalico.org/v3',
              kind: 'IPPool',
              metadata: { name },
              spec: { cidr },
            }),
          ),
        ),
      );
    }
    // Two instances stand for two processes of one host: they do contend.
    const callers = [1, 2].map((seed) => new Ipam(embedded, new SystemClock(), seeded(seed)));
    const given = await Promise.all(
      Array.from({ length: 60 }, async (_, i) =>
        callers[i % 2]!.autoAssign({ host: 'a', handle: `h${i}`, v4: 1, v6: 1 }),
      ),
    );
    const addresses = given.map(unwrap).flatMap(({ v4, v6 }) => [...v4, ...v6].map(String));
    expect(new Set(addresses).size).to.equal(120);
    expect((await callers[0]!.blocks()).length).to.be.within(2, 4);
  });
});
