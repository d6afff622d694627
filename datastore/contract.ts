/**
 * What every Store promises, as one suite. Each engine's test calls it with its own way to open a store; the parts that
 * need other processes are in `test/faults/`.
 */
import { expect } from 'chai';
import { histories, lists, watches } from './contract-history.ts';
import { FULL, key, names, OTHERS_WRITE, put, rejection, type Traits } from './contract-tools.ts';
import type { Key, Operation, Store } from './store.ts';
import { skip } from './skip.ts';

/**
 * @param open  a new and empty store each time; whoever opens it sees to its end
 * @param less  what this engine does not promise. That it commits one key at a time, `Store.transactional` says.
 */
export function storeContract(engine: string, open: () => Promise<Store>, less: Partial<Traits> = {}): void {
  const traits = { ...FULL, ...less };
  describe(`Store contract: ${engine}`, () => {
    let store: Store;
    beforeEach(async () => (store = await open()));

    objects(() => store);
    commits(() => store, traits);
    lists(() => store, traits);
    watches(() => store, traits);
    histories(open, traits);
  });
}

function objects(store: () => Store): void {
  describe('objects', () => {
    it('are absent until put', async () => {
      expect(await store().get(key('a'))).to.equal(undefined);
    });

    it('come back as they were put, with the revision of the commit', async () => {
      const value = {
        text: 'ü"\n\u0000😀',
        list: [1, 2.5, -0.25, null, true],
        nested: { '': {}, __proto: [] },
      };
      const { revision, entries } = await put(store(), 'a', value);
      expect(entries).to.deep.equal([{ key: key('a'), value, revision }]);
      expect(await store().get(key('a'))).to.deep.equal({ key: key('a'), value, revision });
    });

    it('keep integers beyond 2^53 exact', async () => {
      const value = { sequence: 1785578400000000004n, small: 5, negative: -(2n ** 63n) };
      await put(store(), 'a', value);
      expect((await store().get(key('a')))?.value).to.deep.equal(value);
    });

    it('are what they were when put, whatever the caller does to the value later', async () => {
      const value = { n: 1 };
      const pending = store().commit([{ type: 'put', key: key('a'), value, expect: 'any' }]);
      value.n = 2;
      const commit = await pending;
      expect(commit.ok && commit.entries[0]?.value).to.deep.equal({ n: 1 });
      expect((await store().get(key('a')))?.value).to.deep.equal({ n: 1 });
    });

    it('are named without their values, where an engine can do that, as they are listed', async function () {
      if (store().names === undefined) skip(this, 'this engine reads keys with their values');
      const keys = ['10.0.0.0/26', 'fd00::40/122', '10.0.0.64/26'].map(
        (name): Key => ({ kind: 'IPAMBlock', scope: '', name }),
      );
      for (const one of keys) {
        const empty = { allocations: [null], unallocated: [0], attributes: [], sequenceNumber: 1n };
        const value = { cidr: one.name, affinity: null, ...empty };
        await store().commit([{ type: 'put', key: one, value, expect: 'absent' }]);
      }
      await put(store(), 'a', 1);
      const { entries } = await store().list({ kind: 'IPAMBlock' });
      expect(await store().names!({ kind: 'IPAMBlock' })).to.have.deep.members(entries.map(({ key }) => key));
      expect(entries).to.have.length(3);
      for (const one of keys) await store().commit([{ type: 'delete', key: one, expect: 'present' }]);
    });

    it('with names that hold separators are told apart', async () => {
      const keys: Key[] = [
        { kind: 'K', scope: '', name: 'x/y' },
        { kind: 'K', scope: 'x', name: 'y' },
        { kind: 'K', scope: 'host:a', name: '10.0.0.0/26' },
        { kind: 'K', scope: 'host:a', name: 'fd00::40/122' },
        { kind: 'K', scope: '', name: "it's; DROP TABLE object --" },
      ];
      for (const [i, one] of keys.entries())
        await store().commit([{ type: 'put', key: one, value: i, expect: 'absent' }]);
      for (const [i, one] of keys.entries()) expect((await store().get(one))?.value).to.equal(i);
    });
  });
}

function commits(store: () => Store, { ownsRevisions }: Traits): void {
  describe('commits', () => {
    const cases = [
      { it: 'absent, and it is', stored: false, expect: 'absent', ok: true },
      { it: 'absent, and it is there', stored: true, expect: 'absent', ok: false },
      { it: 'present, and it is', stored: true, expect: 'present', ok: true },
      { it: 'present, and it is not', stored: false, expect: 'present', ok: false },
      { it: 'its revision', stored: true, expect: 'own', ok: true },
      { it: 'another revision', stored: true, expect: { revision: '999' }, ok: false },
      { it: 'a revision that is no number', stored: true, expect: { revision: 'x' }, ok: false },
      { it: 'a revision, and it is absent', stored: false, expect: { revision: '1' }, ok: false },
      { it: 'nothing, and it is there', stored: true, expect: 'any', ok: true },
      { it: 'nothing, and it is absent', stored: false, expect: 'any', ok: true },
    ] as const;
    for (const type of ['put', 'delete', 'check'] as const) {
      for (const c of cases) {
        it(`${type} expecting ${c.it}: ${c.ok ? 'happens' : 'changes nothing'}`, async () => {
          const own = c.stored ? (await put(store(), 'a', 1)).entries[0] : undefined;
          const before = await store().revision();
          const expectation = c.expect === 'own' ? { revision: own?.revision ?? '' } : c.expect;
          const operation: Operation =
            type === 'put'
              ? { type, key: key('a'), value: 2, expect: expectation }
              : { type, key: key('a'), expect: expectation };
          const commit = await store().commit([operation]);
          expect(commit.ok).to.equal(c.ok);
          if (!commit.ok) expect(commit).to.deep.equal({ ok: false, failed: operation, current: own });
          const left = { put: 2, delete: undefined, check: own?.value };
          expect((await store().get(key('a')))?.value).to.equal(c.ok ? left[type] : own?.value);
          const wrote = commit.ok && (type === 'put' || (type === 'delete' && c.stored));
          const moved = (await store().revision()) !== before;
          expect(moved).to.equal(ownsRevisions ? wrote : moved || wrote);
        });
      }
    }

    it('of several keys happen as one', async function () {
      if (!store().transactional) skip(this, 'this engine commits one key at a time');
      await put(store(), 'a', 1);
      const commit = await store().commit([
        { type: 'put', key: key('b'), value: 2, expect: 'absent' },
        { type: 'delete', key: key('a'), expect: 'present' },
        { type: 'check', key: key('c'), expect: 'absent' },
        { type: 'put', key: key('d'), value: 3, expect: 'any' },
      ]);
      expect(commit.ok && commit.entries.map(({ key, revision }) => [key.name, revision])).to.deep.equal([
        ['b', commit.ok && commit.revision],
        ['d', commit.ok && commit.revision],
      ]);
      expect(await names(store())).to.deep.equal(['b', 'd']);
    });

    it('of several keys change nothing when one expectation fails, and name the first', async function () {
      if (!store().transactional) skip(this, 'this engine commits one key at a time');
      await put(store(), 'a', 1);
      const operations: Operation[] = [
        { type: 'put', key: key('b'), value: 2, expect: 'absent' },
        { type: 'check', key: key('a'), expect: 'absent' },
        { type: 'delete', key: key('z'), expect: 'present' },
      ];
      const commit = await store().commit(operations);
      expect(commit.ok ? undefined : commit.failed).to.deep.equal(operations[1]);
      expect(await names(store())).to.deep.equal(['a']);
    });

    it('may not name a key twice, or put what JSON has no form for', async () => {
      const twice: Operation[] = [
        { type: 'put', key: key('a'), value: 1, expect: 'any' },
        { type: 'check', key: key('a'), expect: 'any' },
      ];
      expect(await rejection(store().commit(twice))).to.be.an.instanceOf(Error);
      expect(await rejection(put(store(), 'a', undefined))).to.be.an.instanceOf(TypeError);
      expect(await names(store())).to.deep.equal([]);
    });

    it('each move the revision by one, and those that write nothing do not', async function () {
      if (!ownsRevisions) skip(this, OTHERS_WRITE);
      const revisions = [];
      for (const value of [1, 2, 2]) revisions.push(Number((await put(store(), 'a', value)).revision));
      const [first = 0] = revisions;
      expect(revisions).to.deep.equal([first, first + 1, first + 2]);
      await store().commit([{ type: 'check', key: key('a'), expect: 'present' }]);
      await store().commit([]);
      expect(Number(await store().revision())).to.equal(first + 2);
    });

    it('on one revision let exactly one of many through', async () => {
      await put(store(), 'a', -1);
      const before = (await store().get(key('a')))!;
      const answers = await Promise.all(
        Array.from({ length: 50 }, async (_, i) =>
          store().commit([{ type: 'put', key: key('a'), value: i, expect: { revision: before.revision } }]),
        ),
      );
      const winner = answers.findIndex(({ ok }) => ok);
      expect(answers.filter(({ ok }) => ok)).to.have.length(1);
      expect((await store().get(key('a')))?.value).to.equal(winner);
    });
  });
}
