/** The dispatcher on a datastore that fails when it is told to. Nothing here makes a cable: DEL only looks for one. */
import { expect } from 'chai';
import { PoplinError, unwrap } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { PendingDeletions } from '../../cni-plugin/pending.ts';
import type { CniResponse } from '../../cni-plugin/protocol.ts';
import { silent } from '../../daemon/log.ts';
import { ResourceClient, type Store } from '../../datastore/index.ts';
import { temporaryFolder, temporaryStore } from '../../datastore/testing.ts';
import { Ipam } from '../../ipam/index.ts';
import { Address } from '../../net/addr/index.ts';
import { Inventory } from '../inventory.ts';
import { EndpointStatusFolder } from './endpoint-status.ts';
import type { CniPorts } from './ports.ts';
import { UplinkMtu } from './mtu.ts';
import { closeHost, openHost } from './wiring.ts';
import { CniServer, type Unready } from './server.ts';

describe('CNI server', () => {
  const clock = new SystemClock();
  let runDir = '';
  let away = false;
  let ready = true;
  let ports: CniPorts;
  let server: CniServer;
  let pending: PendingDeletions;
  let ailments: Unready[] = [];

  beforeEach(async () => {
    runDir = temporaryFolder();
    away = false;
    ready = true;
    const store = fragile(await temporaryStore());
    const inventory = new Inventory('n1', store, clock, silent);
    await inventory.start();
    const host = openHost();
    ports = {
      node: 'n1',
      client: new ResourceClient(store, clock),
      ipam: new Ipam(store, clock, Math.random),
      inventory,
      host,
      mtu: new UplinkMtu(host.netlink, clock),
      status: new EndpointStatusFolder(runDir, clock),
      clock,
      log: silent,
      policyWait: 0,
    };
    pending = new PendingDeletions(runDir);
    server = new CniServer({
      clock,
      ports: () => (ready ? ports : undefined),
      pending,
      unreadiness: () => Promise.resolve(ailments),
    });
  });
  afterEach(async () => {
    away = false;
    await ports.inventory.stop();
    closeHost(ports.host);
  });

  const unless = <T>(work: () => Promise<T>): Promise<T> =>
    away
      ? Promise.reject(
          new PoplinError([{ code: 'STORE_UNAVAILABLE', what: 'the disk is gone', remedy: 'bring it back' }]),
        )
      : work();

  /** The store, but for reads and writes that fail while `away`. */
  function fragile(store: Store): Store {
    return {
      transactional: store.transactional,
      get: (key) => unless(() => store.get(key)),
      list: (selection, at) => unless(() => store.list(selection, at)),
      commit: (operations) => unless(() => store.commit(operations)),
      watch: (selections, from, signal) => store.watch(selections, from, signal),
      revision: () => store.revision(),
      compact: (through) => store.compact(through),
      close: () => store.close(),
    };
  }

  const call = (command: string, conf: object = {}): Promise<CniResponse> =>
    server.handle({
      command,
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: 'c1',
        CNI_NETNS: '/proc/self/ns/net',
        CNI_IFNAME: 'eth0',
      },
      stdin: JSON.stringify({ cniVersion: '1.1.0', name: 'net', ...conf }),
    });

  async function held(): Promise<number> {
    return (await ports.ipam.blocks()).reduce((sum, { allocations }) => sum + allocations.length, 0);
  }

  /** What an ADD of the container would have left in the store. */
  async function attached(): Promise<void> {
    unwrap(
      await ports.client.apply({
        apiVersion: 'projectcalico.org/v3',
        kind: 'IPPool',
        metadata: { name: 'p' },
        spec: {
          cidr: '10.0.0.0/24',
          nodeSelector: 'all()',
          allowedUses: ['Workload'],
          assignmentMode: 'Automatic',
          ipipMode: 'Never',
          vxlanMode: 'Never',
        },
      }),
    );
    const address = Address.parse('10.0.0.7');
    if (address === undefined) throw new Error('no address');
    unwrap(await ports.ipam.assign({ address, host: 'n1', handle: 'net.c1' }));
  }

  it('promises DEL while the datastore is away, keeps the promise when it is back, and not before', async () => {
    await attached();
    away = true;
    expect(await call('DEL')).to.deep.equal({ exitCode: 0, output: null });
    expect(pending.list()).to.have.length(1);
    expect(await server.drain(ports)).to.equal(1);
    expect(pending.list()).to.have.length(1);
    away = false;
    expect(await held()).to.equal(1);
    expect(await server.drain(ports)).to.equal(0);
    expect(pending.list()).to.deep.equal([]);
    expect(await held()).to.equal(0);
  });

  it('says "try again later" to ADD, CHECK and GC while the datastore is away', async () => {
    away = true;
    const conf = { prevResult: { interfaces: [], ips: [] }, 'cni.dev/valid-attachments': [] };
    for (const command of ['CHECK', 'GC']) {
      const { output } = await call(command, conf);
      expect(output, command).to.include({ cniVersion: '1.1.0', code: 11 });
      expect(output).to.have.property('details').that.contains('the disk is gone');
    }
    ready = false;
    expect((await call('ADD')).output).to.have.property('code', 11);
  });

  it('does not keep a promise for ever that nobody can understand', async () => {
    pending.add('net', { command: 'DEL', env: { CNI_COMMAND: 'DEL' }, stdin: 'not JSON' });
    expect(await server.drain(ports)).to.equal(0);
    expect(pending.list()).to.deep.equal([]);
  });

  it('refuses what is no request', async () => {
    for (const body of [
      undefined,
      null,
      'ADD',
      { command: 'ADD' },
      { command: 'ADD', env: { A: 1 }, stdin: '' },
    ]) {
      expect(await server.handle(body)).to.have.nested.property('output.code', 6);
    }
  });

  it('answers errors in the version of the call', async () => {
    expect((await call('CHECK', { cniVersion: '0.4.0' })).output).to.include({
      cniVersion: '0.4.0',
      code: 7,
    });
  });

  it('answers STATUS with 51 when workloads that run already suffer, too, and with 50 when only new ones do', async () => {
    ailments = [{ reason: 'there is no pool' }];
    expect(await call('STATUS')).to.deep.include({
      exitCode: 1,
      output: { cniVersion: '1.1.0', code: 50, msg: 'there is no pool' },
    });
    ailments = [...ailments, { reason: 'felix-lite is not running', limits: true }];
    expect((await call('STATUS')).output).to.deep.include({ code: 51, details: 'felix-lite is not running' });
    ailments = [];
    expect(await call('STATUS')).to.deep.equal({ exitCode: 0, output: null });
  });
});
