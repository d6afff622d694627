/**
 * A datastore that others wrote before us: releases of Calico of both dialects, and one newer than any that we know. All
 * of it is read, and what is written over it keeps what we do not know.
 */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { parseManifests, unwrap } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { checkResources } from '../../datastore/check.ts';
import { openStore, ResourceClient, type Store } from '../../datastore/index.ts';
import { setReady, snapshot } from '../../datastore/migrate/index.ts';
import { auditIpam, Ipam } from '../../ipam/index.ts';
import { EtcdServer } from './server.ts';

const RESOURCES = '/resources/v3/projectcalico.org';
const identity = { uid: '0c5f3d0e-7b1a-4e0e-9b4b-0a2f6a9f1d11', creationTimestamp: '2024-08-01T10:00:00Z' };
const NEW = { tomorrow: { deep: [1, false, ''] } };

const CONDITION = {
  type: 'Valid',
  status: 'True',
  lastTransitionTime: '2026-08-01T10:00:00Z',
  reason: 'Valid',
  message: '',
};

function resource(kind: string, name: string, spec: object, more: object = {}): object {
  return {
    kind,
    apiVersion: 'projectcalico.org/v3',
    metadata: { name, ...identity, ...more },
    spec: { ...spec, ...NEW },
    ...NEW,
  };
}

/** Key below the prefix, and value. */
const WRITTEN: Readonly<Record<string, unknown>> = {
  // 3.29: named after the tier, without the annotation that 3.30 brought.
  [`${RESOURCES}/networkpolicies/prod/default.old`]: resource(
    'NetworkPolicy',
    'default.old',
    { tier: 'default', selector: 'all()', types: ['Ingress'], ingress: [{ action: 'Allow', ...NEW }] },
    { namespace: 'prod' },
  ),
  // 3.31: with it.
  [`${RESOURCES}/globalnetworkpolicies/default.middle`]: resource(
    'GlobalNetworkPolicy',
    'default.middle',
    { tier: 'default', selector: 'all()', types: ['Egress'] },
    {
      annotations: { 'projectcalico.org/metadata': '{"name":"middle"}' },
      labels: { 'projectcalico.org/tier': 'default' },
    },
  ),
  // 3.32 and later: under their own name, with a status.
  [`${RESOURCES}/globalnetworkpolicies/new`]: {
    ...resource(
      'GlobalNetworkPolicy',
      'new',
      { tier: 'default', selector: 'all()', types: ['Ingress'] },
      { annotations: { 'projectcalico.org/metadata': '{"name":"new"}' } },
    ),
    status: { conditions: [{ ...CONDITION, ...NEW }] },
  },
  [`${RESOURCES}/ippools/lab`]: resource('IPPool', 'lab', { cidr: '10.0.0.0/24', blockSize: 29 }),
  [`${RESOURCES}/nodes/a1`]: {
    ...resource('Node', 'a1', { bgp: { ipv4Address: '192.0.2.1/24', ...NEW } }),
    status: { podCIDRs: [], ...NEW },
  },
  [`${RESOURCES}/clusterinformations/default`]: resource('ClusterInformation', 'default', {
    clusterGUID: '6f1d6a0f4a7b4f2e8ad1c5d0b7a2c3e4',
    calicoVersion: 'v3.99.0',
    datastoreReady: true,
  }),
  // Of the owner's bare name, without claim time, with an attribute of each dialect.
  '/ipam/v2/assignment/ipv4/block/10.0.0.0-29': {
    cidr: '10.0.0.0/29',
    affinity: null,
    hostAffinity: 'a1',
    allocations: [0, 1, null, null, null, null, null, null],
    unallocated: [2, 3, 4, 5, 6, 7],
    attributes: [
      { handle_id: 'net.old', secondary: { node: 'a1', pod: 'old', namespace: 'prod' }, ...NEW },
      { handle_id: null, secondary: null },
    ],
    sequenceNumber: 3,
    deleted: false,
    ...NEW,
  },
  '/ipam/v2/host/a1/ipv4/block/10.0.0.0-29': { ...NEW },
  '/ipam/v2/handle/net.old': { block: { '10.0.0.0/29': 1 }, deleted: false, ...NEW },
  '/ipam/v2/config': { auto_allocate_blocks: true, ...NEW },
};

describe('etcd: a datastore of other releases', function () {
  this.timeout(180_000);
  const server = new EtcdServer();
  const clock = new SystemClock();
  let store: Store;

  before(async () => {
    await server.start();
    for (const [path, value] of Object.entries(WRITTEN))
      etcdctl('put', `/upgraded${path}`, JSON.stringify(value));
    store = await openStore(`etcd://${server.endpoint}/upgraded`);
  });
  after(async () => {
    await store?.close();
    await server.remove();
  });

  it('is read in full, without a complaint', async () => {
    const entries = await snapshot(store);
    expect(entries).to.have.length(Object.keys(WRITTEN).length);
    const { problems } = checkResources(entries);
    expect(problems).to.deep.equal([]);
    expect(auditIpam(entries).problems).to.deep.equal([]);
    const names = async (kind: string): Promise<string[]> =>
      (await store.list({ kind })).entries.map(({ key }) => key.name);
    expect(await names('NetworkPolicy')).to.deep.equal(['old']);
    expect(await names('GlobalNetworkPolicy')).to.deep.equal(['middle', 'new']);
  });

  it('keeps what is newer than we are, whatever is written over it', async () => {
    const client = new ResourceClient(store, clock);
    for (const manifest of [
      '{kind: NetworkPolicy, metadata: {name: old, namespace: prod}, spec: {selector: "a == \'b\'", ingress: [{action: Allow}]}}',
      '{kind: GlobalNetworkPolicy, metadata: {name: middle}, spec: {selector: "a == \'b\'", types: [Egress]}}',
      '{kind: GlobalNetworkPolicy, metadata: {name: new}, spec: {selector: "a == \'b\'", types: [Ingress]}}',
      '{kind: IPPool, metadata: {name: lab}, spec: {cidr: 10.0.0.0/24, blockSize: 29, natOutgoing: true}}',
      '{kind: Node, metadata: {name: a1}, spec: {bgp: {ipv4Address: 192.0.2.1/24, asNumber: 64512}}}',
    ]) {
      const text = manifest.replace('{', '{apiVersion: projectcalico.org/v3, ');
      const changed = unwrap(await client.apply(unwrap(parseManifests(text))[0]!.resource));
      expect(changed, text).to.be.an('object');
    }
    await setReady(store, clock, false);
    await setReady(store, clock, true);
    const ipam = new Ipam(store, clock, () => 0);
    unwrap(await ipam.configure({ ipCooldownSeconds: 0, strictAffinity: true }));
    const given = await ipam.autoAssign({ host: 'a1', handle: 'net.old', v4: 1, v6: 0 });
    expect(unwrap(given).v4.map(String)).to.deep.equal(['10.0.0.2']);
    await ipam.release(unwrap(given).v4);

    const now = written();
    const missing = Object.entries(WRITTEN).flatMap(([path, before]) => {
      const after = now[path.replace(/\/default\.(old|middle)$/, '/$1')];
      if (after === undefined) return [`${path} is gone`];
      return placesOf(before).flatMap((place) =>
        placesOf(after).includes(place) ? [] : [`${path}: ${place} is gone`],
      );
    });
    expect(missing).to.deep.equal([]);
    // All others were written over: a handle that counts as before, and the lock that is off again, just so.
    const untouched = Object.keys(WRITTEN).filter(
      (path) => JSON.stringify(now[path]) === JSON.stringify(WRITTEN[path]),
    );
    expect(untouched.toSorted()).to.deep.equal([
      '/ipam/v2/handle/net.old',
      '/ipam/v2/host/a1/ipv4/block/10.0.0.0-29',
      `${RESOURCES}/clusterinformations/default`,
    ]);
    const entries = await snapshot(store);
    expect([...checkResources(entries).problems, ...auditIpam(entries).problems]).to.deep.equal([]);
  });

  function etcdctl(...args: readonly string[]): string {
    return execFileSync('etcdctl', [`--endpoints=${server.endpoint}`, ...args], {
      encoding: 'utf8',
      env: { ...process.env, ETCDCTL_API: '3' },
    });
  }

  function written(): Record<string, unknown> {
    const lines = etcdctl('get', '--prefix', '/upgraded/').split('\n');
    return Object.fromEntries(
      lines.flatMap((line, i) =>
        i % 2 === 0 && line !== ''
          ? [[line.slice('/upgraded'.length), JSON.parse(lines[i + 1] ?? '') as unknown]]
          : [],
      ),
    );
  }
});

/** Where in a value what only a newer release knows stands, whole. */
function placesOf(value: unknown, at = ''): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => {
    const here = `${at}/${name}`;
    if (name === 'tomorrow') return JSON.stringify(member) === JSON.stringify(NEW.tomorrow) ? [here] : [];
    return placesOf(member, here);
  });
}
