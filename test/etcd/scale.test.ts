/** What a follower costs with thousands of nodes: only what it asks for crosses the wire, and nothing piles up behind a slow one. */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { follow, rejection } from '../../datastore/contract-tools.ts';
import {
  CompactedError,
  Mirror,
  type Operation,
  openStore,
  type Store,
  type WatchBatch,
} from '../../datastore/index.ts';
import { pause, until } from './load.ts';
import { Proxy } from './proxy.ts';
import { EtcdServer } from './server.ts';

const NODES = 5000;
const PADDING = 'x'.repeat(1000);

describe('etcd: followers of a large cluster', function () {
  this.timeout(180_000);
  const server = new EtcdServer();
  let near: Store;
  let far: Store;
  let proxy: Proxy;

  before(async () => {
    await server.start();
    near = await openStore(`etcd://${server.endpoint}/large`);
    await churn(0);
  });
  after(async () => {
    await near.close();
    await server.remove();
  });
  beforeEach(async () => {
    proxy = await Proxy.to(server.endpoint);
    far = await openStore(`etcd://${proxy.endpoint}/large`);
  });
  afterEach(async () => {
    await far.close();
    await proxy.close();
  });

  /** Writes every node anew. @returns the last revision */
  async function churn(round: number): Promise<string> {
    let revision = '';
    for (let i = 0; i < NODES; i += 100) {
      const operations = Array.from({ length: 100 }, (_, j) => put('Node', `n${i + j}`, { round, PADDING }));
      const commit = await near.commit(operations);
      revision = commit.ok ? commit.revision : '';
    }
    return revision;
  }

  it('of one kind hears nothing of the churn of others', async () => {
    const pools = follow(far, await near.revision(), [{ kind: 'IPPool' }]);
    const routes = follow(far, await near.revision(), [
      { kind: 'BlockAffinity', scope: 'host:a1' },
      { kind: 'IPPool' },
    ]);
    await pause(200);
    const before = proxy.answered;
    await churn(1);
    await near.commit([put('IPPool', 'last', {})]);
    await Promise.all([pools.until(1), routes.until(1)]);
    expect(proxy.answered - before).to.be.lessThan(10_000);
    await Promise.all([pools.stop(), routes.stop()]);
  });

  it('many of them share one connection', async () => {
    const mirrors = Array.from({ length: 20 }, () => new Mirror(far, [{ kind: 'IPPool' }]));
    for (const mirror of mirrors) mirror.start();
    await until(() => mirrors.every(({ synced }) => synced), 'the mirrors');
    expect(proxy.connections).to.equal(1);
    for (const mirror of mirrors) await mirror.stop();
  });

  it('that is slow makes etcd wait, and hears everything in order when it comes to it', async () => {
    const from = await near.revision();
    const abort = new AbortController();
    const batches = far.watch([{ kind: 'Node' }], from, abort.signal)[Symbol.asyncIterator]();
    await churn(2);
    const first = await next(batches);
    const before = proxy.answered;
    for (const round of [3, 4]) await churn(round);
    const last = await churn(5);
    expect(proxy.answered - before, 'of 15 MB').to.be.lessThan(4_000_000);
    let [revision, events] = [BigInt(first.revision), first.events.length];
    while (String(revision) !== last) {
      const batch = await next(batches);
      expect(BigInt(batch.revision)).to.equal(revision + 1n);
      expect(batch.events).to.have.length(100);
      revision = BigInt(batch.revision);
      events += batch.events.length;
    }
    expect(events).to.equal(4 * NODES);
    abort.abort();
  });

  it('that is so slow that history is gone begins with a new list, and tells only what differs', async () => {
    const mirror = new Mirror(far, [{ kind: 'Node' }]);
    let told = 0;
    mirror.onChange((changes) => (told += changes.length));
    mirror.start();
    await until(() => mirror.synced, 'the mirror');
    expect(told).to.equal(NODES);
    told = 0;
    // This process is at a standstill meanwhile, and reads nothing.
    const script = `
      import { openStore } from '${import.meta.resolve('../../datastore/index.ts')}';
      const store = await openStore('etcd://${server.endpoint}/large');
      for (let round = 6; round < 12; round++)
        for (let i = 0; i < ${NODES}; i += 100)
          await store.commit(Array.from({ length: 100 }, (_, j) => ({
            type: 'put', key: { kind: 'Node', scope: '', name: 'n' + (i + j) },
            value: { round: i < 1000 ? round : 5, PADDING: '${PADDING}' }, expect: 'any',
          })));
      await store.compact(await store.revision());
      await store.close();`;
    execFileSync(process.execPath, [
      '--disable-warning=ExperimentalWarning',
      '--input-type=module',
      '-e',
      script,
    ]);
    await near.commit([put('Node', 'n0', { round: 12, PADDING })]);
    await until(() => read(mirror, 'n0') === 12, 'the mirror to arrive');
    expect(told, 'of 30,000 changes').to.be.lessThan(20_000);
    const { entries } = await near.list({ kind: 'Node' });
    expect(mirror.entries().toSorted((a, b) => (a.key.name < b.key.name ? -1 : 1))).to.deep.equal(entries);
    await mirror.stop();
  });

  it('ends with CompactedError where what it has not read is gone', async () => {
    const abort = new AbortController();
    const watch = far.watch([{ kind: 'Node' }], await near.revision(), abort.signal);
    const batches = watch[Symbol.asyncIterator]();
    await near.commit([put('Node', 'n0', { round: 12.5, PADDING })]);
    await next(batches);
    for (const round of [13, 14, 15, 16, 17]) await churn(round);
    await near.compact(await near.revision());
    // What is on its way already comes first.
    const error = await rejection(drain(batches));
    expect(error).to.be.an.instanceOf(CompactedError);
    abort.abort();
  });

  it('closed, leaves nothing that keeps a process alive', () => {
    const script = `
      import { openStore, Mirror } from '${import.meta.resolve('../../datastore/index.ts')}';
      const store = await openStore('etcd://${server.endpoint}/large');
      const mirror = new Mirror(store, [{ kind: 'IPPool' }]);
      mirror.start();
      await new Promise((resolve) => mirror.onSync(resolve));
      void store.watch([{ kind: 'Node' }], '1', new AbortController().signal)[Symbol.asyncIterator]().next().catch(() => {});
      await mirror.stop();
      await store.close();`;
    // Ends in time, or is killed and throws.
    execFileSync(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script],
      {
        timeout: 60_000,
      },
    );
  });
});

function put(kind: string, name: string, value: unknown): Operation {
  return { type: 'put', key: { kind, scope: '', name }, value, expect: 'any' };
}

async function next(batches: AsyncIterator<WatchBatch>): Promise<WatchBatch> {
  const { value, done } = await batches.next();
  if (done === true) throw new Error('the watch ended');
  return value;
}

async function drain(batches: AsyncIterator<WatchBatch>): Promise<void> {
  for (let i = 0; i < 250; i++) await next(batches);
}

function read(mirror: Mirror, name: string): unknown {
  return (mirror.get({ kind: 'Node', scope: '', name })?.value as { readonly round?: number } | undefined)
    ?.round;
}
