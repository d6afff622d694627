/** A datastore of every kind moves through all engines, from each to each other, and comes back as it was. */
import { expect } from 'chai';
import fc from 'fast-check';
import { API_VERSION, KINDS, unwrap, validate } from '../../api/index.ts';
import { arbitraryResource } from '../../api/testing/arbitraries.ts';
import { SimulatedClock } from '../../clock/simulated.ts';
import { type Entry, keyText, openStore, ResourceClient, type Store } from '../../datastore/index.ts';
import { sameJson } from '../../datastore/json.ts';
import { inFull } from '../../datastore/etcd/go-json.ts';
import { isCustom } from '../../datastore/kubernetes/resources.ts';
import { copyStore, IPAM_KINDS, snapshot } from '../../datastore/migrate/index.ts';
import { temporaryStore } from '../../datastore/testing.ts';
import { Ipam } from '../../ipam/index.ts';
import { Address } from '../../net/addr/index.ts';
import { EtcdServer } from '../etcd/server.ts';
import { withKubeServer } from './suite.ts';

/** What a cluster takes from outside; nodes and pods are its own. */
const MOVED = KINDS.filter(
  (info) => info.written.apiVersion === API_VERSION && (isCustom(info) || info.kind === 'Profile'),
);

describe('migration between engines', function () {
  this.timeout(300_000);
  const server = withKubeServer({ own: true });
  const etcd = new EtcdServer();
  const clock = new SimulatedClock();
  const stores: Store[] = [];

  before(() => etcd.start());
  after(async () => {
    for (const store of stores) await store.close();
    await etcd.remove();
  });

  async function open(location: string): Promise<Store> {
    const store = await openStore(location);
    stores.push(store);
    return store;
  }

  it('from each to each, with nothing lost on the way', async () => {
    const begin = await temporaryStore();
    stores.push(begin);
    await fill(begin);
    const whole = contentOf(await snapshot(begin));
    expect(Object.keys(whole).length).to.be.greaterThan(MOVED.length * 2);
    const cluster = await open(server().location());
    const refused = await copyStore(begin, cluster, clock, { overwrite: true }).then(
      () => '',
      (error: unknown) => String(error),
    );
    expect(refused).to.contain('has no namespace prod').and.contain('kubectl create namespace prod');
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'prod' } };
    await server().ask('/api/v1/namespaces', { method: 'POST', body: namespace });
    const [one, two] = [await open(`etcd://${etcd.endpoint}/one`), await open(`etcd://${etcd.endpoint}/two`)];
    const [first, second] = [await temporaryStore(), await temporaryStore()];
    stores.push(first, second);
    const legs: readonly (readonly [name: string, from: Store, to: Store])[] = [
      ['embedded to etcd', begin, one],
      ['etcd to etcd', one, two],
      ['etcd to Kubernetes', two, cluster],
      ['Kubernetes to embedded', cluster, first],
      ['embedded to embedded', first, second],
      ['embedded to Kubernetes', second, cluster],
      ['Kubernetes to etcd', cluster, one],
      ['etcd to embedded', one, begin],
    ];
    for (const [name, from, to] of legs) {
      const moved = await copyStore(from, to, clock, { overwrite: true });
      expect(moved.ok ? '' : JSON.stringify(moved.problems.slice(0, 2)), name).to.equal('');
      const now = contentOf(await snapshot(to));
      const differing = Object.keys(whole).filter((key) => !sameJson(whole[key], now[key]));
      expect(
        differing.map((key) => [key, whole[key], now[key]]),
        name,
      ).to.deep.equal([]);
      expect(Object.keys(now), name).to.have.members(Object.keys(whole));
    }
    const freed = await new Ipam(begin, clock, () => 0).releaseByHandle('net.moved');
    expect(freed, 'IPAM goes on with what it finds').to.have.length(3);
  });

  async function fill(store: Store): Promise<void> {
    const client = new ResourceClient(store, clock);
    const names = new Set<string>();
    const resources = MOVED.flatMap((info) =>
      fc.sample(arbitraryResource(info), { seed: 11, numRuns: 4 }).filter(({ kind, metadata }) => {
        const name = `${kind}/${metadata.namespace ?? ''}/${metadata.name}`;
        return !names.has(name) && names.add(name);
      }),
    );
    const order: Record<string, number> = { ClusterInformation: 0, Tier: 1 };
    const sorted = resources.toSorted((a, b) => (order[a.kind] ?? 9) - (order[b.kind] ?? 9));
    const tier = { apiVersion: API_VERSION, kind: 'Tier', metadata: { name: 'prod-1' }, spec: { order: 7 } };
    unwrap(await client.apply(unwrap(validate(tier))));
    // Those that clash with what is there already, as pools that overlap, stay out.
    const applied = await Promise.all(sorted.map(async (resource) => client.apply(resource)));
    expect(applied.filter(({ ok }) => ok).length).to.be.greaterThan(sorted.length - 4);
    const ipam = new Ipam(store, clock, () => 0);
    const spec = { cidr: '10.88.0.0/24', blockSize: 29 };
    const pool = { apiVersion: API_VERSION, kind: 'IPPool', metadata: { name: 'moved' }, spec };
    unwrap(await client.apply(unwrap(validate(pool))));
    unwrap(await ipam.configure({ ipCooldownSeconds: 60 }));
    unwrap(await ipam.assign({ address: addressOf('10.88.0.9'), host: 'n1', handle: 'net.gone' }));
    await ipam.releaseByHandle('net.gone');
    for (const last of [1, 2, 12]) {
      const address = addressOf(`10.88.0.${last}`);
      unwrap(await ipam.assign({ address, host: 'n1', handle: 'net.moved', attributes: { node: 'n1' } }));
    }
  }
});

function addressOf(text: string): Address {
  return Address.parse(text)!;
}

/** By key, as Calico's form has it: without what a move changes. */
function contentOf(entries: readonly Entry[]): Record<string, unknown> {
  return Object.fromEntries(
    entries
      .filter(({ key }) => MOVED.some(({ kind }) => kind === key.kind) || IPAM_KINDS.includes(key.kind))
      .filter(({ key }) => key.kind !== 'ClusterInformation')
      // Of the namespaces and accounts of the cluster on the way.
      .filter(({ key }) => !/^(?:kns|ksa)\./.test(key.name))
      .map(({ key, value }) => [keyText(key), inFull(withoutIdentity(value))]),
  );
}

function withoutIdentity(value: unknown): unknown {
  const { metadata, ...others } = value as { metadata?: Record<string, unknown> };
  if (metadata === undefined) return others;
  const { uid: _uid, labels, ...kept } = metadata;
  const { 'projectcalico.org/tier': _tier, ...own } = (labels ?? {}) as Record<string, unknown>;
  return { ...others, metadata: { ...kept, labels: own } };
}
