import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { SimulatedClock } from '../clock/simulated.ts';
import { Mirror, type MirrorChange, type MirrorOptions } from './mirror.ts';
import { INCOMPLETE } from './ready.ts';
import { SimulatedStore } from './simulated.ts';
import type { Key, Selection, Store } from './store.ts';

function key(kind: string, name: string): Key {
  return { kind, scope: '', name };
}

async function put(store: Store, kind: string, name: string, value: unknown): Promise<void> {
  await store.commit([{ type: 'put', key: key(kind, name), value, expect: 'any' }]);
}

function brief(changes: readonly MirrorChange[]): string[] {
  return changes.map(({ key, value, previous }) => `${key.name} ${show(previous)}>${show(value)}`);
}

function show(value: unknown): string {
  return value === undefined ? '-' : JSON.stringify(value);
}

/** A store that can be put out of reach, and whose watches can be cut. */
class FlakyStore extends SimulatedStore {
  down = false;
  cut = new AbortController();

  override async list(selection: Selection, at?: string) {
    if (this.down) throw new Error('out of reach');
    return super.list(selection, at);
  }

  override async *watch(selections: readonly Selection[], from: string, signal: AbortSignal) {
    if (this.down) throw new Error('out of reach');
    const { cut } = this;
    yield* super.watch(selections, from, AbortSignal.any([signal, cut.signal]));
    if (cut.signal.aborted) throw new Error('connection lost');
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await turn();
}

describe('Mirror', () => {
  let store: FlakyStore;
  let clock: SimulatedClock;
  let mirror: Mirror;
  let told: string[];
  let errors: number[];

  beforeEach(() => {
    store = new FlakyStore();
    clock = new SimulatedClock();
    told = [];
    errors = [];
    mirror = new Mirror(store, [{ kind: 'A' }, { kind: 'B' }], {
      clock,
      random: () => 1,
      onError: (_, retryInMs) => errors.push(retryInMs),
    });
    mirror.onChange((changes) => told.push(brief(changes).join(' ')));
    mirror.onSync(() => told.push('synced'));
  });

  afterEach(async () => mirror.stop());

  async function lock(ready: boolean): Promise<void> {
    await put(store, 'ClusterInformation', 'default', {
      spec: { datastoreReady: ready, clusterGUID: 'x' },
    });
    await settle();
  }
  async function start(
    selections: readonly Selection[] = [{ kind: 'A' }, { kind: 'B' }],
    options: MirrorOptions = {},
  ): Promise<void> {
    await mirror.stop();
    mirror = new Mirror(store, selections, {
      ...options,
      clock,
      random: () => 1,
      onError: (_, retryInMs) => errors.push(retryInMs),
      onHold: (held) => told.push(held ? 'held' : 'released'),
    });
    mirror.onChange((changes) => told.push(brief(changes).join(' ')));
    mirror.onSync(() => told.push('synced'));
    mirror.start();
    await settle();
  }

  it('tells the whole world in one piece, then that it is synced, then what changes', async () => {
    await put(store, 'A', 'a', 1);
    await put(store, 'B', 'b', 1);
    await put(store, 'C', 'c', 1);
    mirror.start();
    await settle();
    expect(told).to.deep.equal(['a ->1 b ->1', 'synced']);
    await put(store, 'A', 'a', 2);
    await put(store, 'C', 'c', 2);
    await store.commit([{ type: 'delete', key: key('B', 'b'), expect: 'any' }]);
    await settle();
    expect(told.slice(2)).to.deep.equal(['a 1>2', 'b 1>-']);
    expect(mirror.get(key('A', 'a'))?.value).to.equal(2);
    expect(mirror.entries().map(({ key }) => key.name)).to.deep.equal(['a']);
    expect(mirror.entries({ kind: 'B' })).to.deep.equal([]);
  });

  it('syncs on an empty world without a change, and calls late listeners at once', async () => {
    mirror.start();
    await settle();
    expect(told).to.deep.equal(['synced']);
    let late = 0;
    mirror.onSync(() => late++);
    expect(late).to.equal(1);
  });

  it('knows nothing before every selection has been listed', async () => {
    await put(store, 'A', 'a', 1);
    const list = store.list.bind(store);
    const held = Promise.withResolvers<void>();
    store.list = async (selection, at) => {
      if (selection.kind === 'B') await held.promise;
      return list(selection, at);
    };
    mirror.start();
    await settle();
    expect([told, mirror.synced, mirror.entries()]).to.deep.equal([[], false, []]);
    held.resolve();
    await settle();
    expect(told).to.deep.equal(['a ->1', 'synced']);
  });

  it('lists all selections as of one revision', async () => {
    await put(store, 'A', 'a', 1);
    await put(store, 'B', 'b', 1);
    const list = store.list.bind(store);
    store.list = async (selection, at) => {
      const answer = await list(selection, at);
      // Both change between the two lists: they must be told together, or not at all yet.
      if (selection.kind === 'A') {
        await store.commit(
          ['A', 'B'].map((kind) => ({
            type: 'put',
            key: key(kind, kind.toLowerCase()),
            value: 2,
            expect: 'any',
          })),
        );
      }
      return answer;
    };
    mirror.start();
    await settle();
    expect(told).to.deep.equal(['a ->1 b ->1', 'synced', 'a 1>2 b 1>2']);
  });

  it('lists again after compaction and tells only what differs', async () => {
    for (const name of ['same', 'changed', 'gone', 'touched']) await put(store, 'A', name, 1);
    mirror.start();
    await settle();
    store.down = true;
    store.cut.abort();
    await settle();
    await put(store, 'A', 'changed', 2);
    await put(store, 'A', 'touched', 1);
    await put(store, 'A', 'new', 1);
    await store.commit([{ type: 'delete', key: key('A', 'gone'), expect: 'any' }]);
    await store.compact(await store.revision());
    store.down = false;
    store.cut = new AbortController();
    clock.advance(60_000);
    await settle();
    expect(told.slice(2)).to.deep.equal(['changed 1>2 new ->1 gone 1>-']);
    expect(mirror.revision).to.equal(await store.revision());
    await put(store, 'A', 'new', 2);
    await settle();
    expect(told.at(-1)).to.equal('new 1>2');
  });

  it('keeps what it knew while the store is away, tries ever more slowly, and goes on where it was', async () => {
    await put(store, 'A', 'a', 1);
    mirror.start();
    await settle();
    store.down = true;
    store.cut.abort();
    for (let i = 0; i < 9; i++) {
      await settle();
      clock.advance(5000);
    }
    await settle();
    expect(errors.slice(0, 8)).to.deep.equal([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    expect(mirror.get(key('A', 'a'))?.value).to.equal(1);
    await put(store, 'A', 'a', 2);
    store.down = false;
    store.cut = new AbortController();
    clock.advance(5000);
    await settle();
    expect(told).to.deep.equal(['a ->1', 'synced', 'a 1>2']);
  });

  it('is not synced by a store that is out of reach from the start, until it can be reached', async () => {
    store.down = true;
    mirror.start();
    await settle();
    expect([told, errors]).to.deep.equal([[], [100]]);
    store.down = false;
    clock.advance(100);
    await settle();
    expect(told).to.deep.equal(['synced']);
  });

  it('tells nobody anything after it has been stopped, also while it waits to try again', async () => {
    mirror.start();
    await settle();
    await mirror.stop();
    await put(store, 'A', 'a', 1);
    await settle();
    expect(told).to.deep.equal(['synced']);
    store.down = true;
    const waiting = new Mirror(store, [{ kind: 'A' }], { clock });
    waiting.start();
    await settle();
    await waiting.stop();
    expect(clock.pending()).to.deep.equal([]);
  });

  // A tenth of a second for 1,000 keys: 5,000 are half of one, and 1,000 nodes count four times what 250 do.
  for (const [title, kind, count, watched] of [
    ['scatters with others over a time that grows with the world, before a list that all make', 'A', 5000],
    ['scatters over the longer, the more nodes there are to do so', 'Node', 1000, [{ kind: 'Node' }]],
  ] as const)
    it(title, async () => {
      const operations = Array.from({ length: count }, (_, i) => ({
        type: 'put' as const,
        key: key(kind, `n${i}`),
        value: 1,
        expect: 'any' as const,
      }));
      await store.commit(operations);
      await start(watched);
      await lock(false);
      await put(store, kind, 'n0', 2);
      await lock(true);
      clock.advance(499);
      await settle();
      expect(told.slice(1)).to.deep.equal(['synced', 'held', 'released']);
      clock.advance(1);
      await settle();
      await settle();
      expect(told.slice(4)).to.deep.equal(['n0 1>2']);
    });

  it('takes in a large list without keeping the thread', async () => {
    const value = { spec: { nets: ['10.0.0.0/8'] } };
    const entries = Array.from({ length: 100_000 }, (_, i) => ({
      key: key('A', `n${i}`),
      value,
      revision: String(i),
    }));
    store.list = async () => ({ entries, revision: '1' });
    mirror = new Mirror(store, [{ kind: 'A' }], { clock });
    let turns = 0;
    mirror.start();
    while (!mirror.synced) {
      await turn();
      turns++;
    }
    expect(turns).to.be.greaterThan(40);
    expect(mirror.entries()).to.have.length(100_000);
  });

  describe('that waits while a migration holds the datastore', () => {
    it('keeps what it knew, and catches up at once after the unlock', async () => {
      await put(store, 'A', 'a', 1);
      await put(store, 'A', 'b', 1);
      await start();
      await lock(false);
      await put(store, 'A', 'a', 2);
      await put(store, 'A', 'a', 3);
      await store.commit([{ type: 'delete', key: key('A', 'b'), expect: 'any' }]);
      await put(store, 'B', 'new', 1);
      await settle();
      expect(told).to.deep.equal(['a ->1 b ->1', 'synced', 'held']);
      expect(mirror.get(key('A', 'a'))?.value).to.equal(1);
      expect(mirror.held).to.equal(true);
      await lock(true);
      expect(told.slice(3)).to.deep.equal(['released', 'a 1>3 new ->1 b 1>-']);
      expect(mirror.held).to.equal(false);
      await put(store, 'A', 'a', 4);
      await settle();
      expect(told.slice(5)).to.deep.equal(['a 3>4']);
    });

    it('knows nothing when it starts under the lock, until the unlock', async () => {
      await lock(false);
      await put(store, 'A', 'a', 1);
      await start();
      expect(told).to.deep.equal(['held']);
      expect(mirror.synced).to.equal(false);
      await store.commit([{ type: 'delete', key: key('ClusterInformation', 'default'), expect: 'any' }]);
      await settle();
      expect(told.slice(1)).to.deep.equal(['released', 'a ->1', 'synced']);
    });

    it('takes in a whole datastore once where it starts under the lock and is asked to, and then nothing', async () => {
      await lock(false);
      await put(store, 'A', 'a', 1);
      await start(undefined, { startsHeld: true });
      expect(told).to.deep.equal(['held', 'a ->1', 'synced']);
      expect([mirror.synced, mirror.held]).to.deep.equal([true, true]);
      await put(store, 'A', 'a', 2);
      await settle();
      expect(told.length).to.equal(3);
      await lock(true);
      expect(told.slice(3)).to.deep.equal(['released', 'a 1>2']);
    });

    it('waits for the rest where an import has not written all, and then takes it in under the lock', async () => {
      const importing = (metadata: object): Promise<void> =>
        put(store, 'ClusterInformation', 'default', { metadata, spec: { datastoreReady: false } });
      await importing({ annotations: { [INCOMPLETE]: 'import' } });
      await put(store, 'A', 'a', 1);
      await start(undefined, { startsHeld: true });
      await put(store, 'A', 'b', 1);
      await settle();
      expect(told).to.deep.equal(['held']);
      await importing({});
      await settle();
      expect(told.slice(1)).to.deep.equal(['a ->1 b ->1', 'synced']);
      expect(mirror.held).to.equal(true);
    });

    it('takes nothing of a commit that locks, and all of one that unlocks', async () => {
      await put(store, 'A', 'a', 1);
      await start();
      const together = (ready: boolean, value: number) =>
        store.commit([
          { type: 'put', key: key('A', 'a'), value, expect: 'any' },
          {
            type: 'put',
            key: key('ClusterInformation', 'default'),
            value: { spec: { datastoreReady: ready } },
            expect: 'any',
          },
        ]);
      await together(false, 2);
      await settle();
      expect(mirror.get(key('A', 'a'))?.value).to.equal(1);
      await together(true, 3);
      await settle();
      expect(told.slice(2)).to.deep.equal(['held', 'released', 'a 1>3']);
    });

    it('stays held through compaction and loss of the store, and tells who selects it of the lock itself', async () => {
      await put(store, 'A', 'a', 1);
      await start([{ kind: 'A' }, { kind: 'ClusterInformation' }]);
      await lock(false);
      await put(store, 'A', 'a', 2);
      await store.compact(await store.revision());
      store.cut.abort();
      await settle();
      store.cut = new AbortController();
      clock.advance(100);
      await settle();
      expect(told).to.deep.equal(['a ->1', 'synced', 'held']);
      await lock(true);
      expect(told.slice(3)).to.deep.equal([
        'released',
        'a 1>2 default ->{"spec":{"datastoreReady":true,"clusterGUID":"x"}}',
      ]);
    });

    it('any history: what it knows after the last unlock is what the store holds', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.constantFrom('lock', 'unlock', 'put', 'delete', 'cut', 'compact'), { maxLength: 25 }),
          async (script) => {
            store = new FlakyStore();
            await start();
            let serial = 0;
            for (const step of [...script, 'unlock'] as const) {
              const name = `n${serial % 3}`;
              if (step === 'lock' || step === 'unlock') await lock(step === 'unlock');
              else if (step === 'put') await put(store, 'A', name, ++serial);
              else if (step === 'delete')
                await store.commit([{ type: 'delete', key: key('A', name), expect: 'any' }]);
              else if (step === 'compact') await store.compact(await store.revision());
              else {
                store.cut.abort();
                store.cut = new AbortController();
              }
              await settle();
              clock.advance(10_000);
              await settle();
            }
            expect(mirror.held).to.equal(false);
            const listed = await store.list({ kind: 'A' });
            expect(mirror.entries().toSorted((a, b) => (a.key.name < b.key.name ? -1 : 1))).to.deep.equal(
              listed.entries,
            );
          },
        ),
        { numRuns: 100 },
      );
    });
  });
});
