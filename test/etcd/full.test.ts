/** An etcd that has no room left: by its own quota, and by its disk. */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { rejection } from '../../datastore/contract-tools.ts';
import { Mirror, openStore, type Store } from '../../datastore/index.ts';
import { skip } from '../../datastore/skip.ts';
import { SELECTION, underLoad, until } from './load.ts';
import { EtcdServer } from './server.ts';
import { SmallDisk } from './small-disk.ts';

const LARGE = 'x'.repeat(400_000);

describe('etcd without room', function () {
  this.timeout(180_000);
  const servers: EtcdServer[] = [];
  const stores: Store[] = [];
  const disks: SmallDisk[] = [];

  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
    for (const server of servers.splice(0)) await server.remove();
    for (const disk of disks.splice(0)) disk.remove();
  });

  it('by its quota: says so and what to do, goes on reading and deleting, and writes again once the alarm is off', async () => {
    const server = new EtcdServer(['--quota-backend-bytes=4000000']);
    servers.push(server);
    await server.start();
    const store = await open(server);
    const mirror = new Mirror(store, [SELECTION]);
    mirror.start();
    const { error, written } = await fill(store);
    // etcd may carry out the writes that reach the quota, and refuse them at once: these count as written.
    expect((await store.list(SELECTION)).entries.map(({ key }) => key.name)).to.have.members(
      written.map((i) => keyOf(i).name),
    );
    expect(error).to.have.nested.property('problems[0].code', 'STORE_FULL');
    expect(String(error))
      .to.match(/quota/)
      .and.match(/etcdctl alarm disarm/);

    for (const i of written) await store.commit([{ type: 'delete', key: keyOf(i), expect: 'present' }]);
    expect((await store.list(SELECTION)).entries).to.deep.equal([]);
    await store.compact(await store.revision());
    for (const args of [['defrag'], ['alarm', 'disarm']]) etcdctl(server, ...args);
    expect(
      (await store.commit([{ type: 'put', key: keyOf(0), value: 'small', expect: 'absent' }])).ok,
    ).to.equal(true);
    await until(() => mirror.get(keyOf(0))?.value === 'small', 'the mirror');
    expect(mirror.entries()).to.have.length(1);
    await mirror.stop();
  });

  it('by its disk: dies in the middle of writes, and with room again nothing is lost or doubled', async function () {
    if (process.getuid?.() !== 0) skip(this, 'a disk of its own needs root');
    // Of which etcd sets 128 MiB aside for its log at once: for this part of it, and for the next.
    const disk = await SmallDisk.create(165);
    disks.push(disk);
    const server = new EtcdServer([], disk);
    servers.push(server);
    await server.start();
    const filler = await open(server, '/filler');
    await underLoad(`etcd://${server.endpoint}/load`, async ({ count }) => {
      const filling = fill(filler);
      await server.ended();
      disk.resize(400);
      await server.start();
      await filling;
      const before = count();
      await until(() => count() > before + 30, 'writes after it');
    });
    // What was answered is there, whole.
    const { entries } = await filler.list(SELECTION);
    expect(entries.every(({ value }) => value === LARGE)).to.equal(true);
  });

  async function open(server: EtcdServer, prefix = '/calico'): Promise<Store> {
    const store = await openStore(`etcd://${server.endpoint}${prefix}`);
    stores.push(store);
    return store;
  }
});

function keyOf(index: number) {
  return { kind: 'K', scope: '', name: `n${index}` };
}

/** Several at a time, until one is refused, or 60 MB are written. @returns what was answered as written */
async function fill(store: Store): Promise<{ readonly error: unknown; readonly written: readonly number[] }> {
  const written: number[] = [];
  for (let i = 0; i < 150; i += 5) {
    const batch = [i, i + 1, i + 2, i + 3, i + 4];
    const errors = await Promise.all(
      batch.map(async (index) => {
        const put = { type: 'put', key: keyOf(index), value: LARGE, expect: 'any' } as const;
        const error = await rejection(store.commit([put]));
        if (error === undefined) written.push(index);
        return error;
      }),
    );
    const error = errors.find((one) => one !== undefined);
    if (error !== undefined) return { error, written };
  }
  return { error: undefined, written };
}

function etcdctl(server: EtcdServer, ...args: readonly string[]): void {
  execFileSync('etcdctl', [`--endpoints=${server.endpoint}`, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ETCDCTL_API: '3' },
  });
}
