/** One connection for all that a process asks of the API server, and what becomes of it. */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { Mirror, openStore, type Store } from '../../datastore/index.ts';
import { Proxy } from '../etcd/proxy.ts';
import { withKubeServer } from './suite.ts';

describe('kubernetes: over HTTP/2', function () {
  this.timeout(180_000);
  const server = withKubeServer();
  let proxy: Proxy;
  let near: Store;
  let far: Store;
  const mirrors: Mirror[] = [];
  let count = 0;
  let kind: string;

  beforeEach(async () => {
    proxy = await Proxy.to(`127.0.0.1:${server().port}`);
    near = await openStore(server().location());
    far = await openStore(
      `kubernetes://${server().kubeconfig('admin', { server: `https://${proxy.endpoint}` })}`,
    );
    kind = `H${++count}`;
  });
  afterEach(async () => {
    for (const mirror of mirrors.splice(0)) await mirror.stop();
    await far.close();
    await near.close();
    await proxy.close();
  });

  async function put(value: unknown, store = near): Promise<void> {
    await store.commit([{ type: 'put', key: { kind, scope: '', name: 'a' }, value, expect: 'any' }]);
  }

  /** What a mirror of several kinds behind the proxy tells of one, from when it knows the world. */
  async function followed(): Promise<unknown[]> {
    const told: unknown[] = [];
    const kinds = [kind, 'WorkloadEndpoint', 'IPPool', 'BGPPeer', 'FelixConfiguration', 'NetworkPolicy'];
    const mirror = new Mirror(
      far,
      kinds.map((one) => ({ kind: one })),
    );
    mirrors.push(mirror);
    mirror.onChange((changes) => {
      for (const { key, value } of changes) if (key.kind === kind) told.push(value);
    });
    mirror.start();
    await until(() => mirror.synced);
    told.length = 0;
    return told;
  }

  it('two mirrors of many kinds, and writes beside them, hold one connection', async () => {
    const [one, other] = [await followed(), await followed()];
    await Promise.all(Array.from({ length: 40 }, async (_, i) => put(i, far)));
    await put('last', far);
    await until(() => one.at(-1) === 'last' && other.at(-1) === 'last');
    expect(proxy.connections).to.equal(1);
  });

  it('a mirror tells each change once, the one connection cut again and again', async () => {
    const told = await followed();
    const wanted: number[] = [];
    for (let i = 0; i < 60; i++) {
      await put(i);
      wanted.push(i);
      if (i % 20 === 10) proxy.cut();
    }
    await until(() => told.at(-1) === 59);
    expect(told).to.deep.equal(wanted);
    expect(proxy.connections).to.be.at.least(3);
  });

  it('a connection that has gone silent is left, by requests and by watches', async () => {
    const told = await followed();
    await put(1);
    await until(() => told.length === 1);
    // What is sent on it is lost for good; new connections get through.
    proxy.silence();
    await put(2);
    expect((await far.get({ kind, scope: '', name: 'a' }))?.value).to.equal(2);
    await until(() => told.length === 2);
    expect(told).to.deep.equal([1, 2]);
  });

  it('a server that asks to be left, now and then, loses no request and no event', async () => {
    await far.close();
    await server().killApi();
    await server().startApi(['--goaway-chance=0.02']);
    far = await openStore(
      `kubernetes://${server().kubeconfig('admin', { server: `https://${proxy.endpoint}` })}`,
    );
    const before = proxy.connections;
    const told = await followed();
    // A server that has just started may not know the history before: then the mirror lists once more.
    await put('begin', far);
    await until(() => told.at(-1) === 'begin');
    told.length = 0;
    for (let i = 0; i < 300; i++) await put(i, far);
    await until(() => told.at(-1) === 299);
    expect(told).to.deep.equal(Array.from({ length: 300 }, (_, i) => i));
    expect(proxy.connections - before, 'it did ask').to.be.at.least(2);
    await server().killApi();
    await server().startApi();
  });

  it('what speaks HTTP/1.1 only is asked so', async () => {
    const spoken: string[] = [];
    const folder = dirname(server().authority);
    const file = (name: string): Buffer => readFileSync(join(folder, name));
    const old: Server = createServer(
      { cert: file('apiserver.crt'), key: file('apiserver.key') },
      (asked, answer) => {
        spoken.push(asked.httpVersion);
        answer.setHeader('content-type', 'application/json');
        answer.end(JSON.stringify({ metadata: { resourceVersion: '7' }, items: [] }));
      },
    );
    await new Promise<void>((resolve) => old.listen(0, '127.0.0.1', resolve));
    const address = old.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const store = await openStore(
      `kubernetes://${server().kubeconfig('admin', { server: `https://127.0.0.1:${port}` })}`,
    );
    expect(await store.revision()).to.equal('7');
    expect(new Set(spoken)).to.deep.equal(new Set(['1.1']));
    await store.close();
    old.closeAllConnections();
    await new Promise((resolve) => old.close(resolve));
  });
});

async function until(isSo: () => boolean): Promise<void> {
  for (const end = performance.now() + 90_000; !isSo(); ) {
    if (performance.now() > end) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
