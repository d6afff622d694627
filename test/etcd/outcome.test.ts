/** Commits whose answer, or whose request, is lost on a connection that breaks: what the caller hears is what was. */
import { expect } from 'chai';
import { rejection } from '../../datastore/contract-tools.ts';
import {
  type Commit,
  type Expectation,
  type Operation,
  openStore,
  type Store,
} from '../../datastore/index.ts';
import type { Caught } from './proxy.ts';
import { Proxy } from './proxy.ts';
import { EtcdServer } from './server.ts';

describe('etcd: a commit on a connection that breaks', function () {
  this.timeout(180_000);
  const server = new EtcdServer();
  let proxy: Proxy;
  let store: Store;
  let other: Store;
  let count = 0;
  let start: string;

  before(() => server.start());
  after(() => server.remove());
  beforeEach(async () => {
    proxy = await Proxy.to(server.endpoint);
    const prefix = `/cut-${++count}`;
    other = await openStore(`etcd://${server.endpoint}${prefix}`);
    store = await openStore(`etcd://${proxy.endpoint}${prefix}`);
    start = await other.revision();
  });
  afterEach(async () => {
    await store.close();
    await other.close();
    await proxy.close();
  });

  /** All values that the key has had, `-` for a deletion: whether anything was written twice. */
  async function history(): Promise<unknown[]> {
    const end = (await write(other, put('end', 1, 'any'))).revision;
    const abort = new AbortController();
    const values: unknown[] = [];
    for await (const { revision, events } of other.watch([{ kind: 'K' }], start, abort.signal)) {
      if (revision === end) break;
      values.push(...events.map((event) => (event.type === 'put' ? event.entry.value : '-')));
    }
    abort.abort();
    return values;
  }

  async function revisionOf(name: string): Promise<string> {
    return (await other.get(key(name)))?.revision ?? '';
  }

  /** Delivers, and waits until etcd has taken it in. */
  async function delivered(request: Caught): Promise<void> {
    const before = await other.revision();
    request.deliver();
    while ((await other.revision()) === before) await pause(5);
  }

  /** Commits with a trap for what carries `text`. */
  async function commit(
    operations: readonly Operation[],
    text: string,
    fate: (request: Caught) => Promise<void>,
  ): Promise<Commit> {
    let failure: unknown;
    proxy.trap(text, (request) =>
      fate(request).catch((error: unknown) => {
        failure = error;
      }),
    );
    const result = await store.commit(operations);
    expect(failure).to.equal(undefined);
    expect(proxy.caught).to.equal(1);
    return result;
  }

  for (const expectation of ['own', 'present', 'absent', 'any'] as const) {
    describe(`a put that expects ${expectation}`, () => {
      let wanted: Expectation;
      const old = expectation === 'absent' ? [] : ['old'];
      beforeEach(async () => {
        if (expectation !== 'absent') await write(other, put('a', 'old', 'any'));
        wanted = expectation === 'own' ? { revision: await revisionOf('a') } : expectation;
      });

      it('was applied', async () => {
        const result = await commit([put('a', 'mine', wanted)], 'mine', delivered);
        expect(result).to.deep.include({ ok: true, revision: await revisionOf('a') });
        expect(await history()).to.deep.equal([...old, 'mine']);
      });

      it('was not applied, and is then', async () => {
        const result = await commit([put('a', 'mine', wanted)], 'mine', async () => {});
        expect(result).to.deep.include({ ok: true, revision: await revisionOf('a') });
        expect(await history()).to.deep.equal([...old, 'mine']);
      });

      it('was applied and overwritten since', async () => {
        let revision = '';
        const result = await commit([put('a', 'mine', wanted)], 'mine', async (request) => {
          await delivered(request);
          revision = await revisionOf('a');
          for (const value of ['x', 'y']) await write(other, put('a', value, 'any'));
        });
        expect(result).to.deep.include({ ok: true, revision });
        expect(await history()).to.deep.equal([...old, 'mine', 'x', 'y']);
      });

      it('was applied and deleted since', async () => {
        let revision = '';
        const result = await commit([put('a', 'mine', wanted)], 'mine', async (request) => {
          await delivered(request);
          revision = await revisionOf('a');
          await write(other, { type: 'delete', key: key('a'), expect: 'present' });
        });
        expect(result).to.deep.include({ ok: true, revision });
        expect(await history()).to.deep.equal([...old, 'mine', '-']);
      });

      it('was not applied, and another has written', async () => {
        const result = await commit([put('a', 'mine', wanted)], 'mine', async () => {
          await write(other, put('a', 'theirs', 'any'));
        });
        const isRefused = expectation === 'own' || expectation === 'absent';
        expect(result.ok).to.equal(!isRefused);
        if (!result.ok) expect(result.current?.value).to.equal('theirs');
        expect(await history()).to.deep.equal([...old, 'theirs', ...(isRefused ? [] : ['mine'])]);
      });

      it('was not applied, and another wrote the same without being asked', async () => {
        const result = await commit([put('a', 'mine', wanted)], 'mine', async () => {
          await write(other, put('a', 'theirs', 'any'));
          await write(other, put('a', 'mine', 'any'));
        });
        // Whoever expects no more than presence, or nothing, sees its own wish fulfilled.
        expect(result.ok).to.equal(expectation === 'present' || expectation === 'any');
        expect(await history()).to.deep.equal([...old, 'theirs', 'mine']);
      });
    });
  }

  it('a put that arrives after all, before it is sent again, is not refused by itself', async () => {
    const operation = put('a', 'mine', 'absent');
    let late: Caught | undefined;
    proxy.trap('mine', async (request) => {
      late = request;
      // The second sending waits at the proxy until the first has arrived.
      proxy.trap('mine', async () => {
        await delivered(request);
        return 'pass';
      });
    });
    const result = await store.commit([operation]);
    expect(late).to.not.equal(undefined);
    expect(proxy.caught).to.equal(2);
    expect(result).to.deep.include({ ok: true, revision: await revisionOf('a') });
    expect(await history()).to.deep.equal(['mine']);
  });

  it('a deletion was applied, was not, or was not and another has written and deleted', async () => {
    for (const fate of ['applied', 'lost', 'overtaken'] as const) {
      await write(other, put(fate, 1, 'absent'));
      const operation: Operation = {
        type: 'delete',
        key: key(fate),
        expect: { revision: await revisionOf(fate) },
      };
      proxy.trap(`/${fate}`, async (request) => {
        if (fate === 'applied') await delivered(request);
        if (fate !== 'overtaken') return;
        await write(other, put(fate, 2, 'any'));
        await write(other, { type: 'delete', key: key(fate), expect: 'any' });
      });
      const result = await store.commit([operation]);
      expect(result.ok, fate).to.equal(fate !== 'overtaken');
      expect(await other.get(key(fate))).to.equal(undefined);
    }
    expect(proxy.caught).to.equal(3);
    expect(await history()).to.deep.equal([1, '-', 1, '-', 1, 2, '-']);
  });

  it('several keys at once: found in the history as one', async () => {
    await write(other, put('b', 'old', 'any'), put('c', 'old', 'any'));
    const guard = { type: 'check', key: key('c'), expect: { revision: await revisionOf('c') } } as const;
    let revision = '';
    const operations = [
      guard,
      put('a', 'mine', 'absent'),
      { type: 'delete', key: key('b'), expect: 'present' },
    ] as const;
    const result = await commit(operations, 'mine', async (request) => {
      await delivered(request);
      revision = await revisionOf('a');
      await write(other, put('b', 'new', 'absent'), put('c', 'new', 'any'));
      await write(other, put('a', 'mine', 'any'), put('b', 'newer', 'any'));
    });
    expect(result).to.deep.include({ ok: true, revision });
  });

  it('with a long history since', async () => {
    let revision = '';
    const result = await commit([put('a', 'mine', 'absent')], 'mine', async (request) => {
      await delivered(request);
      revision = await revisionOf('a');
      await write(other, { type: 'delete', key: key('a'), expect: 'any' });
      for (let i = 0; i < 300; i++) await write(other, put('b', i, 'any'));
    });
    expect(result).to.deep.include({ ok: true, revision });
    expect(await other.get(key('a'))).to.equal(undefined);
  });

  it('and whose history has been compacted says that nobody can tell', async () => {
    const error = await rejection(
      commit([put('a', 'mine', 'absent')], 'mine', async (request) => {
        await delivered(request);
        await write(other, { type: 'delete', key: key('a'), expect: 'any' });
        await other.compact((await write(other, put('b', 1, 'any'))).revision);
      }),
    );
    expect(error).to.have.nested.property('problems[0].code', 'OUTCOME_UNKNOWN');
    expect(await other.get(key('a'))).to.equal(undefined);
  });
});

async function write(store: Store, ...operations: readonly Operation[]) {
  const commit = await store.commit(operations);
  if (!commit.ok) throw new Error('a write of the test was refused');
  return commit;
}

function key(name: string) {
  return { kind: 'K', scope: '', name };
}

function put(name: string, value: unknown, expect: Expectation): Operation {
  return { type: 'put', key: key(name), value, expect };
}

async function pause(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}
