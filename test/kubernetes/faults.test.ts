/** Mirrors and writers while the API server, the etcd below it, or the way to them breaks. */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { rejection } from '../../datastore/contract-tools.ts';
import { Mirror, openStore, type Store } from '../../datastore/index.ts';
import { isLinearizable, type Operation, type State } from '../etcd/linear.ts';
import { type Asked, Relay } from './relay.ts';
import { withKubeServer } from './suite.ts';

describe('kubernetes: in trouble', function () {
  this.timeout(180_000);
  const server = withKubeServer();
  let relay: Relay;
  let near: Store;
  let far: Store;
  let mirror: Mirror | undefined;
  let count = 0;
  let kind: string;

  beforeEach(async () => {
    relay = await Relay.before(server());
    near = await openStore(server().location());
    far = await openStore(relay.location);
    // A kind of its own is a world of its own.
    kind = `K${++count}`;
  });
  afterEach(async () => {
    await mirror?.stop();
    mirror = undefined;
    await far.close();
    await near.close();
    await relay.close();
  });

  async function put(name: string, value: unknown): Promise<void> {
    await near.commit([{ type: 'put', key: { kind, scope: '', name }, value, expect: 'any' }]);
  }

  type Told = readonly [name: string, value: unknown, previous: unknown];

  /** What a mirror behind the relay tells, from when it knows the world. */
  async function followed(kinds = [kind]): Promise<Told[]> {
    const told: Told[] = [];
    mirror = new Mirror(
      far,
      kinds.map((one) => ({ kind: one })),
    );
    mirror.onChange((changes) =>
      told.push(...changes.map(({ key, value, previous }) => [key.name, value, previous] as const)),
    );
    mirror.start();
    await until(() => mirror?.synced === true);
    told.length = 0;
    return told;
  }

  it('a mirror tells each change once, its connection cut again and again', async () => {
    const told = await followed();
    for (let i = 0; i < 150; i++) {
      await put('a', i);
      if (i % 30 === 15) relay.cut();
    }
    await until(() => told.at(-1)?.[1] === 149);
    expect(told.map(([, value]) => value)).to.deep.equal(Array.from({ length: 150 }, (_, i) => i));
    expect(told.slice(1).every(([, , previous], i) => previous === told[i]?.[1])).to.equal(true);
  });

  it('two mirrors of one process hear of a kind by one watch', async () => {
    const told = await followed([kind, 'WorkloadEndpoint']);
    await put('a', 1);
    await until(() => told.length === 1);
    const other = new Mirror(far, [{ kind }, { kind: 'IPPool' }]);
    other.start();
    await until(() => other.synced);
    await put('a', 2);
    await until(() => told.length === 2 && other.get({ kind, scope: '', name: 'a' })?.value === 2);
    const watches = relay.asked.filter(
      ({ url }) => url.includes('watch=true') && url.includes('storedobjects'),
    );
    const ofKind = watches.filter(({ url }) => decodeURIComponent(url).includes(kind));
    expect(ofKind.map(({ url }) => url)).to.have.length(1);
    await other.stop();
    await put('a', 3);
    await until(() => told.length === 3);
  });

  it('the affinities of one node are asked for alone, those of an older Calico included', async () => {
    await claim(near, 'host:alone-a', '10.77.0.0/29');
    await claim(near, 'host:alone-b', '10.77.0.8/29');
    await claim(near, 'virtual:alone-a', '10.77.0.16/29');
    const { status } = await server().ask('/apis/crd.projectcalico.org/v1/blockaffinities', {
      method: 'POST',
      body: {
        apiVersion: 'crd.projectcalico.org/v1',
        kind: 'BlockAffinity',
        metadata: { name: 'alone-a-10-77-0-24-29' },
        spec: { state: 'confirmed', node: 'alone-a', cidr: '10.77.0.24/29', deleted: 'false' },
      },
    });
    expect(status).to.equal(201);
    relay.asked.length = 0;
    const { entries } = await far.list({ kind: 'BlockAffinity', scope: 'host:alone-a' });
    expect(entries.map(({ key }) => key.name)).to.deep.equal(['10.77.0.0/29', '10.77.0.24/29']);
    const asked = relay.asked.map(({ url }) => new URL(url, 'http://x').searchParams.get('labelSelector'));
    expect(asked).to.have.length(2);
    expect(asked[0]).to.match(/^projectcalico\.org\/hostname-hash=[A-Z2-7]{52}$/);
    expect(asked[1]).to.equal('!projectcalico.org/hostname-hash');
    for (const { key } of (await near.list({ kind: 'BlockAffinity' })).entries)
      if (key.scope.includes('alone-')) await near.commit([{ type: 'delete', key, expect: 'any' }]);
  });

  it('a mirror of several kinds misses none and hears none twice, each cut at another place', async () => {
    const kinds = [kind, `${kind}b`, `${kind}c`];
    const told = await followed(kinds);
    const values: number[] = [];
    for (let i = 0; i < 90; i++) {
      const key = { kind: kinds[i % 3]!, scope: '', name: `n${i % 3}` };
      await near.commit([{ type: 'put', key, value: i, expect: 'any' }]);
      values.push(i);
      if (i % 20 === 10) relay.cut();
      // The whole mirror begins again from the revision that it has.
      if (i === 45) {
        relay.trap(({ url }) => url.includes('watch=true'), {
          status: 403,
          body: { kind: 'Status', message: '' },
        });
        relay.cut();
      }
    }
    await until(() => told.length >= 90);
    expect(told.map(([, value]) => value as number).toSorted((a, b) => a - b)).to.deep.equal(values);
    for (const name of ['n0', 'n1', 'n2']) {
      const own = told.filter(([of]) => of === name).map(([, value]) => value as number);
      expect(own).to.deep.equal(own.toSorted((a, b) => a - b));
    }
  });

  it('a mirror goes on after a crash of the API server, and of etcd below it', async () => {
    const told = await followed();
    const node = await openStore(server().location('poplin-node'));
    await put('a', 1);
    await server().killApi();
    const during = put('a', 2);
    // Of somebody whose rights are roles: these the server reads only after it has begun to answer.
    const asNode = Promise.all([
      node.list({ kind: 'IPPool' }),
      node.commit([{ type: 'put', key: { kind: 'Lease', scope: '', name: kind }, value: {}, expect: 'any' }]),
    ]);
    await server().startApi();
    await during;
    expect((await asNode)[1].ok).to.equal(true);
    await node.close();
    await put('a', 3);
    await until(() => told.at(-1)?.[1] === 3);
    await server().etcd.kill();
    const below = put('a', 4);
    await server().etcd.start();
    await below;
    await put('a', 5);
    await until(() => told.at(-1)?.[1] === 5);
    // A list after a restart may tell two changes of one object as one; nothing comes twice or out of order.
    const values = told.map(([, value]) => value as number);
    expect(values).to.deep.equal([...new Set(values)].toSorted((a, b) => a - b));
    expect(told.slice(1).every(([, , previous], i) => previous === told[i]?.[1])).to.equal(true);
  });

  it('a refusal of a server that only just starts is no refusal', async () => {
    const forbidden = {
      status: 403,
      body: { kind: 'Status', message: 'user cannot list resource "ippools"' },
    };
    relay.trap(readsPools, forbidden);
    relay.trap(({ url }) => url === '/readyz', { status: 500, body: 'not yet' });
    // Other tests share the server and may have left pools: what is there is not the question.
    expect((await far.list({ kind: 'IPPool' })).entries).to.be.an('array');
    // Who may see nothing at all is not told either; a connection that broke says enough.
    relay.trap(readsPools, 'lose-request');
    relay.trap(readsPools, forbidden);
    relay.trap(({ url }) => url === '/readyz', forbidden);
    expect((await far.list({ kind: 'IPPool' })).entries).to.be.an('array');
    relay.trap(readsPools, forbidden);
    expect(String(await rejection(far.list({ kind: 'IPPool' })))).to.match(/does not let us list ippools/);
    expect(relay.caught).to.equal(6);
  });

  it('away while history is compacted, a mirror tells only what differs', async () => {
    for (const name of ['a', 'b', 'c']) await put(name, 1);
    const told = await followed();
    relay.isDown = true;
    relay.cut();
    await put('a', 2);
    await near.commit([{ type: 'delete', key: { kind, scope: '', name: 'b' }, expect: 'present' }]);
    await put('c', 2);
    await put('c', 1);
    await put('d', 1);
    const revision = await near.revision();
    execFileSync('etcdctl', [`--endpoints=${server().etcd.endpoint}`, 'compact', revision], {
      env: { ...process.env, ETCDCTL_API: '3' },
    });
    // What the API server remembers of the time before goes with it.
    await server().killApi();
    await server().startApi();
    relay.isDown = false;
    await until(() => told.length >= 3);
    expect(told.toSorted(([a], [b]) => (a < b ? -1 : 1))).to.deep.equal([
      ['a', 2, 1],
      ['b', undefined, 1],
      ['d', 1, undefined],
    ]);
  });

  it('a revision from before a compaction is told to be gone, not guessed at', async () => {
    await put('a', 1);
    const before = await near.revision();
    for (let i = 0; i < 5; i++) await put('a', i);
    const revision = await near.revision();
    execFileSync('etcdctl', [`--endpoints=${server().etcd.endpoint}`, 'compact', revision], {
      env: { ...process.env, ETCDCTL_API: '3' },
    });
    await server().killApi();
    await server().startApi();
    const error = await rejection(near.list({ kind }, before));
    expect(error).to.have.property('name', 'CompactedError');
  });

  it('histories of compare-and-swap over broken connections are linearizable', async () => {
    const key = { kind, scope: '', name: 'register' };
    const writers = await Promise.all([0, 1, 2].map(async () => openStore(relay.location)));
    const history: Operation[] = [];
    const stop = new AbortController();
    const work = writers.map(async (store, writer) => {
      for (let i = 0; !stop.signal.aborted; i++) {
        const call = performance.now();
        const entry = await store.get(key);
        const from = entry?.value as State;
        history.push({ call, answer: performance.now(), action: { type: 'read', seen: from } });
        const to = i % 7 === 6 ? undefined : `${writer}-${i}`;
        const expect = entry === undefined ? 'absent' : { revision: entry.revision };
        const called = performance.now();
        const operation =
          to === undefined
            ? ({ type: 'delete', key, expect } as const)
            : ({ type: 'put', key, value: to, expect } as const);
        const commit = await store.commit([operation]);
        history.push({
          call: called,
          answer: performance.now(),
          action: { type: 'swap', from, to, ok: commit.ok },
        });
      }
    });
    for (let round = 0; round < 12; round++) {
      await pause(150);
      if (round % 3 === 0) relay.cut();
      relay.trap(({ method }) => method === 'PUT', round % 2 === 0 ? 'lose-answer' : 'lose-request');
    }
    stop.abort();
    await Promise.all(work);
    for (const store of writers) await store.close();
    expect(relay.caught).to.be.greaterThan(6);
    expect(history.length).to.be.greaterThan(60);
    expect(isLinearizable(history, undefined)).to.equal(true);
  });
});

async function until(isSo: () => boolean): Promise<void> {
  const started = performance.now();
  while (!isSo()) {
    if (performance.now() - started > 60_000) throw new Error('waited in vain');
    await pause(10);
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

function readsPools({ url }: Asked): boolean {
  return url.includes('ippools');
}

async function claim(store: Store, owner: string, cidr: string): Promise<void> {
  const key = { kind: 'BlockAffinity', scope: owner, name: cidr };
  await store.commit([{ type: 'put', key, value: { state: 'confirmed', deleted: false }, expect: 'any' }]);
}
