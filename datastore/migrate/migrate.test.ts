/** A datastore as a file and back: nothing lost, nothing rounded, nothing taken that is not whole. */
import { expect } from 'chai';
import fc from 'fast-check';
import { SimulatedClock } from '../../clock/simulated.ts';
import { isIncomplete } from '../ready.ts';
import { SimulatedStore } from '../simulated.ts';
import type { Entry, Key, Store } from '../store.ts';
import { temporaryStore } from '../testing.ts';
import {
  CLUSTER_INFORMATION,
  copyStore,
  dumpLines,
  exportStore,
  isLocked,
  parseDump,
  restore,
  setReady,
} from './index.ts';
import { snapshot } from './snapshot.ts';

const clock = new SimulatedClock();
const BLOCK = {
  cidr: '10.0.0.0/26',
  affinity: 'host:a1',
  sequenceNumber: 1785578400000000004n,
  sequenceNumberForAllocation: { '0': 1785578400000000003n },
};

async function put(store: Store, kind: string, name: string, value: unknown, scope = ''): Promise<void> {
  const key: Key = { kind, scope, name };
  expect((await store.commit([{ type: 'put', key, value, expect: 'any' }])).ok).to.equal(true);
}

const resource = (kind: string, name: string, spec: object, namespace?: string): object => ({
  apiVersion: 'projectcalico.org/v3',
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  spec,
});

async function fill(store: Store): Promise<void> {
  await put(store, 'IPPool', 'lab', resource('IPPool', 'lab', { cidr: '10.0.0.0/16', newerField: [1] }));
  await put(store, 'NetworkPolicy', 'web', resource('NetworkPolicy', 'web', { order: 1 }, 'shop'), 'shop');
  await put(store, 'IPAMBlock', '10.0.0.0/26', BLOCK);
  await put(store, 'BlockAffinity', '10.0.0.0/26', { state: 'confirmed' }, 'host:a1');
  await put(store, 'IPAMHandle', 'net.web', { block: { '10.0.0.0/26': 1 } });
  await put(store, 'IPAMConfig', 'default', { strict_affinity: true, auto_allocate_blocks: true });
}

const contents = (entries: readonly Entry[]): unknown[] =>
  entries
    .filter(({ key }) => key.kind !== CLUSTER_INFORMATION.kind)
    .map(({ key, value }) => ({ key, value }));

async function textOf(store: Store): Promise<string> {
  const exported = await exportStore(store);
  if (!exported.ok) throw new Error(JSON.stringify(exported.problems));
  return [...dumpLines(exported.value)].join('');
}

async function importInto(store: Store, text: string, overwrite = false) {
  const parsed = parseDump(text, 'dump');
  return parsed.ok ? restore(store, clock, parsed.value, { overwrite }) : parsed;
}

function codes(result: Awaited<ReturnType<typeof importInto>>): string[] {
  return result.ok ? [] : result.problems.map(({ code }) => code);
}

describe('datastore migration', () => {
  for (const transactional of [true, false]) {
    it(`moves everything by way of a file, ${transactional ? 'with' : 'without'} transactions`, async () => {
      const [from, to] = [await temporaryStore(), new SimulatedStore({ transactional })];
      await fill(from);
      const text = await textOf(from);
      expect(text).to.contain('"sequenceNumber":1785578400000000004,');
      const result = await importInto(to, text);
      expect(result).to.have.nested.property('value.others', 0);
      expect(contents(await snapshot(to))).to.deep.equal(contents(await snapshot(from)));
      expect(await isLocked(to), 'the target waits for its unlock').to.equal(true);
    });
  }

  it('keeps ClusterInformation as it is, but for the lock', async () => {
    const [from, to] = [new SimulatedStore(), new SimulatedStore()];
    const spec = { clusterGUID: 'abc', calicoVersion: 'v3.32.1', datastoreReady: true, later: { x: 1 } };
    await put(from, 'ClusterInformation', 'default', resource('ClusterInformation', 'default', spec));
    await importInto(to, await textOf(from));
    expect(await to.get(CLUSTER_INFORMATION)).to.have.deep.nested.property('value.spec', {
      ...spec,
      datastoreReady: false,
    });
    expect(await setReady(to, clock, true)).to.equal(true);
    expect(await setReady(to, clock, true)).to.equal(false);
    expect((await to.get(CLUSTER_INFORMATION))?.value).to.have.deep.nested.property('spec', spec);
  });

  it('counts a policy as moved though etcd labels it with its tier', async () => {
    const [from, to] = [new SimulatedStore(), new SimulatedStore()];
    await fill(from);
    const text = await textOf(from);
    await importInto(to, text);
    const key: Key = { kind: 'NetworkPolicy', scope: 'shop', name: 'web' };
    const value = (await to.get(key))?.value as { readonly metadata: object };
    const labelled = { ...value.metadata, labels: { 'projectcalico.org/tier': 'default' } };
    await put(to, 'NetworkPolicy', 'web', { ...value, metadata: labelled }, 'shop');
    const again = await importInto(to, text, true);
    expect(again.ok && again.value.kinds.every(({ written }) => written === 0)).to.equal(true);
  });

  it('refuses a datastore that holds something, unless asked, and then replaces only what it brings', async () => {
    const [from, to] = [new SimulatedStore(), new SimulatedStore()];
    await fill(from);
    await put(to, 'IPPool', 'lab', resource('IPPool', 'lab', { cidr: '10.9.0.0/16' }));
    await put(to, 'Tier', 'own', resource('Tier', 'own', { order: 5 }));
    const before = await to.revision();
    const text = await textOf(from);
    expect(codes(await importInto(to, text))).to.deep.equal(['STORE_NOT_EMPTY']);
    expect(await to.revision(), 'nothing is written, not even the lock').to.equal(before);
    const result = await importInto(to, text, true);
    expect(result).to.have.nested.property('value.others', 1);
    expect(await to.get({ kind: 'IPPool', scope: '', name: 'lab' })).to.have.nested.property(
      'value.spec.cidr',
      '10.0.0.0/16',
    );
  });

  it('is completed by the same again, wherever it was cut short', async () => {
    const from = new SimulatedStore();
    await fill(from);
    const text = await textOf(from);
    for (let writes = 0; writes < 8; writes++) {
      const to = new Failing(writes);
      const isPart = async (): Promise<boolean> => isIncomplete((await to.get(CLUSTER_INFORMATION))?.value);
      await importInto(to, text).catch(() => undefined);
      expect(await isPart(), `after ${writes} writes`).to.equal(writes > 1);
      to.left = Number.POSITIVE_INFINITY;
      expect((await importInto(to, text, true)).ok).to.equal(true);
      expect(await isPart()).to.equal(false);
      expect(contents(await snapshot(to))).to.deep.equal(contents(await snapshot(from)));
    }
  });

  it('says what a stranger changed under its hands', async () => {
    const [from, to] = [new SimulatedStore(), new Meddled()];
    await fill(from);
    const text = await textOf(from);
    expect(codes(await importInto(to, text))).to.deep.equal(['MIGRATION_DIFFERS']);
  });

  it('copies from store to store, and tells what was written too late', async () => {
    const from = new SimulatedStore();
    await fill(from);
    const to = new SimulatedStore();
    expect((await copyStore(from, to, clock, { overwrite: false })).ok).to.equal(true);
    expect(contents(await snapshot(to))).to.deep.equal(contents(await snapshot(from)));
    expect([await isLocked(from), await isLocked(to)]).to.deep.equal([true, true]);

    const late = new Late(() => put(from, 'IPAMHandle', 'net.late', { block: { '10.0.0.0/26': 1 } }));
    expect(codes(await copyStore(from, late, clock, { overwrite: false }))).to.deep.equal([
      'MIGRATION_DIFFERS',
    ]);
    expect((await copyStore(from, late, clock, { overwrite: true })).ok).to.equal(true);
  });

  it('reads no file that is not whole, not its own, or changed', async () => {
    const from = new SimulatedStore();
    await fill(from);
    const text = await textOf(from);
    const lines = text.trimEnd().split('\n');
    const cases: Readonly<Record<string, string>> = {
      '': 'DUMP_FORMAT',
      'kind: IPPool\n': 'DUMP_FORMAT',
      [text.replace('"version":1', '"version":2')]: 'DUMP_FORMAT',
      [lines.slice(0, -1).join('\n')]: 'DUMP_TRUNCATED',
      [lines[0] ?? '']: 'DUMP_TRUNCATED',
      [lines.toSpliced(2, 1).join('\n')]: 'DUMP_TRUNCATED',
      [text.replace('10.0.0.0/16', '10.0.0.0/17')]: 'DUMP_CHANGED',
      [[...dumpLines([{ key: { kind: 'Pool', scope: '', name: 'x' }, value: {} }])].join('')]: 'DUMP_OBJECT',
      [[...dumpLines([{ key: { kind: 'IPPool', scope: '', name: 'x' }, value: {} }])].join('')]:
        'DUMP_OBJECT',
    };
    for (const [dump, code] of Object.entries(cases))
      expect(codes(await importInto(new SimulatedStore(), dump)), dump).to.deep.equal([code]);
  });

  it('finds every changed octet', async () => {
    const from = new SimulatedStore();
    await fill(from);
    const text = await textOf(from);
    fc.assert(
      fc.property(fc.nat({ max: text.length - 2 }), fc.constantFrom('x', '0', '\n', '"'), (at, letter) => {
        fc.pre(text[at] !== letter);
        expect(parseDump(`${text.slice(0, at)}${letter}${text.slice(at + 1)}`, 'dump').ok).to.equal(false);
      }),
    );
  });

  it('exports nothing rather than leave out what it cannot move', async () => {
    const from = new SimulatedStore();
    await fill(from);
    await put(from, 'IPPool', 'broken', '{"kind":');
    await put(from, 'IPPool', 'other', resource('IPPool', 'another', {}));
    const exported = await exportStore(from);
    expect(exported.ok ? [] : exported.problems.map((problem) => problem.resource)).to.deep.equal([
      'IPPool/broken',
      'IPPool/other',
    ]);
  });
});

/** Goes away after some writes. */
class Failing extends SimulatedStore {
  left: number;

  constructor(left: number) {
    super({ transactional: false });
    this.left = left;
  }

  override async commit(...args: Parameters<Store['commit']>): ReturnType<Store['commit']> {
    if (this.left-- <= 0) throw new Error('gone');
    return super.commit(...args);
  }
}

/** While it is written, an attachment that was under way finishes at the source. */
class Late extends SimulatedStore {
  readonly #meanwhile: () => Promise<void>;

  constructor(meanwhile: () => Promise<void>) {
    super();
    this.#meanwhile = meanwhile;
  }

  override async commit(...args: Parameters<Store['commit']>): ReturnType<Store['commit']> {
    await this.#meanwhile();
    return super.commit(...args);
  }
}

/** Somebody raises every block as soon as it is there. */
class Meddled extends SimulatedStore {
  override async commit(...[operations]: Parameters<Store['commit']>): ReturnType<Store['commit']> {
    const commit = await super.commit(operations);
    const block = operations.find(({ type, key }) => type === 'put' && key.kind === 'IPAMBlock');
    if (block !== undefined) {
      const value = { ...BLOCK, sequenceNumber: BLOCK.sequenceNumber + 1n };
      await super.commit([{ type: 'put', key: block.key, value, expect: 'any' }]);
    }
    return commit;
  }
}
