import { expect } from 'chai';
import {
  type NetworkPolicy,
  parseManifests,
  PoplinError,
  type Resource,
  unwrap,
  validate,
} from '../api/index.ts';
import { SimulatedClock } from '../clock/simulated.ts';
import { temporaryStore } from './testing.ts';
import { type ResourceChange, ResourceClient } from './resources.ts';
import type { Entry, Operation, Store } from './store.ts';

function pool(name: string, cidr: string, more: object = {}): Resource {
  return unwrap(
    validate({
      apiVersion: 'projectcalico.org/v3',
      kind: 'IPPool',
      metadata: { name, ...more },
      spec: { cidr },
    }),
  );
}

function ruleFor(port: number) {
  return { action: 'Allow' as const, protocol: 'TCP' as const, destination: { ports: [port] } };
}

function webPolicy(...ports: number[]): NetworkPolicy {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'NetworkPolicy',
    metadata: { name: 'web', namespace: 'prod' },
    spec: { tier: 'default', types: ['Ingress'], ingress: ports.map(ruleFor) },
  };
}

function codes(result: {
  readonly ok: boolean;
  readonly problems?: readonly { readonly code: string }[];
}): string[] {
  return result.problems?.map(({ code }) => code) ?? [];
}

describe('ResourceClient', () => {
  let store: Store;
  let client: ResourceClient;
  let uids: number;

  beforeEach(async () => {
    store = await temporaryStore();
    uids = 0;
    client = new ResourceClient(store, new SimulatedClock(), () => `uid-${++uids}`);
  });

  it('fills in what a server owns, and does not store the resourceVersion', async () => {
    const created = unwrap(await client.create(pool('a', '10.1.0.0/16')));
    const stored = await store.get({ kind: 'IPPool', scope: '', name: 'a' });
    expect(created.metadata).to.deep.equal({
      name: 'a',
      uid: 'uid-1',
      creationTimestamp: '2026-01-01T00:00:00Z',
      resourceVersion: stored?.revision,
    });
    expect(stored?.value).to.have.property('metadata').that.does.not.have.property('resourceVersion');
    expect(unwrap(await client.get('IPPool', 'a'))).to.deep.equal(created);
    expect(unwrap(await client.list('IPPool'))).to.deep.equal([created]);
  });

  it('keeps identity through an apply, and writes nothing when nothing changed', async () => {
    await client.create(pool('a', '10.1.0.0/16'));
    const [updated] = unwrap(
      await client.change([{ type: 'apply', resource: pool('a', '10.1.0.0/16', { labels: { x: 'y' } }) }]),
    );
    expect(updated?.outcome).to.equal('updated');
    expect(updated?.resource.metadata.uid).to.equal('uid-1');
    const before = await store.revision();
    const [again] = unwrap(
      await client.change([{ type: 'apply', resource: pool('a', '10.1.0.0/16', { labels: { x: 'y' } }) }]),
    );
    expect(again?.outcome).to.equal('unchanged');
    expect(again?.resource).to.deep.equal(updated?.resource);
    expect(await store.revision()).to.equal(before);
  });

  it('keeps fields that a newer release wrote beside metadata and spec', async () => {
    const key = { kind: 'IPPool', scope: '', name: 'a' };
    await client.create(pool('a', '10.1.0.0/16'));
    const stored = (await store.get(key))?.value as object;
    await store.commit([{ type: 'put', key, value: { ...stored, status: { used: 7 } }, expect: 'present' }]);
    await client.apply(pool('a', '10.1.0.0/16', { labels: { x: 'y' } }));
    expect((await store.get(key))?.value).to.have.deep.property('status', { used: 7 });
  });

  it('keeps fields that a newer release wrote anywhere, and takes them back from who read them', async () => {
    const key = { kind: 'NetworkPolicy', scope: 'prod', name: 'web' };
    await client.create(webPolicy(80, 443));
    const stored = (await store.get(key))?.value as NetworkPolicy;
    const newer = {
      ...stored,
      spec: {
        ...stored.spec,
        tomorrow: { deep: [1] },
        ingress: stored.spec.ingress?.map((one, i) => ({ ...one, newMatch: `match ${i}` })),
      },
    };
    await store.commit([{ type: 'put', key, value: newer, expect: 'present' }]);
    interface Rules {
      readonly spec: { readonly ingress: readonly { readonly newMatch?: string }[] };
    }
    const rules = async () => ((await store.get(key)) as Entry<Rules>).value.spec.ingress;

    // From a manifest that knows nothing of them: another order, one more.
    unwrap(await client.apply(webPolicy(22, 443, 80)));
    expect((await store.get(key))?.value).to.have.deep.nested.property('spec.tomorrow', { deep: [1] });
    expect((await rules()).map(({ newMatch }) => newMatch)).to.deep.equal([undefined, 'match 1', 'match 0']);

    // By a program that hands back what it read, with a rule changed.
    const read = unwrap(await client.get('NetworkPolicy', 'web', 'prod'));
    const ingress =
      read.spec.ingress?.map((one, i) => (i === 1 ? { ...one, action: 'Deny' as const } : one)) ?? [];
    unwrap(await client.update({ ...read, spec: { ...read.spec, ingress } }));
    expect((await rules()).map(({ newMatch }) => newMatch)).to.deep.equal([undefined, 'match 1', 'match 0']);

    // A field that nobody stored is a slip.
    const slip = { ...webPolicy(80), spec: { ...webPolicy(80).spec, tomorow: {} } };
    expect(codes(await client.apply(slip))).to.deep.equal(['FIELD_UNKNOWN']);
    expect(codes(await client.create({ ...slip, metadata: { name: 'b', namespace: 'prod' } }))).to.deep.equal(
      ['FIELD_UNKNOWN'],
    );
  });

  it('answers RESOURCE_EXISTS, RESOURCE_MISSING and RESOURCE_CONFLICT', async () => {
    const first = unwrap(await client.create(pool('a', '10.1.0.0/16')));
    expect(codes(await client.create(pool('a', '10.1.0.0/16')))).to.deep.equal(['RESOURCE_EXISTS']);
    expect(codes(await client.update(pool('b', '10.2.0.0/16')))).to.deep.equal(['RESOURCE_MISSING']);
    expect(codes(await client.get('IPPool', 'b'))).to.deep.equal(['RESOURCE_MISSING']);
    expect(codes(await client.delete('IPPool', 'b'))).to.deep.equal(['RESOURCE_MISSING']);
    unwrap(await client.update(pool('a', '10.1.0.0/16', { labels: { x: 'y' } })));
    expect(codes(await client.update(first))).to.deep.equal(['RESOURCE_CONFLICT']);
  });

  it('deletes, and says what was there', async () => {
    await client.create(pool('a', '10.1.0.0/16'));
    expect(unwrap(await client.delete('IPPool', 'a')).spec.cidr).to.equal('10.1.0.0/16');
    expect(unwrap(await client.list('IPPool'))).to.deep.equal([]);
  });

  it('refuses what does not fit what is stored, with its place in the file', async () => {
    await client.create(pool('a', '10.1.0.0/16'));
    const documents = unwrap(
      parseManifests(
        `apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: good}
spec: {cidr: 10.9.0.0/16}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: bad}
spec:
  cidr: 10.1.2.0/24
`,
        'pools.yaml',
      ),
    );
    const result = await client.applyAll(documents);
    expect(codes(result)).to.deep.equal(['POOL_OVERLAP']);
    expect(result.ok ? undefined : result.problems[0]?.at).to.deep.include({
      file: 'pools.yaml',
      document: 2,
      line: 10,
    });
    expect(unwrap(await client.list('IPPool'))).to.have.length(1);
  });

  it('does not hold an old fault against an unrelated change', async () => {
    for (const [name, cidr] of [
      ['a', '10.1.0.0/16'],
      ['b', '10.1.2.0/24'],
    ] as const) {
      const key = { kind: 'IPPool', scope: '', name };
      await store.commit([{ type: 'put', key, value: pool(name, cidr), expect: 'any' }]);
    }
    unwrap(await client.apply(pool('c', '10.3.0.0/16')));
  });

  it('does not let a tier go while a policy is in it, unless both go', async () => {
    const tier = unwrap(
      validate({
        apiVersion: 'projectcalico.org/v3',
        kind: 'Tier',
        metadata: { name: 't' },
        spec: { order: 5 },
      }),
    );
    const policy = unwrap(
      validate({
        apiVersion: 'projectcalico.org/v3',
        kind: 'GlobalNetworkPolicy',
        metadata: { name: 't.p' },
        spec: { tier: 't', selector: 'all()', types: ['Ingress'] },
      }),
    );
    unwrap(await client.change([tier, policy].map((resource) => ({ type: 'apply', resource }))));
    expect(codes(await client.delete('Tier', 't'))).to.deep.equal(['REFERENCE_MISSING']);
    unwrap(
      await client.change([
        { type: 'delete', kind: 'Tier', name: 't' },
        { type: 'delete', kind: 'GlobalNetworkPolicy', name: 't.p' },
      ]),
    );
  });

  it('lets only one of several overlapping pools through when they come at the same moment', async () => {
    const results = await Promise.all(
      Array.from({ length: 8 }, async (_, i) =>
        client.create(pool(`p${i}`, `10.1.${i}.0/${i === 0 ? 16 : 24}`)),
      ),
    );
    const pools = unwrap(await client.list('IPPool'));
    const wide = pools.some(({ metadata }) => metadata.name === 'p0');
    expect(pools.length).to.equal(results.filter(({ ok }) => ok).length);
    if (wide) expect(pools).to.have.length(1);
    else expect(pools).to.have.length(7);
  });

  it('writes in order where there are no transactions, and says how far it came', async () => {
    const single: Store = Object.assign(Object.create(store) as Store, { transactional: false });
    let commits = 0;
    single.commit = async (operations) => {
      expect(operations).to.have.length(1);
      if (++commits === 2) return { ok: false, failed: operations[0]!, current: undefined };
      return store.commit(operations);
    };
    for (const method of ['get', 'list', 'revision'] as const)
      single[method] = store[method].bind(store) as never;
    const onSingle = new ResourceClient(single, new SimulatedClock());
    const changes = ['a', 'b', 'c'].map((name, i) => ({
      type: 'apply' as const,
      resource: pool(name, `10.${i}.0.0/16`),
    }));
    const result = await onSingle.change(changes);
    expect(codes(result)).to.deep.equal(['RESOURCE_CONFLICT', 'PARTLY_WRITTEN']);

    single.commit = async (operations) => {
      const [{ key }] = operations as [Operation];
      if (key.name !== 'refused') return store.commit(operations);
      throw new PoplinError([{ code: 'STORE_FORBIDDEN', what: 'may not be written', remedy: 'ask for it' }]);
    };
    const wanted = ['d', 'e', 'refused'].map(
      (name, i): ResourceChange => ({ type: 'apply', resource: pool(name, `10.${i + 9}.0.0/16`) }),
    );
    expect(codes(await onSingle.change(wanted))).to.deep.equal(['STORE_FORBIDDEN', 'PARTLY_WRITTEN']);
    const error: unknown = await onSingle.change(wanted.slice(2)).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(PoplinError);
    expect(unwrap(await client.list('IPPool'))).to.have.length(3);
  });
});
