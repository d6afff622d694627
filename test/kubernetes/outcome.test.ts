/** Writes whose answer, or whose request, is lost: what the caller hears is what was, and nothing happens twice. */
import { expect } from 'chai';
import {
  type Commit,
  type Expectation,
  type Key,
  type Operation,
  openStore,
  type Store,
} from '../../datastore/index.ts';
import { type Asked, type Fate, Relay } from './relay.ts';
import { withKubeServer } from './suite.ts';

const WRITES = /^(?:POST|PUT|DELETE)$/;

describe('kubernetes: a write on a connection that breaks', function () {
  this.timeout(180_000);
  const server = withKubeServer();
  let relay: Relay;
  let store: Store;
  let other: Store;
  let count = 0;
  let name: string;
  let start: string;

  beforeEach(async () => {
    relay = await Relay.before(server());
    other = await openStore(server().location());
    store = await openStore(relay.location);
    name = `cut-${++count}`;
    // The API server remembers the history of a resource from when it is first asked for it.
    for (const kind of ['K', 'IPAMHandle']) await other.list({ kind });
    start = await other.revision();
  });
  afterEach(async () => {
    await store.close();
    await other.close();
    await relay.close();
  });

  async function write(operation: Operation): Promise<void> {
    const commit = await other.commit([operation]);
    expect(commit.ok).to.equal(true);
  }
  async function losing(operation: Operation, fate: Fate, meanwhile?: () => Promise<void>): Promise<Commit> {
    relay.trap(({ method }: Asked) => WRITES.test(method), fate, meanwhile);
    const commit = await store.commit([operation]);
    expect(relay).to.include({ caught: 1, undelivered: 0 });
    return commit;
  }

  // Of our own objects each write has its mark; of Calico's, content tells.
  const kinds = [
    { kind: 'K', valueOf: (n: number): unknown => n },
    {
      kind: 'IPAMHandle',
      valueOf: (n: number): unknown => ({ block: { '10.0.0.0/26': n }, deleted: false }),
    },
  ];
  for (const { kind, valueOf } of kinds) {
    describe(`of ${kind}`, () => {
      let key: Key;
      beforeEach(() => {
        key = { kind, scope: '', name };
      });
      const put = (n: number, expect: Expectation): Operation => ({
        type: 'put',
        key,
        value: valueOf(n),
        expect,
      });
      const remove = (expect: Expectation): Operation => ({ type: 'delete', key, expect });

      async function now(): Promise<unknown> {
        return (await other.get(key))?.value;
      }
      async function revision(): Promise<string> {
        return (await other.get(key))?.revision ?? '';
      }
      /** All values that the key has had, `-` for a deletion. */
      async function history(): Promise<unknown[]> {
        const abort = new AbortController();
        const values: unknown[] = [];
        await write(put(99, 'any'));
        for await (const { events } of other.watch([{ kind }], start, abort.signal)) {
          for (const event of events) {
            const told = event.type === 'put' ? event.entry : event.previous;
            if (told.key.name !== name) continue;
            values.push(event.type === 'put' ? event.entry.value : '-');
          }
          if (JSON.stringify(values.at(-1)) === JSON.stringify(valueOf(99))) break;
        }
        abort.abort();
        return values.slice(0, -1);
      }

      for (const fate of ['lose-answer', 'lose-request'] as const) {
        describe(fate.replace('-', ' of the '), () => {
          it('creates once', async () => {
            const commit = await losing(put(1, 'absent'), fate);
            expect(commit.ok && commit.entries[0]?.revision).to.equal(await revision());
            expect(await history()).to.deep.equal([valueOf(1)]);
          });

          it('replaces once', async () => {
            await write(put(1, 'absent'));
            const commit = await losing(put(2, { revision: await revision() }), fate);
            expect(commit.ok && commit.revision).to.equal(await revision());
            expect(await history()).to.deep.equal([valueOf(1), valueOf(2)]);
          });

          it('writes once without any expectation', async () => {
            await write(put(1, 'absent'));
            expect((await losing(put(2, 'any'), fate)).ok).to.equal(true);
            expect(await history()).to.deep.equal([valueOf(1), valueOf(2)]);
          });

          it('deletes once', async () => {
            await write(put(1, 'absent'));
            expect((await losing(remove({ revision: await revision() }), fate)).ok).to.equal(true);
            expect(await now()).to.equal(undefined);
            expect(await history()).to.deep.equal([valueOf(1), '-']);
          });
        });
      }

      it('that arrived, and was replaced by others since, is told to have happened', async () => {
        await write(put(1, 'absent'));
        const commit = await losing(put(2, { revision: await revision() }), 'lose-answer', () =>
          write(put(3, 'any')),
        );
        expect(commit.ok && commit.entries[0]?.value).to.deep.equal(valueOf(2));
        expect(await history()).to.deep.equal([valueOf(1), valueOf(2), valueOf(3)]);
      });

      it('that arrived, and was deleted by others since, is not made again', async () => {
        const commit = await losing(put(1, 'absent'), 'lose-answer', () => write(remove('present')));
        expect(commit.ok).to.equal(true);
        expect(await now()).to.equal(undefined);
        expect(await history()).to.deep.equal([valueOf(1), '-']);
      });

      it('that never arrived, while others were faster, is refused', async () => {
        await write(put(1, 'absent'));
        const expected = { revision: await revision() };
        const commit = await losing(put(2, expected), 'lose-request', () => write(put(3, 'any')));
        expect(commit.ok ? undefined : commit.current?.value).to.deep.equal(valueOf(3));
        expect(await history()).to.deep.equal([valueOf(1), valueOf(3)]);
      });

      it('of a deletion that never arrived, while others made it anew, is refused', async () => {
        await write(put(1, 'absent'));
        const expected = { revision: await revision() };
        const commit = await losing(remove(expected), 'lose-request', () => write(put(2, 'any')));
        expect(commit.ok).to.equal(false);
        expect(await now()).to.deep.equal(valueOf(2));
      });

      it('that arrived although the server said it failed is told to have happened', async () => {
        const failing = { status: 500, body: { kind: 'Status', message: 'etcdserver: request timed out' } };
        await write(put(1, 'absent'));
        const expected = { revision: await revision() };
        relay.trap(({ method }: Asked) => method === 'PUT', failing);
        expect((await store.commit([put(2, expected)])).ok).to.equal(true);
        expect(await history()).to.deep.equal([valueOf(1), valueOf(2)]);
      });
    });
  }

  it('waits as long as a server asks that has too much to do', async () => {
    const busy = {
      status: 429,
      headers: { 'retry-after': '1' },
      body: { kind: 'Status', message: 'too many' },
    };
    relay.trap(({ method }) => method === 'POST', busy);
    const started = performance.now();
    const key = { kind: 'K', scope: '', name };
    const commit = await store.commit([{ type: 'put', key, value: 1, expect: 'absent' }]);
    relay.trap(({ method }) => method === 'GET', busy);
    expect((await store.get(key))?.value).to.equal(1);
    expect(commit.ok).to.equal(true);
    expect(performance.now() - started).to.be.greaterThan(1900);
    expect(relay.asked.filter(({ method }) => method === 'POST')).to.have.length(2);
  });
});
