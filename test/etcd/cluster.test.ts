/**
 * The etcd engine on three members that fail under load: every answer to a compare-and-swap is one that a single
 * register could have given, every mirror equals the store, and no event is lost or told twice.
 */
import { expect } from 'chai';
import { Mirror, openStore, type Store } from '../../datastore/index.ts';
import { skip } from '../../datastore/skip.ts';
import { EtcdCluster, type Member } from './cluster.ts';
import { isLinearizable, type Operation, type State } from './linear.ts';

const KEY = { kind: 'K', scope: '', name: 'register' };
const SELECTION = { kind: 'K' };

describe('etcd: a cluster of three', function () {
  this.timeout(60_000);
  const cluster = new EtcdCluster();
  let count = 0;

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'network namespaces need root');
    await cluster.start();
  });
  after(() => cluster.remove());

  it('whose leader is killed', async () => {
    const leader = await cluster.leader();
    await underLoad(async () => {
      await leader.kill();
      await cluster.leader(leader);
      await pause(300);
      leader.start(cluster.members);
      await cluster.healthy();
    });
  });

  it('whose leader stops for a while', async () => {
    const leader = await cluster.leader();
    await underLoad(async () => {
      leader.signal('SIGSTOP');
      await cluster.leader(leader);
      await pause(6000);
      leader.signal('SIGCONT');
      await cluster.healthy();
    });
  });

  it('with a member cut off from the others, which clients still reach', async () => {
    const cutOff = await follower();
    await underLoad(async (history) => {
      cutOff.partition();
      const before = history.length;
      await until(() => history.length > before + 100, 'writes at the others');
      cutOff.heal();
      await cluster.healthy();
    });
  });

  it('with mirrors at the member that is cut off: they follow the others', async () => {
    const cutOff = await follower();
    const prefix = `/away-${++count}`;
    // Enough of them that some watch there.
    const stores = await Promise.all(Array.from({ length: 8 }, () => openStore(location(prefix))));
    const mirrors = stores.map((store) => new Mirror(store, [SELECTION]));
    for (const mirror of mirrors) mirror.start();
    const [writer] = stores;
    await writer?.commit([{ type: 'put', key: KEY, value: 1, expect: 'any' }]);
    await until(() => mirrors.every((mirror) => mirror.get(KEY)?.value === 1), 'the first value');
    cutOff.partition();
    try {
      await writer?.commit([{ type: 'put', key: KEY, value: 2, expect: 'any' }]);
      await until(() => mirrors.every((mirror) => mirror.get(KEY)?.value === 2), 'the second value');
    } finally {
      cutOff.heal();
      for (const mirror of mirrors) await mirror.stop();
      for (const store of stores) await store.close();
      await cluster.healthy();
    }
  });

  async function follower(): Promise<Member> {
    const leader = await cluster.leader();
    const found = cluster.members.find((member) => member !== leader);
    if (found === undefined) throw new Error('no follower');
    return found;
  }

  function location(prefix = `/load-${count}`): string {
    return `etcd://${cluster.endpoints}${prefix}`;
  }

  /** Three writers and two mirrors at work during `fault` and for a moment after; then all of it is checked. */
  async function underLoad(fault: (history: readonly Operation[]) => Promise<void>): Promise<void> {
    count++;
    const stores = await Promise.all(Array.from({ length: 5 }, () => openStore(location())));
    const start = await stores[0]!.revision();
    const mirrors = stores.slice(3).map((store) => followed(store));
    const stop = new AbortController();
    const history: Operation[] = [];
    const writers = stores
      .slice(0, 3)
      .map((store, i) => swapAgainAndAgain(store, `w${i}`, history, stop.signal));
    try {
      await pause(200);
      await fault(history);
      await pause(300);
    } finally {
      stop.abort();
      await Promise.all(writers);
    }
    const control = await openStore(location());
    const { entries } = await control.list(SELECTION);
    const events = await replay(control, start);
    expect(history.length).to.be.greaterThan(50);
    expect(isLinearizable(history, undefined), 'linearizable').to.equal(true);
    expect(events).to.include.members(
      history.flatMap(({ action }) => (action.type === 'swap' && action.ok === true ? [action.to] : [])),
    );
    expect(new Set(events).size, 'nothing was written twice').to.equal(events.length);
    for (const { mirror, told } of mirrors) {
      await until(() => told.at(-1) === events.at(-1), 'a mirror to arrive');
      await mirror.stop();
      expect(mirror.entries()).to.deep.equal(entries);
      expect(told).to.deep.equal(events);
    }
    for (const store of [...stores, control]) await store.close();
  }
});

function followed(store: Store): { readonly mirror: Mirror; readonly told: unknown[] } {
  const mirror = new Mirror(store, [SELECTION]);
  const told: unknown[] = [];
  mirror.onChange((changes) => told.push(...changes.map(({ value }) => value)));
  mirror.start();
  return { mirror, told };
}

/** Reads and swaps in turn; what fails for good is recorded as never answered. */
async function swapAgainAndAgain(
  store: Store,
  name: string,
  history: Operation[],
  signal: AbortSignal,
): Promise<void> {
  for (let i = 0; !signal.aborted; i++) {
    const readAt = performance.now();
    const entry = await store.get(KEY);
    const seen = entry?.value as State;
    const call = performance.now();
    history.push({ call: readAt, answer: call, action: { type: 'read', seen } });
    const swap = { type: 'swap', from: seen, to: `${name}-${i}` } as const;
    const expected = entry === undefined ? 'absent' : { revision: entry.revision };
    const ok = await store
      .commit([{ type: 'put', key: KEY, value: swap.to, expect: expected }])
      .then(({ ok }) => ok)
      .catch(() => undefined);
    const answer = ok === undefined ? Infinity : performance.now();
    history.push({ call, answer, action: { ...swap, ok } });
    await pause(10);
  }
}

/** Every value the register has had, from the store's own history. */
async function replay(store: Store, start: string): Promise<unknown[]> {
  const marker = await store.commit([{ type: 'put', key: { ...KEY, kind: 'end' }, value: 1, expect: 'any' }]);
  const end = marker.ok ? marker.revision : '';
  const abort = new AbortController();
  const values: unknown[] = [];
  for await (const { revision, events } of store.watch([SELECTION, { kind: 'end' }], start, abort.signal)) {
    if (revision === end) break;
    values.push(...events.map((event) => (event.type === 'put' ? event.entry.value : undefined)));
  }
  abort.abort();
  return values;
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await pause(20);
  }
}

async function pause(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}
