/** What the garbage collector finds, when it acts, and what it leaves alone. */
import { expect } from 'chai';
import { type Node, unwrap } from '../../api/index.ts';
import { SimulatedClock } from '../../clock/simulated.ts';
import type { Entry } from '../../datastore/index.ts';
import { SimulatedStore } from '../../datastore/simulated.ts';
import { Address } from '../../net/addr/index.ts';
import type { IPAMBlock } from '../block.ts';
import type { IPAMHandle } from '../handle.ts';
import { Ipam } from '../ipam.ts';
import { affinityKey, blockKey, handleKey } from '../records.ts';
import { Collector, type Look } from './collector.ts';
import { usersOf } from './world.ts';
import { drop, dropEndpoint, putEndpoint, putNode, putPool } from './testing.ts';

const GRACE = 900_000;
const EVERY = 300_000;

const codes = (look: Look): string[] => look.doubts.map(({ code }) => code);

describe('the garbage collector of IPAM', () => {
  let store: SimulatedStore;
  let clock: SimulatedClock;
  let ipam: Ipam;
  let collector: Collector;

  beforeEach(async () => {
    store = new SimulatedStore({ transactional: false });
    clock = new SimulatedClock();
    ipam = new Ipam(store, clock, () => 0);
    collector = newCollector();
    await putPool(store, 'v4', '10.0.0.0/24', 29);
    await putPool(store, 'v6', 'fd00::/120', 125);
    for (const node of ['a', 'b']) await putNode(store, node);
  });

  const newCollector = (): Collector =>
    new Collector(store, clock, () => 0, { grace: GRACE, longestGap: 2 * EVERY });

  async function take(host: string, pod: string, attributes?: Record<string, string>): Promise<string[]> {
    const given = await ipam.autoAssign({
      host,
      handle: `net.${pod}`,
      attributes: attributes ?? { node: host, namespace: 'default', pod },
      v4: 1,
      v6: 1,
    });
    const { v4, v6 } = unwrap(given);
    return [...v4, ...v6].map(String);
  }

  /** Looks until the grace period is over, and collects once. @returns what was done, as text */
  async function collect(): Promise<string[]> {
    let look: Look = await collector.look();
    for (let waited = 0; waited < GRACE; waited += EVERY) {
      expect(look.due, 'not before its time').to.deep.equal([]);
      clock.advance(EVERY);
      look = await collector.look();
    }
    const collected = await collector.collect(look.due);
    expect(collected.filter(({ outcome }) => outcome === 'failed')).to.deep.equal([]);
    return collected
      .filter(({ outcome }) => outcome === 'done')
      .map(({ finding }) => {
        const what =
          finding.kind === 'address'
            ? finding.address.toString()
            : finding.kind === 'endpoint'
              ? finding.name
              : finding.kind === 'handle'
                ? finding.handle
                : finding.cidr;
        return `${finding.kind} ${what}`;
      });
  }

  /** Until nothing is left to do: an empty block is found only once its addresses are gone. */
  async function collectAll(): Promise<string[]> {
    const all: string[] = [];
    for (let done = await collect(); done.length > 0; done = await collect()) all.push(...done);
    return all;
  }

  async function held(): Promise<string[]> {
    return (await ipam.blocks()).flatMap(({ allocations }) =>
      allocations.map(({ address }) => address.toString()),
    );
  }

  const finds = async (): Promise<string[]> => (await collector.look()).findings.map(({ kind }) => kind);

  it('finds nothing wrong where nothing is', async () => {
    await putEndpoint(store, 'a', 'web', await take('a', 'web'));
    await take('b', 'b-tunnel', { node: 'b', type: 'vxlanTunnelAddress' });
    expect(await finds()).to.deep.equal([]);
    expect(await collectAll()).to.deep.equal([]);
  });

  it('frees addresses whose workload is gone, of both families, and the block with them but the first', async () => {
    const web = await take('a', 'web');
    await putEndpoint(store, 'a', 'web', web);
    const gone = await take('a', 'gone');
    expect(await collect()).to.deep.equal(gone.map((address) => `address ${address}`));
    expect(await held()).to.have.members(web);
    expect((await ipam.handles()).map(({ handle }) => handle)).to.deep.equal(['net.web']);
    await dropEndpoint(store, 'a', 'web');
    await collectAll();
    expect(await held()).to.deep.equal([]);
    expect(
      (await ipam.blocks()).map(({ host }) => host),
      'one block of each family stays',
    ).to.deep.equal(['a', 'a']);
  });

  it('waits for the whole grace period, anew when the workload came back or nobody looked', async () => {
    const addresses = await take('a', 'web');
    await collector.look();
    clock.advance(GRACE - 1);
    expect((await collector.look()).due, 'the gap was too long').to.deep.equal([]);
    clock.advance(EVERY);
    await collector.look();
    await putEndpoint(store, 'a', 'web', addresses);
    await collector.look();
    await dropEndpoint(store, 'a', 'web');
    expect(await collect()).to.have.length(2);
  });

  it('frees no address that was given anew, even to the same handle', async () => {
    const [address = ''] = await take('a', 'web');
    await collector.look();
    for (let i = 0; i < 3; i++) {
      clock.advance(EVERY);
      await collector.look();
    }
    const { due } = await collector.look();
    expect(due.length).to.be.greaterThan(0);
    await ipam.releaseByHandle('net.web');
    await ipam.assign({
      address: Address.parse(address)!,
      host: 'a',
      handle: 'net.web',
      attributes: { node: 'a', namespace: 'default', pod: 'web' },
    });
    const collected = await collector.collect(due);
    expect(collected.map(({ outcome }) => outcome)).to.not.include('done');
    expect(await held()).to.deep.equal([address]);
  });

  it('asks the store itself before it frees, not what it looked at', async () => {
    const addresses = await take('a', 'web');
    const stale = new Collector(store, clock, () => 0, {
      grace: 0,
      longestGap: EVERY,
      users: async () => usersOf((await store.list({ kind: 'Node' })).entries as Entry<Node>[], []),
    });
    await putEndpoint(store, 'a', 'web', addresses);
    const { due } = await stale.look();
    expect(due.map(({ kind }) => kind)).to.deep.equal(['address', 'address']);
    expect((await stale.collect(due)).map(({ outcome }) => outcome)).to.deep.equal(['passed', 'passed']);
    expect(await held()).to.have.members(addresses);
  });

  it('leaves alone what it cannot know', async () => {
    await take('a', 'lb', { service: 'web' });
    await take('a', 'plain', {});
    await take('a', 'vm', { node: 'a', namespace: 'default', pod: 'virt-launcher', 'vmi-name': 'vm' });
    const windows = unwrap(
      await ipam.assign({
        // In a block that others use: one that holds nothing else counts as empty.
        address: (await ipam.blocks())[0]!.cidr.nth(7),
        host: 'a',
        handle: 'windows-reserved-ipam-handle',
        attributes: { node: 'a', type: 'vxlanTunnelAddress' },
      }),
    );
    expect(await collectAll()).to.deep.equal([]);
    expect(await held()).to.include(windows.toString());
  });

  it('takes a pod that does not say its address yet for one that may have it', async () => {
    await take('a', 'web');
    await putEndpoint(store, 'a', 'web', []);
    expect(await finds()).to.deep.equal([]);
  });

  it('frees tunnel addresses of gone nodes, and those that their node no longer has', async () => {
    const [old = '', old6 = ''] = await take('a', 'tunnel-a', { node: 'a', type: 'vxlanTunnelAddress' });
    const [current = ''] = await take('a', 'tunnel-a', { node: 'a', type: 'vxlanTunnelAddress' });
    await putNode(store, 'a', { ipv4VXLANTunnelAddr: current });
    const done = await collect();
    expect(done).to.include(`address ${old}`).and.not.include(`address ${current}`);
    await drop(store, 'Node', 'a');
    expect(await collectAll()).to.include(`address ${current}`);
    expect(await held()).to.not.include.members([old, old6, current]);
  });

  it('gives back everything of a node that left: endpoints, addresses, blocks, and what others borrowed stays', async () => {
    await putEndpoint(store, 'b', 'stays', await take('b', 'stays'));
    await putEndpoint(store, 'a', 'web', await take('a', 'web'));
    await take('a', 'leaked');
    const lent = Address.parse(
      (await ipam.blocks())
        .find(({ host, cidr }) => host === 'a' && cidr.version === 4)!
        .cidr.nth(7)
        .toString(),
    )!;
    unwrap(
      await ipam.assign({
        address: lent,
        host: 'b',
        handle: 'net.borrower',
        attributes: { node: 'b', namespace: 'default', pod: 'borrower' },
      }),
    );
    await putEndpoint(store, 'b', 'borrower', [lent.toString()]);
    await drop(store, 'Node', 'a');
    const done = await collectAll();
    expect(done[0]).to.equal('endpoint a-k8s-web-eth0');
    const blocks = await ipam.blocks();
    expect(blocks.filter(({ host }) => host === 'a')).to.deep.equal([]);
    expect(blocks.map(({ host }) => host ?? 'nobody')).to.have.members(['b', 'b', 'nobody']);
    expect((await store.list({ kind: 'BlockAffinity', scope: 'host:a' })).entries).to.deep.equal([]);
    expect((await ipam.handles()).map(({ handle }) => handle)).to.have.members(['net.stays', 'net.borrower']);
    await dropEndpoint(store, 'b', 'borrower');
    await collectAll();
    expect(
      (await ipam.blocks()).map(({ host }) => host),
      'the last address took the block',
    ).to.deep.equal(['b', 'b']);
  });

  it('does nothing to a node that came back before its turn', async () => {
    await take('a', 'x', { node: 'a', type: 'vxlanTunnelAddress' });
    await drop(store, 'Node', 'a');
    await collector.look();
    for (let i = 0; i < 3; i++) {
      clock.advance(EVERY);
      await collector.look();
    }
    const { due } = await collector.look();
    expect(due.map(({ kind }) => kind)).to.include('gone-node');
    await putNode(store, 'a');
    const collected = await collector.collect(due);
    expect(collected.map(({ outcome }) => outcome)).to.not.include('done');
    expect((await ipam.blocks()).map(({ host }) => host)).to.deep.equal(['a', 'a']);
  });

  describe('objects against each other', () => {
    it('sets right counts that are too large, too small, missing, or of nothing', async () => {
      await putEndpoint(store, 'a', 'web', await take('a', 'web'));
      const key = handleKey('net.web');
      const entry = (await store.get(key))!;
      const { block } = entry.value as IPAMHandle;
      const truth = new Map(Object.entries(block));
      const cidrs = Object.keys(block);
      for (const wrong of [{ [cidrs[0]!]: 5, '10.0.0.240/29': 1 }, { [cidrs[0]!]: 0 }, undefined]) {
        await (wrong === undefined
          ? drop(store, 'IPAMHandle', 'net.web')
          : store.commit([{ type: 'put', key, value: { block: wrong, deleted: false }, expect: 'any' }]));
        expect(await finds()).to.include('handle');
        await collectAll();
        const after = ((await store.get(key))!.value as IPAMHandle).block;
        expect(new Map(Object.entries(after))).to.deep.equal(truth);
      }
      await store.commit([
        { type: 'put', key: handleKey('net.void'), value: { block: {}, deleted: false }, expect: 'any' },
      ]);
      expect(await collectAll()).to.deep.equal(['handle net.void']);
      expect(await store.get(handleKey('net.void'))).to.equal(undefined);
    });

    it('ends claims and releases that were cut short', async () => {
      await putEndpoint(store, 'a', 'web', await take('a', 'web'));
      const blocks = await ipam.blocks();
      const own = blocks[0]!.cidr.toString();
      await drop(store, 'BlockAffinity', own, 'host:a');
      for (const [owner, cidr] of [
        ['host:b', own],
        ['host:b', '10.0.0.240/29'],
      ] as const) {
        await store.commit([
          {
            type: 'put',
            key: affinityKey(owner, cidr),
            value: { state: 'pending', deleted: false },
            expect: 'any',
          },
        ]);
      }
      const empty = (await store.get(blockKey(own)))!.value as IPAMBlock;
      const free = {
        ...empty,
        cidr: '10.0.0.248/29',
        affinity: null,
        allocations: Array(8).fill(null),
        unallocated: [0, 1, 2, 3, 4, 5, 6, 7],
        attributes: [],
        sequenceNumberForAllocation: {},
      };
      await store.commit([{ type: 'put', key: blockKey('10.0.0.248/29'), value: free, expect: 'any' }]);
      expect((await finds()).toSorted()).to.deep.equal([
        'lost-affinity',
        'nobodys-block',
        'stale-affinity',
        'stale-affinity',
      ]);
      expect(await collectAll()).to.have.length(4);
      expect(await finds()).to.deep.equal([]);
      expect((await store.get(affinityKey('host:a', own)))?.value).to.include({ state: 'confirmed' });
    });

    it('touches nothing that refers to a block that it cannot read', async () => {
      await putEndpoint(store, 'a', 'web', await take('a', 'web'));
      const own = (await ipam.blocks())[0]!.cidr.toString();
      await store.commit([{ type: 'put', key: blockKey(own), value: { cidr: own }, expect: 'any' }]);
      expect(await finds()).to.deep.equal([]);
    });
  });

  describe('in doubt', () => {
    it('does nothing while a migration holds the datastore, even when it begins after the look', async () => {
      await take('a', 'web');
      const unsure = new Collector(store, clock, () => 0, { grace: 0, longestGap: EVERY });
      const { due } = await unsure.look();
      expect(due).to.have.length(2);
      const lock = {
        type: 'put',
        key: { kind: 'ClusterInformation', scope: '', name: 'default' },
        value: { spec: { datastoreReady: false } },
        expect: 'any',
      } as const;
      await store.commit([lock]);
      expect(await unsure.collect(due)).to.deep.equal([]);
      const look = await unsure.look({ confirmed: true });
      expect([codes(look), look.due]).to.deep.equal([['LOCKED'], []]);
    });

    it('frees no workload address when there is no endpoint at all, until a person confirms it', async () => {
      for (let i = 0; i < 21; i++) await take(i % 2 === 0 ? 'a' : 'b', `p${i}`);
      const unsure = new Collector(store, clock, () => 0, { grace: 0, longestGap: EVERY });
      const look = await unsure.look();
      expect(codes(look)).to.deep.equal(['NO_ENDPOINTS']);
      expect(look.due.map(({ kind }) => kind)).to.not.include('address');
      await putEndpoint(store, 'a', 'one', ['10.9.9.9']);
      expect(codes(await unsure.look())).to.deep.equal(['MOST_LEAKED']);
      const sure = await unsure.look({ confirmed: true });
      expect(sure.due.filter(({ kind }) => kind === 'address')).to.have.length(42);
    });

    it('takes no node for gone when there is none, or most are', async () => {
      await take('a', 'x', { node: 'a', type: 'vxlanTunnelAddress' });
      for (const node of ['a', 'b']) await drop(store, 'Node', node);
      const unsure = new Collector(store, clock, () => 0, { grace: 0, longestGap: EVERY });
      expect(codes(await unsure.look())).to.deep.equal(['NO_NODES']);
      expect((await unsure.look()).due).to.deep.equal([]);
      await putNode(store, 'a');
      for (let i = 0; i < 5; i++) await take(`n${i}`, `n${i}`, { node: `n${i}`, type: 'vxlanTunnelAddress' });
      const look = await unsure.look();
      expect(codes(look)).to.deep.equal(['MOST_NODES_GONE']);
      expect(look.due).to.deep.equal([]);
    });

    it('frees nothing while the addresses of an endpoint cannot be read', async () => {
      await take('a', 'web');
      await putEndpoint(store, 'a', 'odd', ['fishy']);
      const unsure = new Collector(store, clock, () => 0, { grace: 0, longestGap: EVERY });
      const look = await unsure.look();
      expect([codes(look), look.due]).to.deep.equal([['UNREADABLE'], []]);
    });

    it('stops when it may not go on', async () => {
      await take('a', 'one');
      await take('b', 'two');
      const { due } = await new Collector(store, clock, () => 0, { grace: 0, longestGap: EVERY }).look();
      let left = 1;
      const collected = await collector.collect(due, { mayGoOn: () => left-- > 0 });
      expect(collected).to.have.length(1);
      expect(await held()).to.have.length(3);
    });
  });
});
