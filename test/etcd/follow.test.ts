/** Mirrors on a connection that breaks, or that is away until the history it needs is gone. */
import { expect } from 'chai';
import { Mirror, openStore, type Store } from '../../datastore/index.ts';
import { Proxy } from './proxy.ts';
import { EtcdServer } from './server.ts';

const SELECTION = { kind: 'K' };

describe('etcd: a mirror on a connection that breaks', function () {
  this.timeout(180_000);
  const server = new EtcdServer();
  let proxy: Proxy;
  let far: Store;
  let near: Store;
  let mirror: Mirror;
  let told: (readonly [name: string, value: unknown, previous: unknown])[];
  let count = 0;

  before(() => server.start());
  after(() => server.remove());
  beforeEach(async () => {
    proxy = await Proxy.to(server.endpoint);
    const prefix = `/follow-${++count}`;
    near = await openStore(`etcd://${server.endpoint}${prefix}`);
    far = await openStore(`etcd://${proxy.endpoint}${prefix}`);
    for (const name of ['a', 'b', 'c', 'd']) await put(name, 1);
    mirror = new Mirror(far, [SELECTION]);
    told = [];
    mirror.onChange((changes) =>
      told.push(...changes.map(({ key, value, previous }) => [key.name, value, previous] as const)),
    );
    mirror.start();
    await until(() => told.length === 4);
    told.length = 0;
  });
  afterEach(async () => {
    await mirror.stop();
    await far.close();
    await near.close();
    await proxy.close();
  });

  async function put(name: string, value: unknown): Promise<void> {
    await near.commit([{ type: 'put', key: { kind: 'K', scope: '', name }, value, expect: 'any' }]);
  }

  async function remove(name: string): Promise<void> {
    await near.commit([{ type: 'delete', key: { kind: 'K', scope: '', name }, expect: 'present' }]);
  }

  it('tells each event once, cut again and again in the middle of many', async () => {
    for (let i = 0; i < 300; i++) {
      await put('a', i);
      if (i % 60 === 30) proxy.cut();
    }
    await until(() => mirror.get({ kind: 'K', scope: '', name: 'a' })?.value === 299);
    expect(told.map(([, value]) => value)).to.deep.equal(Array.from({ length: 300 }, (_, i) => i));
    expect(told.slice(1).every(([, , previous], i) => previous === told[i]?.[1])).to.equal(true);
  });

  it('away while history is compacted, tells only what differs', async () => {
    proxy.isDown = true;
    proxy.cut();
    await put('a', 2);
    await put('a', 3);
    await remove('b');
    await put('c', 2);
    await put('c', 1);
    await put('e', 1);
    await put('f', 1);
    await remove('f');
    await near.compact(await near.revision());
    proxy.isDown = false;
    await until(() => told.length >= 3);
    await put('d', 2);
    await until(() => told.at(-1)?.[0] === 'd');
    expect(told).to.have.deep.members([
      ['a', 3, 1],
      ['b', undefined, 1],
      ['e', 1, undefined],
      ['d', 2, 1],
    ]);
    const byName = mirror.entries().toSorted((a, b) => (a.key.name < b.key.name ? -1 : 1));
    expect(byName).to.deep.equal((await near.list(SELECTION)).entries);
  });
});

async function until(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
