/** The part of the store contract that is about time: lists at old revisions, compaction, watches. */
import { expect } from 'chai';
import fc from 'fast-check';
import { brief, follow, key, names, NO_COMPACTION, put, rejection, type Traits } from './contract-tools.ts';
import { CompactedError, type Entry, type Operation, type Selection, type Store } from './store.ts';
import { skip } from './skip.ts';

export function lists(store: () => Store, { compacts }: Traits): void {
  describe('lists', () => {
    it('are ordered by scope and name, by code point', async () => {
      const keys = [
        ['', 'a-b'],
        ['', 'a.b'],
        ['', 'ab'],
        ['A', 'z'],
        ['a', 'a'],
        ['a', '\uff5e'],
        ['a', '😀'],
      ] as const;
      for (const [scope, name] of [...keys].reverse()) {
        await store().commit([{ type: 'put', key: { kind: 'K', scope, name }, value: 1, expect: 'any' }]);
      }
      const { entries } = await store().list({ kind: 'K' });
      expect(entries.map(({ key }) => [key.scope, key.name])).to.deep.equal(keys);
    });

    it('hold one kind, or one scope of it', async () => {
      for (const [kind, scope] of [
        ['K', ''],
        ['K', 'n'],
        ['K', 'nn'],
        ['KK', 'n'],
      ] as const) {
        await store().commit([{ type: 'put', key: { kind, scope, name: 'x' }, value: 1, expect: 'any' }]);
      }
      expect(await scopes(store(), { kind: 'K' })).to.deep.equal(['K/', 'K/n', 'K/nn']);
      expect(await scopes(store(), { kind: 'K', scope: 'n' })).to.deep.equal(['K/n']);
      expect(await scopes(store(), { kind: 'K', scope: '' })).to.deep.equal(['K/']);
      expect(await scopes(store(), { kind: 'none' })).to.deep.equal([]);
    });

    it('at an old revision show what was then', async () => {
      const first = await put(store(), 'a', 1);
      await put(store(), 'b', 1);
      const second = await put(store(), 'a', 2);
      await store().commit([{ type: 'delete', key: key('a'), expect: 'any' }]);
      await put(store(), 'a', 3);
      const at = async (revision: string) =>
        (await store().list({ kind: 'K' }, revision)).entries.map(({ key, value }) => [key.name, value]);
      expect(await at(first.revision)).to.deep.equal([['a', 1]]);
      expect(await at(second.revision)).to.deep.equal([
        ['a', 2],
        ['b', 1],
      ]);
      expect(await at(await store().revision())).to.deep.equal([
        ['a', 3],
        ['b', 1],
      ]);
    });

    it('at a revision that has been compacted say so; at the oldest kept one they stand', async function () {
      if (!compacts) skip(this, NO_COMPACTION);
      const first = await put(store(), 'a', 1);
      const second = await put(store(), 'a', 2);
      await put(store(), 'a', 3);
      await store().compact(second.revision);
      const error = await rejection(store().list({ kind: 'K' }, first.revision));
      expect(error).to.be.an.instanceOf(CompactedError);
      expect(error).to.include({ asked: first.revision, oldest: second.revision });
      const { entries } = await store().list({ kind: 'K' }, second.revision);
      expect(entries.map(({ value }) => value)).to.deep.equal([2]);
      expect((await store().get(key('a')))?.value).to.equal(3);
    });

    it('survive compaction of everything, and of what is compacted already', async function () {
      if (!compacts) skip(this, NO_COMPACTION);
      await put(store(), 'a', 1);
      await put(store(), 'b', 1);
      const now = await store().revision();
      await store().compact(now);
      await store().compact('1');
      expect(await names(store())).to.deep.equal(['a', 'b']);
      expect(await store().revision()).to.equal(now);
      expect(await rejection(store().compact(String(Number(now) + 1)))).to.be.an.instanceOf(RangeError);
    });
  });
}

export function watches(store: () => Store, { compacts }: Traits): void {
  describe('watches', () => {
    it('tell what came after a revision and go on with what comes', async () => {
      const first = await put(store(), 'a', 1);
      await put(store(), 'a', 2);
      const watch = follow(store(), first.revision);
      await watch.until(1);
      await store().commit([{ type: 'delete', key: key('a'), expect: 'any' }]);
      await put(store(), 'a', 3);
      await watch.until(3);
      await watch.stop();
      expect(watch.batches.flatMap(({ events }) => events).map(brief)).to.deep.equal([
        'a 1>2',
        'a 2>-',
        'a ->3',
      ]);
    });

    it('keep what one commit changed together', async function () {
      if (!store().transactional) skip(this, 'this engine commits one key at a time');
      const watch = follow(store(), await store().revision());
      const operations = ['a', 'b', 'c'].map(
        (name): Operation => ({ type: 'put', key: key(name), value: 1, expect: 'any' }),
      );
      const commit = await store().commit(operations);
      await watch.until(1);
      await watch.stop();
      expect(watch.batches.map(({ revision, events }) => [revision, events.map(brief)])).to.deep.equal([
        [commit.ok && commit.revision, ['a ->1', 'b ->1', 'c ->1']],
      ]);
    });

    it('tell selected kinds and scopes only', async () => {
      const watch = follow(store(), await store().revision(), [{ kind: 'K', scope: 'n' }, { kind: 'L' }]);
      for (const [kind, scope] of [
        ['K', ''],
        ['K', 'n'],
        ['M', 'n'],
        ['L', 'x'],
      ] as const) {
        await store().commit([{ type: 'put', key: { kind, scope, name: 'x' }, value: 1, expect: 'any' }]);
      }
      await watch.until(2);
      await watch.stop();
      const seen = watch.batches.flatMap(({ events }) =>
        events.map((e) => e.type === 'put' && e.entry.key.kind),
      );
      expect(seen).to.deep.equal(['K', 'L']);
    });

    it('end without error when told to, and when the store closes', async () => {
      const watch = follow(store(), await store().revision());
      await watch.stop();
      const other = follow(store(), await store().revision());
      await put(store(), 'a', 1);
      await other.until(1);
      await store().close();
      await other.ended;
    });

    it('end with CompactedError when what they need is gone', async function () {
      if (!compacts) skip(this, NO_COMPACTION);
      const first = await put(store(), 'a', 1);
      await put(store(), 'a', 2);
      await store().compact((await put(store(), 'a', 3)).revision);
      const error = await rejection(follow(store(), first.revision).ended);
      expect(error).to.be.an.instanceOf(CompactedError);
    });

    it('that are up to date do not mind compaction', async function () {
      if (!compacts) skip(this, NO_COMPACTION);
      const watch = follow(store(), await store().revision());
      // Commits that the watch does not select move it on all the same.
      for (let i = 0; i < 5; i++) {
        await store().commit([
          { type: 'put', key: { kind: 'other', scope: '', name: 'x' }, value: i, expect: 'any' },
        ]);
      }
      await put(store(), 'a', 1);
      await watch.until(1);
      await store().compact(await store().revision());
      await put(store(), 'b', 2);
      await watch.until(2);
      await watch.stop();
    });

    it('from a revision of another history ask for a new list', async () => {
      const error = await rejection(follow(store(), '1000000').ended);
      expect(error).to.be.an.instanceOf(CompactedError);
    });
  });
}

/** Any sequence of operations: the store acts as a map with a log does, and each watch replays to each list. */
export function histories(open: () => Promise<Store>, traits: Traits): void {
  const name = fc.constantFrom('a', 'b', 'c');
  const expectation = fc.constantFrom<Operation['expect'] | 'own'>('any', 'present', 'absent', 'own', {
    revision: '0',
  });
  const step = fc.record({
    name,
    type: fc.constantFrom<Operation['type']>('put', 'put', 'delete', 'check'),
    expect: expectation,
  });

  it('any history: a watch from any revision replays to the newest list', async function () {
    this.timeout(60_000);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { maxLength: 20 }),
        async (script) => {
          const store = await open();
          const start = await store.revision();
          const states: { readonly revision: string; readonly entries: readonly Entry[] }[] = [
            { revision: start, entries: [] },
          ];
          let serial = 0;
          for (const steps of script) {
            const before = await store.list({ kind: 'K' });
            const known = new Map(before.entries.map((entry) => [entry.key.name, entry]));
            const unique = steps.filter((s, i) => steps.findIndex(({ name }) => name === s.name) === i);
            const operations = (store.transactional ? unique : unique.slice(0, 1)).map(
              ({ name, type, expect }): Operation => {
                const wanted = expect === 'own' ? { revision: known.get(name)?.revision ?? '0' } : expect;
                return type === 'put'
                  ? { type, key: key(name), value: ++serial, expect: wanted }
                  : { type, key: key(name), expect: wanted };
              },
            );
            const commit = await store.commit(operations);
            const after = await store.list({ kind: 'K' });
            if (!commit.ok) expect(after.entries).to.deep.equal(before.entries);
            if (traits.ownsRevisions)
              expect(after.revision).to.equal(commit.ok ? commit.revision : before.revision);
            const wrote = operations.some(
              ({ type, key }) => type === 'put' || (type === 'delete' && known.has(key.name)),
            );
            if (commit.ok && wrote) states.push({ entries: after.entries, revision: commit.revision });
          }
          const last = states.at(-1)!;
          for (const state of states) {
            expect(await store.list({ kind: 'K' }, state.revision)).to.deep.equal(state);
            const replayed = new Map(state.entries.map((entry) => [entry.key.name, entry]));
            const watch = follow(store, state.revision);
            await watch.untilRevision(last.revision === state.revision ? undefined : last.revision);
            await watch.stop();
            for (const event of watch.batches.flatMap(({ events }) => events)) {
              const { name } = event.type === 'put' ? event.entry.key : event.previous.key;
              expect(event.previous).to.deep.equal(replayed.get(name));
              if (event.type === 'put') replayed.set(name, event.entry);
              else replayed.delete(name);
            }
            expect(
              [...replayed.values()].toSorted((a, b) => (a.key.name < b.key.name ? -1 : 1)),
            ).to.deep.equal(last.entries);
          }
          await store.close();
        },
      ),
      { numRuns: traits.histories },
    );
  });
}

async function scopes(store: Store, selection: Selection): Promise<string[]> {
  return (await store.list(selection)).entries.map(({ key }) => `${key.kind}/${key.scope}`);
}
