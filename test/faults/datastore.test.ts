/** The embedded datastore under several processes, some of which are killed in mid-commit. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { follow } from '../../datastore/contract-tools.ts';
import { CompactedError, type Key, Mirror, type Store } from '../../datastore/index.ts';
import { temporaryFolder, temporaryStore } from '../../datastore/testing.ts';

const WRITER = join(import.meta.dirname, 'store-writer.ts');

interface Writer {
  readonly process: ChildProcess;
  readonly lines: string[];
  readonly exited: Promise<unknown>;
}

function startWriter(...args: readonly string[]): Writer {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', WRITER, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  started.push(child);
  const lines: string[] = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  return { process: child, lines, exited: once(child, 'close') };
}

const started: ChildProcess[] = [];

function key(name: string): Key {
  return { kind: 'Drill', scope: '', name };
}

async function numberOf(store: Store, name: string): Promise<number | undefined> {
  return ((await store.get(key(name)))?.value as { readonly n: number } | undefined)?.n;
}

describe('faults: the embedded datastore', function () {
  this.timeout(120_000);

  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
  });

  it('loses no increment of many processes, and tells each to every watch exactly once', async () => {
    const path = join(temporaryFolder(), 'datastore.db');
    const store = await temporaryStore(path, { keepRevisions: 100_000 });
    const other = await temporaryStore(path);
    const watches = [store, other].map((one) => follow(one, '0', [{ kind: 'Drill' }]));
    const writers = Array.from({ length: 4 }, (_, i) => startWriter('counter', path, `w${i}`, '100'));
    await Promise.all(writers.map(async ({ exited }) => exited));
    expect(writers.map(({ process }) => process.exitCode)).to.deep.equal([0, 0, 0, 0]);
    expect([await numberOf(store, 'left'), await numberOf(store, 'right')]).to.deep.equal([400, 400]);
    for (const watch of watches) {
      await watch.untilRevision(await store.revision());
      await watch.stop();
      const told = watch.batches.map(({ events }) =>
        events.map((event) => event.type === 'put' && (event.entry.value as { n: number }).n),
      );
      expect(told).to.deep.equal(Array.from({ length: 400 }, (_, i) => [i + 1, i + 1]));
      expect(watch.batches.map(({ revision }) => Number(revision))).to.deep.equal(
        Array.from({ length: 400 }, (_, i) => i + 1),
      );
    }
  });

  it('keeps every commit that it confirmed, and no half of any, through kill -9 of a writer', async () => {
    const path = join(temporaryFolder(), 'datastore.db');
    let confirmed = 0;
    for (let round = 0; round < 12; round++) {
      const writer = startWriter('pairs', path, 'w');
      while (writer.lines.length < 2 + (round % 5)) await sleep(2);
      await sleep((round * 7) % 11);
      writer.process.kill('SIGKILL');
      await writer.exited;
      confirmed = Math.max(confirmed, ...writer.lines.slice(1).map(Number));
      // Opened anew after each death: what a reader finds first is the log that the dead one left.
      const store = await temporaryStore(path);
      const [a = 0, b] = [await numberOf(store, 'w-a'), await numberOf(store, 'w-b')];
      expect(a).to.equal(b);
      expect(a).to.be.within(confirmed, confirmed + 1);
      expect(Number(await store.revision())).to.equal(a);
      await store.close();
    }
    expect(confirmed).to.be.greaterThan(12);
  });

  it('keeps watches and mirrors equal to the store while writers die and history is compacted', async () => {
    const path = join(temporaryFolder(), 'datastore.db');
    const store = await temporaryStore(path);
    const mirror = new Mirror(await temporaryStore(path), [{ kind: 'Drill' }]);
    const world = new Map<string, unknown>();
    mirror.onChange((changes) => {
      for (const { key, value, previous } of changes) {
        expect(previous).to.deep.equal(world.get(key.name));
        if (value === undefined) world.delete(key.name);
        else world.set(key.name, value);
      }
    });
    mirror.start();
    const stop = new AbortController();
    let last = 0;
    let compactions = 0;
    const watching = watchPairs(store, stop.signal, (revision) => {
      expect(revision).to.be.greaterThan(last);
      last = revision;
    });
    for (let round = 0; round < 6; round++) {
      const writers = ['x', 'y'].map((name) => startWriter('pairs', path, name));
      for (const { lines } of writers) while (lines.length < 10) await sleep(2);
      await store.compact(await store.revision());
      compactions++;
      await sleep(5);
      for (const { process } of writers) process.kill('SIGKILL');
      await Promise.all(writers.map(async ({ exited }) => exited));
    }
    const { entries, revision } = await store.list({ kind: 'Drill' });
    while (mirror.revision !== revision || last !== Number(revision)) await sleep(5);
    stop.abort();
    await watching;
    await mirror.stop();
    expect(compactions).to.equal(6);
    expect(new Map(entries.map(({ key, value }) => [key.name, value]))).to.deep.equal(world);
  });

  it('waits for a lock held by another process without holding up the event loop', async () => {
    const path = join(temporaryFolder(), 'datastore.db');
    const store = await temporaryStore(path);
    const { DatabaseSync } = await import('node:sqlite');
    const holder = new DatabaseSync(path);
    holder.exec('BEGIN IMMEDIATE');
    const commit = store.commit([{ type: 'put', key: key('a'), value: 1, expect: 'any' }]);
    let isOver = false;
    const over = commit.finally(() => void (isOver = true));
    const turns: number[] = [];
    for (let i = 0; i < 100; i++) {
      const before = performance.now();
      await sleep(1);
      turns.push(performance.now() - before);
    }
    expect(isOver).to.equal(false);
    holder.exec('ROLLBACK');
    expect((await over).ok).to.equal(true);
    holder.close();
    // A keepalive every few seconds must never notice. Of most turns, as a busy test machine may hold up any one of them.
    expect(medianOf(turns)).to.be.lessThan(500);
  });

  it('wakes watches of another process soon, and costs next to nothing while idle', async () => {
    const path = join(temporaryFolder(), 'datastore.db');
    const store = await temporaryStore(path);
    const watch = follow(await temporaryStore(path), '0', [{ kind: 'Drill' }]);
    const delays: number[] = [];
    for (let i = 0; i < 20; i++) {
      await sleep(10);
      const before = performance.now();
      await store.commit([{ type: 'put', key: key('a'), value: i, expect: 'any' }]);
      await watch.until(i + 1);
      delays.push(performance.now() - before);
    }
    // On an idle machine within 50 ms; a busy one takes its time for the commit itself.
    expect(medianOf(delays)).to.be.lessThan(1000);
    const before = process.cpuUsage();
    await sleep(1500);
    const { user, system } = process.cpuUsage(before);
    // Milliseconds of CPU: a loop without a rest would take 1500.
    expect((user + system) / 1000).to.be.lessThan(500);
    await watch.stop();
  });
});

function medianOf(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.POSITIVE_INFINITY;
}

/** Follows to the end, listing again after compaction as a mirror does. */
async function watchPairs(
  store: Store,
  signal: AbortSignal,
  seen: (revision: number) => void,
): Promise<void> {
  let from = '0';
  while (!signal.aborted) {
    try {
      for await (const { revision, events } of store.watch([{ kind: 'Drill' }], from, signal)) {
        expect(events).to.have.length(2);
        seen(Number(revision));
        from = revision;
      }
    } catch (error) {
      if (!(error instanceof CompactedError)) throw error;
      // Up to here there is nothing to see any more: it may be the last revision of all.
      from = error.oldest;
      seen(Number(from));
    }
  }
}
