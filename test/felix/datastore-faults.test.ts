/**
 * A datastore that is lost, that forgets the history felix-lite would need, or that is set back to an older state: the
 * last policy known goes on, and what is found afterwards is taken in as a difference, without a packet lost or leaked.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Store, openStore } from '../../datastore/index.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { Proxy } from '../etcd/proxy.ts';
import { EtcdServer } from '../etcd/server.ts';
import { BACKENDS, configurationOf } from './backends.ts';
import { DB, TestNode, WEB, addressesOf, endpointOf, np, openProfile } from './node.ts';
import { Stream, expectUnbroken } from './stream.ts';

function policy(ports: readonly number[]): object {
  return np('db', {
    selector: "role == 'db'",
    ingress: [
      { action: 'Allow', protocol: 'TCP', source: { selector: "role == 'web'" }, destination: { ports } },
    ],
  });
}

/** Something that each state has of its own: policies and sets that come and go with it. */
function more(count: number): readonly object[] {
  return Array.from({ length: count }, (_, index) =>
    np(`more-${index}`, {
      order: 10 + index,
      selector: "role in {'web', 'db'}",
      ingress: [{ action: 'Log', source: { selector: `label${index} == 'x'` } }],
    }),
  );
}

const PATIENCE_MS = 60_000;

for (const [backend, settings] of Object.entries(BACKENDS))
  describeOnKernel(`packets through what may happen to the datastore, ${backend}`, function () {
    this.timeout(240_000);
    let folder: string;
    let server: EtcdServer;
    let proxy: Proxy;
    /** felix-lite's own way to the datastore. */
    let far: Store;
    let node: TestNode;
    let stream: Stream;
    let connection: number;

    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), 'poplin-felix-etcd-'));
      // The last flag counts.
      server = new EtcdServer(['--data-dir', join(folder, 'data')]);
      await server.start();
      proxy = await Proxy.to(server.endpoint);
      far = await openStore(`etcd://${proxy.endpoint}/felix`);
      node = await TestNode.create([WEB, DB], () => openStore(`etcd://${server.endpoint}/felix`));
      await node.put(
        configurationOf(settings),
        openProfile('prod'),
        endpointOf(WEB),
        endpointOf(DB),
        policy([8080]),
        ...more(2),
      );
      await node.startFelix(far);
      const opened = await node.prober('web').open(addressesOf(2)[4], 8080);
      if (opened === undefined) throw new Error('could not connect');
      connection = opened;
      stream = await Stream.start(
        node.network,
        ([4, 6] as const).flatMap((version) => [
          node.network.flow('web', addressesOf(2)[version], 8080, true),
          node.network.flow('outside', addressesOf(2)[version], 8080, false),
          node.network.flow('outside', addressesOf(2)[version], 9090, false),
        ]),
      );
    });
    afterEach(async () => {
      await node.remove();
      await far.close();
      await proxy.close();
      await server.remove();
      rmSync(folder, { recursive: true, force: true });
    });

    const isOpen = (port: number, hoped: boolean): Promise<boolean> =>
      node.prober('web').reach('tcp', addressesOf(2)[4], port, hoped);

    /** Comes to be so, however long it takes the connection to come back. */
    async function comesTo(port: number, open: boolean): Promise<void> {
      const deadline = performance.now() + PATIENCE_MS;
      while ((await isOpen(port, false)) !== open)
        if (performance.now() > deadline)
          throw new Error(`port ${port} should be ${open ? 'open' : 'closed'}`);
    }

    async function expectNothingBroken(): Promise<void> {
      expectUnbroken(await stream.stop());
      expect(await node.prober('web').ping(connection, true)).to.equal(true);
    }

    it('lost, and back again', async () => {
      await server.kill();
      await new Promise((resolve) => setTimeout(resolve, 700));
      expect(await isOpen(8080, true)).to.equal(true);
      expect(await isOpen(9090, false)).to.equal(false);
      await server.start();
      await node.put(policy([8080, 9090]));
      await comesTo(9090, true);
      await expectNothingBroken();
    });

    it('away while its history is compacted: all is listed again, and only the difference carried out', async () => {
      const { passes, lastPass: load } = node.felix.status();
      proxy.isDown = true;
      proxy.cut();
      await node.delete(...more(2), policy([8080]));
      await node.put(policy([8080, 9090]), ...more(1));
      await node.store.compact(await node.store.revision());
      expect(await isOpen(9090, false)).to.equal(false);
      expect(node.felix.status().passes).to.equal(passes);
      proxy.isDown = false;
      await comesTo(9090, true);
      await node.settled();
      // The policies that differ, and the endpoints that ask them: no load of everything.
      expect(node.felix.status().lastPass?.steps).to.be.lessThan((load?.steps ?? 0) / 2);
      await expectNothingBroken();
    });

    it('set back to an older state, as from a backup: what came since is gone, what stayed goes on', async () => {
      await server.kill();
      cpSync(join(folder, 'data'), join(folder, 'backup'), { recursive: true });
      await server.start();
      await node.put(policy([8080, 9090]), ...more(4));
      await comesTo(9090, true);
      await server.kill();
      rmSync(join(folder, 'data'), { recursive: true });
      cpSync(join(folder, 'backup'), join(folder, 'data'), { recursive: true });
      await server.start();
      await comesTo(9090, false);
      // And it follows that history from there.
      await node.put(policy([8080, 9090]));
      await comesTo(9090, true);
      await expectNothingBroken();
    });

    it('set back while felix-lite is down', async () => {
      await server.kill();
      cpSync(join(folder, 'data'), join(folder, 'backup'), { recursive: true });
      await server.start();
      await node.put(policy([8080, 9090]), ...more(4));
      await comesTo(9090, true);
      await node.stopFelix();
      await server.kill();
      rmSync(join(folder, 'data'), { recursive: true });
      cpSync(join(folder, 'backup'), join(folder, 'data'), { recursive: true });
      await server.start();
      await node.startFelix(far);
      expect(await isOpen(9090, false)).to.equal(false);
      expect(await isOpen(8080, true)).to.equal(true);
      await expectNothingBroken();
    });

    it('gone when felix-lite starts: what the kernel holds stays until the datastore is back', async () => {
      await node.stopFelix();
      await server.kill();
      const started = node.startFelix(far).then(
        () => undefined,
        (error: unknown) => error,
      );
      await new Promise((resolve) => setTimeout(resolve, 700));
      expect(node.felix.status()).to.deep.include({ synced: false, ready: false });
      expect(await isOpen(8080, true)).to.equal(true);
      expect(await isOpen(9090, false)).to.equal(false);
      await server.start();
      expect(await started).to.equal(undefined);
      await node.put(policy([8080, 9090]));
      await comesTo(9090, true);
      await expectNothingBroken();
    });
  });
