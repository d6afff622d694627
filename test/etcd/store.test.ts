/** The etcd engine on a real etcd: the contract of all stores, Calico's layout on disk, and what it does in trouble. */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { checkResources, checkStrays } from '../../datastore/check.ts';
import { storeContract } from '../../datastore/contract.ts';
import { rejection } from '../../datastore/contract-tools.ts';
import { Mirror, type Operation, openStore, type Store } from '../../datastore/index.ts';
import { cooldownContract } from '../../ipam/cooldown-contract.ts';
import { EtcdServer } from './server.ts';

describe('etcd', function () {
  this.timeout(180_000);
  const server = new EtcdServer();
  const stores: Store[] = [];
  let count = 0;

  /** Takes its time, and others' tests take theirs meanwhile. */
  let nothing: Promise<unknown>;

  before(async () => {
    nothing = rejection(openStore('etcd://127.0.0.1:1'));
    await server.start();
  });
  after(() => server.remove());
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
  });

  /** A folder of its own is a store of its own. */
  async function open(prefix = `/poplin-test-${++count}`): Promise<Store> {
    const store = await openStore(`etcd://${server.endpoint}${prefix}`);
    stores.push(store);
    return store;
  }

  storeContract('etcd', open);
  cooldownContract('etcd', open, async () => {});

  function etcdctl(...args: readonly string[]): string {
    return execFileSync('etcdctl', [`--endpoints=${server.endpoint}`, ...args], {
      encoding: 'utf8',
      env: { ...process.env, ETCDCTL_API: '3' },
    });
  }

  function written(prefix: string): Record<string, unknown> {
    const lines = etcdctl('get', '--prefix', `${prefix}/`).split('\n').slice(0, -1);
    return Object.fromEntries(
      lines.flatMap((line, i) =>
        i % 2 === 0 ? [[line.slice(prefix.length), JSON.parse(lines[i + 1] ?? '')]] : [],
      ),
    );
  }

  describe("Calico's layout", () => {
    it('is what lies in etcd', async () => {
      const store = await open('/layout');
      const block = { cidr: '10.0.0.0/26', sequenceNumber: 1785578400000000004n };
      await store.commit([
        put('IPAMBlock', '', '10.0.0.0/26', block),
        put('BlockAffinity', 'host:a1', '10.0.0.0/26', { state: 'confirmed' }),
        put('IPAMHandle', '', 'k8s-pod-network.4f1c', { block: { '10.0.0.0/26': 1 } }),
        put('NetworkPolicy', 'prod', 'web', policy('web', { selector: 'all()' })),
      ]);
      expect(
        etcdctl('get', '--print-value-only', '/layout/ipam/v2/assignment/ipv4/block/10.0.0.0-26').trim(),
      ).to.equal('{"cidr":"10.0.0.0/26","sequenceNumber":1785578400000000004}');
      const found = written('/layout');
      expect(Object.keys(found)).to.deep.equal([
        '/ipam/v2/assignment/ipv4/block/10.0.0.0-26',
        '/ipam/v2/handle/k8s-pod-network.4f1c',
        '/ipam/v2/host/a1/ipv4/block/10.0.0.0-26',
        '/resources/v3/projectcalico.org/networkpolicies/prod/web',
      ]);
      expect(found['/resources/v3/projectcalico.org/networkpolicies/prod/web']).to.deep.equal({
        ...policy('web', { selector: 'all()' }),
        metadata: {
          name: 'web',
          namespace: 'prod',
          labels: { 'projectcalico.org/tier': 'default' },
          annotations: { 'projectcalico.org/metadata': '{"name":"web"}' },
        },
      });
      const key = { kind: 'NetworkPolicy', scope: 'prod', name: 'web' };
      expect((await store.get(key))?.value)
        .to.have.nested.property('metadata')
        .that.does.not.have.property('annotations');
    });

    it('of an older Calico is read, and a write brings it up to date in one step', async () => {
      const store = await open('/dialect-a');
      const old = '/dialect-a/resources/v3/projectcalico.org/networkpolicies/prod/default.web';
      etcdctl('put', old, JSON.stringify(policy('default.web', { order: 1 })));
      const key = { kind: 'NetworkPolicy', scope: 'prod', name: 'web' };
      const from = await store.revision();
      const entry = await store.get(key);
      expect(entry?.value).to.deep.include({ metadata: { name: 'web', namespace: 'prod' } });
      expect((await store.list({ kind: 'NetworkPolicy' })).entries).to.deep.equal([entry]);
      const stale = await store.commit([
        put('NetworkPolicy', 'prod', 'web', policy('web', { order: 2 }), 'absent'),
      ]);
      expect(stale).to.deep.include({ ok: false, current: entry });

      const abort = new AbortController();
      const events = store.watch([{ kind: 'NetworkPolicy' }], from, abort.signal)[Symbol.asyncIterator]();
      const expectation = { revision: entry?.revision ?? '' };
      const commit = await store.commit([
        put('NetworkPolicy', 'prod', 'web', policy('web', { order: 2 }), expectation),
      ]);
      expect(commit.ok).to.equal(true);
      expect(Object.keys(written('/dialect-a'))).to.deep.equal([
        '/resources/v3/projectcalico.org/networkpolicies/prod/web',
      ]);
      const { value } = await events.next();
      expect(value).to.deep.include({
        events: [{ type: 'put', entry: await store.get(key), previous: entry }],
      });
      abort.abort();
    });

    it("leaves alone what is not the store's", async () => {
      const store = await open('/others');
      etcdctl('put', '/others/v1/Ready', 'true');
      etcdctl('put', '/others/ipam/v2/host/a1', '{}');
      expect((await store.list({ kind: 'BlockAffinity' })).entries).to.deep.equal([]);
      etcdctl('put', '/others/resources/v3/projectcalico.org/ippools/broken', '{"kind":');
      expect((await store.list({ kind: 'IPPool' })).entries.map(({ value }) => value)).to.deep.equal([
        '{"kind":',
      ]);
    });
  });

  it('is checked for keys that nobody knows, and for policies under two names', async () => {
    const store = await open('/strays');
    const theirs = [
      'v1/Ready',
      'ipam/v2/host/a1',
      'felix/v2/no-region/host/a1/status',
      'dhcp/v2/no-region/subnet/x',
    ];
    const strays = ['elsewhere/x', 'resources/v3/projectcalico.org/ponds/x', 'ipam/v9/config'];
    for (const path of [...theirs, ...strays]) etcdctl('put', `/strays/${path}`, '{}');
    await store.commit([put('IPPool', '', 'a', {}), put('ResourceGuard', '', 'together', {})]);
    const found = (await store.strays?.()) ?? [];
    expect(found.map(({ where }) => where)).to.have.members(
      [...theirs, ...strays].map((path) => `/strays/${path}`),
    );
    expect(checkStrays(found).map(({ value }) => value)).to.have.members(
      strays.map((path) => `/strays/${path}`),
    );

    for (const name of ['web', 'default.web'])
      etcdctl(
        'put',
        `/strays/resources/v3/projectcalico.org/networkpolicies/prod/${name}`,
        JSON.stringify(policy(name, {})),
      );
    const { entries } = await store.list({ kind: 'NetworkPolicy' });
    const twice = checkResources(entries).problems.filter(({ code }) => code === 'STORE_DUPLICATE');
    expect(twice.map(({ resource }) => resource)).to.deep.equal(['NetworkPolicy/prod/web']);
    const key = { kind: 'NetworkPolicy', scope: 'prod', name: 'web' };
    const here = await store.get(key);
    await store.commit([
      { type: 'put', key, value: policy('web', {}), expect: { revision: here?.revision ?? '' } },
    ]);
    expect((await store.list({ kind: 'NetworkPolicy' })).entries, 'the next write leaves one').to.have.length(
      1,
    );
  });

  describe('in trouble', () => {
    it('a mirror goes on after a restart of etcd, with nothing lost and nothing told twice', async () => {
      const prefix = `/restart-${++count}`;
      const [store, other] = [await open(prefix), await open(prefix)];
      const mirror = new Mirror(store, [{ kind: 'K' }]);
      const told: unknown[] = [];
      mirror.onChange((changes) => told.push(...changes.map(({ value }) => value)));
      mirror.start();
      await other.commit([put('K', '', 'a', 1)]);
      await server.kill();
      const during = other.commit([put('K', '', 'a', 2)]);
      await server.start();
      expect((await during).ok).to.equal(true);
      for (const value of [3, 4, 5]) await other.commit([put('K', '', 'a', value)]);
      for (let i = 0; i < 200 && told.at(-1) !== 5; i++)
        await new Promise((resolve) => setTimeout(resolve, 50));
      await mirror.stop();
      expect(told).to.deep.equal([1, 2, 3, 4, 5]);
    });

    it('compare-and-swap counts right while etcd dies again and again', async () => {
      const prefix = `/swap-${++count}`;
      const writers = await Promise.all([open(prefix), open(prefix), open(prefix)]);
      const key = { kind: 'K', scope: '', name: 'counter' };
      await writers[0]?.commit([put('K', '', 'counter', { total: 0, by: '' })]);
      const stop = new AbortController();
      const done = writers.map(async (store, writer) => {
        let count = 0;
        for (let i = 0; !stop.signal.aborted; i++) {
          const entry = await store.get(key);
          const { total } = (entry?.value ?? { total: 0 }) as { total: number };
          const value = { total: total + 1, by: `${writer}-${i}` };
          const commit = await store.commit([
            { type: 'put', key, value, expect: { revision: entry?.revision ?? '' } },
          ]);
          if (commit.ok) count++;
        }
        return count;
      });
      for (let round = 0; round < 3; round++) {
        await new Promise((resolve) => setTimeout(resolve, 400));
        await server.kill();
        await server.start();
      }
      stop.abort();
      const sum = (await Promise.all(done)).reduce((a, b) => a + b, 0);
      expect((await writers[0]?.get(key))?.value).to.deep.include({ total: sum });
      expect(sum).to.be.greaterThan(20);
    });

    it('says in one sentence that nothing answers', async () => {
      expect(String(await nothing)).to.match(
        /etcd at http:\/\/127\.0\.0\.1:1 does not answer \(connect ECONNREFUSED 127\.0\.0\.1:1\)/,
      );
    });
  });
});

function put(
  kind: string,
  scope: string,
  name: string,
  value: unknown,
  expect: Operation['expect'] = 'any',
): Operation {
  return { type: 'put', key: { kind, scope, name }, value, expect };
}

function policy(name: string, spec: object) {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: 'prod' },
    spec,
  };
}
