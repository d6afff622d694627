/** What lies in the cluster, looked at with other eyes: Calico's layout, rights as narrow as they should be. */
import { expect } from 'chai';
import { rejection } from '../../datastore/contract-tools.ts';
import { resourceContract } from '../../datastore/contract-resources.ts';
import { openStore, type Operation, type Store } from '../../datastore/index.ts';
import { NATIVE_KINDS } from '../../datastore/kubernetes/native/index.ts';
import { isCustom } from '../../datastore/kubernetes/resources.ts';
import { publishContract } from '../../felix-lite/routing/wireguard/publish-contract.ts';
import type { Account } from './server.ts';
import { withKubeServer } from './suite.ts';

/** Kept in records of our own, unless they are read as Kubernetes has them; and in the object that Calico's IPAM reads. */
const KEPT: ReadonlySet<string> = new Set([
  ...['Namespace', 'Pod'].filter((kind) => NATIVE_KINDS.every((native) => native.kind !== kind)),
  'Profile',
  'IPAMConfiguration',
]);

const CALICO = '/apis/crd.projectcalico.org/v1';

describe("kubernetes: Calico's layout", function () {
  this.timeout(180_000);
  const server = withKubeServer({ own: true });
  const stores: Store[] = [];

  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
  });

  let ofNode: Store | undefined;
  after(() => ofNode?.close());

  async function open(account?: Account): Promise<Store> {
    const store = await openStore(server().location(account));
    stores.push(store);
    return store;
  }

  async function make(plural: string, kind: string, name: string, spec: object): Promise<void> {
    const group = plural === 'storedobjects' ? 'poplin.internal' : 'crd.projectcalico.org';
    const body = { apiVersion: `${group}/v1`, kind, metadata: { name }, spec };
    const { status, body: answer } = await server().ask(`/apis/${group}/v1/${plural}`, {
      method: 'POST',
      body,
    });
    expect(status, JSON.stringify(answer)).to.equal(201);
  }

  async function object(path: string): Promise<Record<string, unknown>> {
    const { status, body } = await server().ask(`${CALICO}/${path}`);
    expect(status, path).to.equal(200);
    return body as Record<string, unknown>;
  }

  it('of IPAM is what lies there, and comes back', async () => {
    const store = await open();
    const block = {
      cidr: '10.0.0.0/29',
      affinity: 'host:a1',
      affinity_claim_time: '2026-08-01T10:00:00Z',
      allocations: [0, null, null, null, null, null, null, null],
      unallocated: [1, 2, 3, 4, 5, 6, 7],
      attributes: [{ handle_id: 'net.ABC', secondary: { node: 'a1' } }],
      sequenceNumber: 1785578400000000004n,
      sequenceNumberForAllocation: { 0: 1785578400000000003n },
      deleted: false,
      tomorrow: { deep: [1] },
    };
    const operations = [
      put('IPAMBlock', '', '10.0.0.0/29', block),
      put('IPAMBlock', '', 'fd00:1::40/122', { ...block, cidr: 'fd00:1::40/122' }),
      put('BlockAffinity', 'host:a1', '10.0.0.0/29', { state: 'confirmed', deleted: false }),
      put('IPAMHandle', '', 'net.ABC', { block: { '10.0.0.0/29': 1 }, deleted: false }),
      put('IPAMConfig', '', 'default', { strict_affinity: true, auto_allocate_blocks: true }),
    ];
    for (const operation of operations) {
      await store.commit([operation]);
      const read = await store.get(operation.key);
      expect(read?.value).to.deep.include(operation.type === 'put' ? (operation.value as object) : {});
    }
    const { spec, metadata } = await object('ipamblocks/10-0-0-0-29');
    const { affinity_claim_time: affinityClaimTime, ...same } = block;
    expect(spec).to.deep.equal({
      ...same,
      affinityClaimTime,
      // Read with plain JSON, which rounds.
      sequenceNumber: Number(block.sequenceNumber),
      sequenceNumberForAllocation: { 0: Number(1785578400000000003n) },
      strictAffinity: false,
    });
    expect(metadata).to.have.property('name', '10-0-0-0-29');
    await object('ipamblocks/fd00-1--40-122');
    const affinity = await object('blockaffinities/a1-10-0-0-0-29');
    expect(affinity['spec']).to.deep.equal({
      state: 'confirmed',
      node: 'a1',
      type: 'host',
      cidr: '10.0.0.0/29',
      deleted: 'false',
    });
    const { labels } = affinity['metadata'] as { labels: Record<string, string> };
    expect(labels).to.include({
      'projectcalico.org/ip-version': '4',
      'projectcalico.org/affinity-type': 'host',
    });
    expect((await object('ipamhandles/net.abc'))['spec']).to.have.property('handleID', 'net.ABC');
    expect((await object('ipamconfigs/default'))['spec']).to.deep.equal({
      strictAffinity: true,
      autoAllocateBlocks: true,
    });
    // IPAMConfiguration is the same object, and is made anew below.
    const config = { kind: 'IPAMConfig', scope: '', name: 'default' };
    await store.commit([{ type: 'delete', key: config, expect: 'present' }]);
    const other = await rejection(store.commit([put('IPAMHandle', '', 'net.abc', { block: {} }, 'absent')]));
    expect(String(other)).to.match(/is that of IPAMHandle\/net\.ABC already/);
  });

  it("tells what is of no kind that it knows, and of what was marked as deleted that it is Calico's", async () => {
    const store = await open();
    await make('ipamhandles', 'IPAMHandle', 'net.half', { handleID: 'net.half', block: {}, deleted: true });
    await make('storedobjects', 'StoredObject', 'strange', {
      kind: 'Later',
      scope: '',
      name: 'x',
      value: '{}',
    });
    await store.commit([put('Lease', '', 'stray', { holder: 'a' })]);
    const strays = (await store.strays?.()) ?? [];
    const strange = strays.filter(({ belongsTo }) => belongsTo === undefined).map(({ where }) => where);
    expect(strange).to.deep.equal(['storedobjects.poplin.internal/strange']);
    expect(strays.find(({ where }) => where.endsWith('/net.half'))?.belongsTo).to.match(/Calico/);
    expect(strays.map(({ where }) => where).filter((where) => where.includes('lease'))).to.have.length(1);
    for (const path of [
      'crd.projectcalico.org/v1/ipamhandles/net.half',
      'poplin.internal/v1/storedobjects/strange',
    ])
      await server().ask(`/apis/${path}`, { method: 'DELETE' });
  });

  it('of what Calico marked as deleted is absence, and a new one takes its place', async () => {
    const store = await open();
    const key = { kind: 'IPAMHandle', scope: '', name: 'net.gone' };
    await store.commit([put('IPAMHandle', '', 'net.gone', { block: {} })]);
    await server().ask(`${CALICO}/ipamhandles/net.gone`, {
      method: 'PATCH',
      type: 'application/merge-patch+json',
      body: { spec: { deleted: true } },
    });
    expect(await store.get(key)).to.equal(undefined);
    expect(
      (await store.commit([put('IPAMHandle', '', 'net.gone', { block: { a: 1 } }, 'absent')])).ok,
    ).to.equal(true);
    expect((await store.get(key))?.value).to.deep.include({ block: { a: 1 } });
  });

  it('of policies is the name, the tier as a label, and the metadata as an annotation', async () => {
    const store = await open();
    const metadata = { name: 'web', namespace: 'default', labels: { mine: 'yes' } };
    await store.commit([put('NetworkPolicy', 'default', 'web', policy(metadata, { selector: 'all()' }))]);
    const found = await object('namespaces/default/networkpolicies/web');
    expect(found['metadata'])
      .to.have.property('labels')
      .that.deep.equals({ 'projectcalico.org/tier': 'default' });
    const annotations = (found['metadata'] as { annotations: Record<string, string> }).annotations;
    expect(JSON.parse(annotations['projectcalico.org/metadata'] ?? '')).to.deep.equal({
      name: 'web',
      creationTimestamp: null,
      labels: { 'projectcalico.org/tier': 'default', mine: 'yes' },
    });
  });

  it('of policies of an older Calico is read, and written where it was found', async () => {
    const store = await open();
    const old = {
      apiVersion: 'crd.projectcalico.org/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'default.older', namespace: 'default', finalizers: ['example.com/keep'] },
      spec: { order: 1, tier: 'default' },
    };
    const path = 'namespaces/default/networkpolicies';
    expect((await server().ask(`${CALICO}/${path}`, { method: 'POST', body: old })).status).to.equal(201);
    const key = { kind: 'NetworkPolicy', scope: 'default', name: 'older' };
    const entry = await store.get(key);
    expect(entry?.value).to.deep.include({ spec: old.spec });
    const wanted = policy({ name: 'older', namespace: 'default' }, { order: 2, tier: 'default' });
    const stale = await store.commit([put('NetworkPolicy', 'default', 'older', wanted, 'absent')]);
    expect(stale.ok).to.equal(false);
    const commit = await store.commit([
      put('NetworkPolicy', 'default', 'older', wanted, { revision: entry?.revision ?? '' }),
    ]);
    expect(commit.ok).to.equal(true);
    const found = await object(`${path}/default.older`);
    expect(found['spec']).to.deep.equal({ order: 2, tier: 'default' });
    expect(found['metadata']).to.have.property('finalizers').that.deep.equals(['example.com/keep']);
    const oldest = { ...old, metadata: { name: 'default.oldest', namespace: 'default' } };
    await server().ask(`${CALICO}/${path}`, { method: 'POST', body: oldest });
    const second = { ...key, name: 'oldest' };
    const revision = (await store.get(second))?.revision ?? '';
    const late = await store.commit([{ type: 'delete', key: second, expect: { revision: '1' } }]);
    expect(late).to.have.nested.property('current.revision', revision);
    expect((await store.commit([{ type: 'delete', key: second, expect: { revision } }])).ok).to.equal(true);
    expect(await store.get(second)).to.equal(undefined);
    expect((await store.list({ kind: 'NetworkPolicy' })).entries.map(({ key: { name } }) => name)).to.include(
      'older',
    );
  });

  it('keeps what Kubernetes knows of a node, and refuses to make one', async () => {
    const store = await open('poplin-node');
    const key = { kind: 'Node', scope: '', name: 'worker-1' };
    const wanted = {
      apiVersion: 'projectcalico.org/v3',
      kind: 'Node',
      metadata: { name: 'worker-1' },
      spec: { bgp: { ipv4Address: '192.0.2.11/24', asNumber: 64512 } },
    };
    const refused = await rejection(store.commit([put('Node', '', 'worker-1', wanted, 'any')]));
    expect(String(refused)).to.match(/there is no Kubernetes Node worker-1/);
    const made = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'worker-1', labels: { rack: 'a' } } };
    expect((await server().ask('/api/v1/nodes', { method: 'POST', body: made })).status).to.equal(201);
    const before = await store.get(key);
    const commit = await store.commit([
      put('Node', '', 'worker-1', wanted, { revision: before?.revision ?? '' }),
    ]);
    expect(commit.ok).to.equal(true);
    const { body } = await server().ask('/api/v1/nodes/worker-1');
    const { annotations } = (body as { metadata: { annotations: object } }).metadata;
    expect(annotations).to.include({
      'projectcalico.org/IPv4Address': '192.0.2.11/24',
      'projectcalico.org/ASNumber': '64512',
    });
    expect((await store.get(key))?.value).to.have.nested.property('metadata.labels.rack', 'a');
  });

  publishContract("Kubernetes, with a node's rights", async (name) => {
    const body = { apiVersion: 'v1', kind: 'Node', metadata: { name } };
    expect((await server().ask('/api/v1/nodes', { method: 'POST', body })).status).to.equal(201);
    return (ofNode = await openStore(server().location('poplin-node')));
  });

  describe('rights', () => {
    it('of nobody are none, and the refusal says which one is missing', async () => {
      const error = await rejection(open('nobody'));
      expect(String(error)).to.match(
        /does not let us list clusterinformations\.crd\.projectcalico\.org.*system:serviceaccount:kube-system:nobody.*add to its role: apiGroups: \["crd\.projectcalico\.org"\], resources: \["clusterinformations"\], verbs: \["list"\]/,
      );
    });

    it('of a node go as far as addresses, not to pools', async () => {
      const store = await open('poplin-node');
      const block = put('IPAMBlock', '', '10.9.0.0/26', { cidr: '10.9.0.0/26', allocations: [] });
      expect((await store.commit([block])).ok).to.equal(true);
      expect((await store.commit([{ type: 'delete', key: block.key, expect: 'present' }])).ok).to.equal(true);
      expect((await store.commit([put('Lease', '', 'gc', { holder: 'a' })])).ok).to.equal(true);
      const pool = put('IPPool', '', 'mine', { spec: { cidr: '10.0.0.0/8' } });
      expect(String(await rejection(store.commit([pool])))).to.match(/does not let us create ippools/);
    });
  });

  resourceContract(
    async () => {
      // Kubernetes wants a namespace to be there before anything is made in it.
      await server().ask('/api/v1/namespaces', { method: 'POST', body: namespace('prod') });
      return openStore(server().location());
    },
    { keeps: (info) => isCustom(info) || KEPT.has(info.kind), draws: 3 },
  );
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

function namespace(name: string) {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

function policy(metadata: object, spec: object) {
  return { apiVersion: 'projectcalico.org/v3', kind: 'NetworkPolicy', metadata, spec };
}
