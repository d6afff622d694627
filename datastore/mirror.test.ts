import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { SimulatedClock } from '../clock/simulated.ts';
import { Mirror, type MirrorChange } from './mirror.ts';
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
      onError: (_, retryInMs) => errors.push(retryInMs),
    });
    mirror.onChange((changes) => told.push(brief(changes).join(' ')));
    mirror.onSync(() => told.push('synced'));
  });

  afterEach(async () => mirror.stop());

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
});
