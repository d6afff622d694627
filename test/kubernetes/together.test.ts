/** The whole of Poplin on a real API server: the command line, moves in and out, IPAM, and what each account may follow. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { unwrap } from '../../api/index.ts';
import { selectionsOf } from '../../bgpd/daemon/world.ts';
import { SystemClock } from '../../clock/system.ts';
import { Mirror, openStore, type Store } from '../../datastore/index.ts';
import { temporaryFolder } from '../../datastore/testing.ts';
import { CALC_KINDS } from '../../felix-lite/calc/calculator.ts';
import { Ipam } from '../../ipam/index.ts';
import { ROOT } from '../house/sources.ts';
import type { Account } from './server.ts';
import { withKubeServer } from './suite.ts';

const MANIFEST = `
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: lab4}
spec: {cidr: 10.244.0.0/16, blockSize: 28}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: lab6}
spec: {cidr: "fd00:10:244::/64"}
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: web, namespace: default}
spec: {selector: "role == 'web'", ingress: [{action: Allow}]}
---
apiVersion: projectcalico.org/v3
kind: Profile
metadata: {name: vm-open}
spec: {ingress: [{action: Allow}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: default}
spec: {podSelector: {}, policyTypes: [Ingress]}
`;

describe('kubernetes: the whole', function () {
  this.timeout(180_000);
  const server = withKubeServer({ own: true });
  const stores: Store[] = [];
  const clock = new SystemClock();

  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
  });

  async function open(account?: Account): Promise<Store> {
    const store = await openStore(server().location(account));
    stores.push(store);
    return store;
  }

  async function create(path: string, body: object): Promise<void> {
    const { status } = await server().ask(`/api/v1/${path}`, { method: 'POST', body });
    expect(status, path).to.equal(201);
  }

  async function poplin(...args: readonly string[]): Promise<string> {
    const child = spawn(join(ROOT, 'bin', 'poplin'), args, {
      env: { ...process.env, POPLIN_DATASTORE: server().location() },
    });
    let text = '';
    child.stdout.on('data', (chunk) => (text += String(chunk)));
    child.stderr.on('data', (chunk) => (text += String(chunk)));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`poplin ${args.join(' ')} ended with ${code}:\n${text}`);
    return text;
  }

  it('is served by the command line', async () => {
    const file = join(temporaryFolder(), 'all.yaml');
    writeFileSync(file, MANIFEST);
    expect(await poplin('apply', '-f', file)).to.match(/5 created/);
    expect(await poplin('apply', '-f', file)).to.match(/5 unchanged/);
    expect(await poplin('get', 'profiles')).to.match(/kns\.default[\s\S]*vm-open/);
    const { status } = await server().ask(
      '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies/deny',
    );
    expect(status).to.equal(200);
    await poplin('delete', 'networkpolicy', 'web', '-n', 'default');
    expect(await poplin('datastore', 'check')).to.match(/fit together/);
  });

  it('gives each address once, to callers on several nodes at a time, and takes all back', async () => {
    const callers = await Promise.all(
      ['n1', 'n2', 'n3'].map(async (host) => ({
        host,
        ipam: new Ipam(await open('poplin-node'), clock, Math.random),
      })),
    );
    for (const { host } of callers)
      await server().ask('/api/v1/nodes', {
        method: 'POST',
        body: { apiVersion: 'v1', kind: 'Node', metadata: { name: host } },
      });
    const given = await Promise.all(
      callers.flatMap(({ host, ipam }) =>
        Array.from({ length: 20 }, async (_, i) => {
          const request = { host, handle: `net.${host}-${i}`, attributes: { node: host }, v4: 1, v6: 1 };
          const { v4, v6 } = unwrap(await ipam.autoAssign(request));
          return [...v4, ...v6].map(String);
        }),
      ),
    );
    expect(new Set(given.flat()).size).to.equal(120);
    expect(await poplin('ipam', 'show')).to.match(/10\.244\.0\.0\/16 +\| +65536 \| +60 /);
    for (const { host, ipam } of callers)
      for (let i = 0; i < 20; i++) await ipam.releaseByHandle(`net.${host}-${i}`);
    const store = await open();
    expect((await store.list({ kind: 'IPAMHandle' })).entries).to.deep.equal([]);
  });

  it('tells of one node its own pods alone, from when they are bound to it', async () => {
    const store = await open('poplin-node');
    const namespace = 'of-nodes';
    await create('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    const make = async (name: string, nodeName?: string): Promise<void> => {
      const metadata = { name, namespace, annotations: { 'cni.projectcalico.org/podIP': '10.244.9.9/32' } };
      const spec = {
        containers: [{ name: 'web', image: 'web' }],
        ...(nodeName === undefined ? {} : { nodeName }),
      };
      await create(`namespaces/${namespace}/pods`, { apiVersion: 'v1', kind: 'Pod', metadata, spec });
    };
    await make('here', 'n1');
    await make('there', 'n2');
    const selection = { kind: 'WorkloadEndpoint', node: 'n1' };
    const { entries, revision } = await store.list(selection);
    expect(entries.map(({ key }) => key.name)).to.deep.equal(['n1-k8s-here-eth0']);
    expect((await store.list({ kind: 'WorkloadEndpoint' })).entries).to.have.length(2);
    const watch = store.watch([selection], revision, AbortSignal.timeout(60_000))[Symbol.asyncIterator]();
    const next = watch.next();
    await make('elsewhere', 'n2');
    await make('later');
    const target = { apiVersion: 'v1', kind: 'Node', name: 'n1' };
    await create(`namespaces/${namespace}/pods/later/binding`, { metadata: { name: 'later' }, target });
    const { value } = await next;
    const [event] = value === undefined ? [] : value.events;
    expect(event).to.have.nested.property('entry.key.name', 'n1-k8s-later-eth0');
    await watch.return?.();
  });

  it('moves out and in again', async () => {
    const here = join(temporaryFolder(), 'moved.db');
    expect(
      await poplin('datastore', 'migrate', 'copy', '--from', server().location(), '--to', here),
    ).to.match(/Verified: all/);
    const store = await open();
    for (const name of ['lab4', 'lab6'])
      await store.commit([{ type: 'delete', key: { kind: 'IPPool', scope: '', name }, expect: 'present' }]);
    const back = await poplin(
      'datastore',
      'migrate',
      'copy',
      '--from',
      here,
      '--to',
      server().location(),
      '--overwrite',
    );
    expect(back).to.match(/IPPool +2 +2[\s\S]*Verified: all/);
    await poplin('datastore', 'migrate', 'unlock');
    expect((await store.list({ kind: 'IPPool' })).entries).to.have.length(2);
  });

  it('can be followed by the daemons with the rights of a node, and by nobody without', async () => {
    const kinds = [
      ...CALC_KINDS,
      'FelixConfiguration',
      'IPReservation',
      'IPAMConfig',
      'IPAMConfiguration',
      'Service',
    ];
    const selections = [...selectionsOf('n1'), ...kinds.map((kind) => ({ kind }))];
    for (const account of ['poplin-node', 'poplin-controller'] as const) {
      const errors: string[] = [];
      const mirror = new Mirror(await open(account), selections, {
        onError: (error) => errors.push(String(error)),
      });
      const synced = new Promise<void>((resolve) => mirror.onSync(resolve));
      mirror.start();
      await synced;
      const heard = new Promise<void>((resolve) => mirror.onChange(() => resolve()));
      await server().ask('/api/v1/namespaces', {
        method: 'POST',
        body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: `new-${account}` } },
      });
      await heard;
      await mirror.stop();
      expect(errors).to.deep.equal([]);
    }
  });
});
