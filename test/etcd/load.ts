/**
 * Writers and mirrors at work while something happens to etcd, and the judgement over all of it afterwards: every answer to a
 * compare-and-swap is one that registers could have given, every mirror equals the store, no event is lost or told twice,
 * and what one commit wrote was told as one.
 */
import { expect } from 'chai';
import { Mirror, openStore, type Key, type Operation as Write, type Store } from '../../datastore/index.ts';
import { isLinearizable, type Operation, type State } from './linear.ts';

export const SELECTION = { kind: 'K' };
const REGISTERS = ['a', 'b', 'c'] as const;
type Register = (typeof REGISTERS)[number];
/** What a commit of two keys writes to, in two folders of etcd. */
const PAIR: readonly Key[] = [
  { kind: 'K', scope: 'pair', name: 'x' },
  { kind: 'L', scope: 'pair', name: 'y' },
];

export type Histories = Readonly<Record<Register, Operation[]>>;

export interface Load {
  readonly histories: Histories;
  /** Answered so far, by all. */
  readonly count: () => number;
}

/**
 * @param location  of a store that nobody else writes to
 * @param fault  what happens meanwhile; resolves when etcd is well again
 */
export async function underLoad(
  location: string,
  fault: (load: Load) => Promise<void>,
  script: readonly Register[] = REGISTERS,
): Promise<void> {
  const stores = await Promise.all(Array.from({ length: 5 }, () => openStore(location)));
  const start = await stores[0]!.revision();
  const mirrors = stores.slice(3).map((store) => followed(store));
  // What a first list finds it tells as it stands, not as it came about.
  await until(() => mirrors.every(({ mirror }) => mirror.synced), 'the mirrors to begin');
  const stop = new AbortController();
  const histories: Histories = { a: [], b: [], c: [] };
  const count = (): number => Object.values(histories).reduce((sum, { length }) => sum + length, 0);
  const writers = stores
    .slice(0, 3)
    .map((store, i) => write(store, `w${i}`, script.slice(i).concat(script), histories, stop.signal));
  try {
    await pause(100);
    await fault({ histories, count });
    await pause(200);
  } finally {
    stop.abort();
    await Promise.all(writers);
  }
  const control = await openStore(location);
  try {
    await judge(control, start, histories, mirrors);
  } finally {
    for (const { mirror } of mirrors) await mirror.stop();
    for (const store of [...stores, control]) await store.close();
  }
}

async function judge(
  control: Store,
  start: string,
  histories: Histories,
  mirrors: readonly ReturnType<typeof followed>[],
): Promise<void> {
  const told = await replay(control, start);
  for (const register of REGISTERS) {
    const history = histories[register];
    const values = told.filter(({ id }) => id === `K//${register}`).map(({ value }) => value);
    expect(isLinearizable(history, undefined), `${register} is linearizable`).to.equal(true);
    const won = history.flatMap(({ action }) =>
      action.type === 'swap' && action.ok === true ? [action.to] : [],
    );
    expect(values).to.include.members(won);
    expect(new Set(values).size, 'nothing was written twice').to.equal(values.length);
  }
  const pairs = PAIR.map(({ kind }) => told.filter(({ id }) => id.startsWith(`${kind}/pair/`)));
  expect(
    pairs[0]?.map(({ value, revision }) => [value, revision]),
    'pairs are written as one',
  ).to.deep.equal(pairs[1]?.map(({ value, revision }) => [value, revision]));
  const entries = (await Promise.all(['K', 'L'].map((kind) => control.list({ kind })))).flatMap(
    ({ entries }) => entries,
  );
  for (const { mirror, batches } of mirrors) {
    await until(
      () => BigInt(mirror.revision ?? '0') >= BigInt(told.at(-1)?.revision ?? '0'),
      'a mirror to arrive',
    );
    const sorted = mirror.entries().toSorted((a, b) => (idOf(a.key) < idOf(b.key) ? -1 : 1));
    expect(sorted).to.deep.equal(entries);
    expect(batches.flat().map(({ id, value }) => [id, value])).to.deep.equal(
      told.map(({ id, value }) => [id, value]),
    );
    for (const batch of batches) {
      const inPair = batch.filter(({ id }) => id.includes('/pair/'));
      expect([0, 2], 'a pair is told as one').to.include(inPair.length);
    }
  }
}

interface Told {
  readonly id: string;
  readonly value: unknown;
  readonly revision: string;
}

function followed(store: Store): { readonly mirror: Mirror; readonly batches: Told[][] } {
  const mirror = new Mirror(store, [SELECTION, { kind: 'L' }]);
  const batches: Told[][] = [];
  mirror.onChange((changes) =>
    batches.push(changes.map(({ key, value, revision }) => ({ id: idOf(key), value, revision }))),
  );
  mirror.start();
  return { mirror, batches };
}

/** Reads and swaps in turn; what fails for good is recorded as never answered. */
async function write(
  store: Store,
  writer: string,
  script: readonly Register[],
  histories: Histories,
  signal: AbortSignal,
): Promise<void> {
  for (let i = 0; !signal.aborted; i++) {
    const register = script[i % script.length] ?? 'a';
    const history = histories[register];
    const key = { kind: 'K', scope: '', name: register };
    const readAt = performance.now();
    const entry = await store.get(key).catch(() => 'nothing heard' as const);
    if (entry === 'nothing heard') continue;
    const seen = entry?.value as State;
    const call = performance.now();
    history.push({ call: readAt, answer: call, action: { type: 'read', seen } });
    const swap = { type: 'swap', from: seen, to: `${writer}-${i}` } as const;
    const expected = entry === undefined ? 'absent' : { revision: entry.revision };
    const ok = await store
      .commit([{ type: 'put', key, value: swap.to, expect: expected }])
      .then(({ ok }) => ok)
      .catch(() => undefined);
    const answer = ok === undefined ? Infinity : performance.now();
    history.push({ call, answer, action: { ...swap, ok } });
    if (i % 3 === 0)
      await store
        .commit(PAIR.map((one): Write => ({ type: 'put', key: one, value: swap.to, expect: 'any' })))
        .catch(() => {});
    await pause(10);
  }
}

/** Every value that was ever written, from the store's own history. */
async function replay(store: Store, start: string): Promise<Told[]> {
  const marker = await store.commit([
    { type: 'put', key: { kind: 'end', scope: '', name: 'x' }, value: 1, expect: 'any' },
  ]);
  const end = marker.ok ? marker.revision : '';
  const abort = new AbortController();
  const told: Told[] = [];
  for await (const { revision, events } of store.watch(
    [SELECTION, { kind: 'L' }, { kind: 'end' }],
    start,
    abort.signal,
  )) {
    if (revision === end) break;
    for (const event of events) {
      if (event.type === 'put') told.push({ id: idOf(event.entry.key), value: event.entry.value, revision });
    }
  }
  abort.abort();
  return told;
}

function idOf({ kind, scope, name }: Key): string {
  return `${kind}/${scope}/${name}`;
}

export async function until(isSo: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await pause(20);
  }
}

export async function pause(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}
