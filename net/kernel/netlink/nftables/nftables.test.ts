import { expect } from 'chai';
import { run } from '../../process.ts';
import { describeOnKernel, freshNamespace } from '../../testing.ts';
import { HEADER, MessageWriter } from '../message.ts';
import { type Expression, expressionsKey } from './expression.ts';
import { readExpressions, writeExpressions } from './expression-codec.ts';
import { joinElements, makeOf } from './messages.ts';
import type { NftOperation, TableRef } from './model.ts';
import { NftError, Nftables } from './nftables.ts';
import { type RulesetEdit, watchTables } from './watch.ts';

const ATTRIBUTE_HEADER = 4;

/** Through octets and back. */
function both(expressions: readonly Expression[]): readonly Expression[] {
  const w = new MessageWriter();
  w.begin(0, 0);
  writeExpressions(w, 4, expressions);
  w.end();
  const bytes = w.finish(1, false);
  return readExpressions(bytes, HEADER + ATTRIBUTE_HEADER, bytes.length);
}

const EXPRESSIONS: readonly Expression[] = [
  { kind: 'payload', base: 'network', offset: 12, length: 4, register: 1 },
  { kind: 'payload', base: 'transport', offset: 2, length: 2, register: 10 },
  { kind: 'meta', key: 'l4proto', register: 9 },
  { kind: 'meta-set', key: 'mark', register: 1 },
  { kind: 'ct-state', register: 1 },
  { kind: 'cmp', op: 'neq', register: 1, data: '0a0000' },
  { kind: 'range', op: 'eq', register: 1, from: '1f40', to: '1f4a' },
  { kind: 'bitwise', register: 1, length: 4, mask: 'ffffe0ff', xor: '00000100' },
  { kind: 'lookup', register: 1, set: 'cali40s-x', invert: true },
  { kind: 'verdict-map', register: 1, map: 'dispatch' },
  { kind: 'fib-source-route', register: 1 },
  { kind: 'counter', packets: 7n, bytes: 5_000_000_000n },
  { kind: 'limit', rate: 10, perSeconds: 60, burst: 5 },
  { kind: 'log', prefix: 'calico-packet: ', level: 5 },
  { kind: 'masquerade' },
  { kind: 'load', register: 1, data: 'c0000201' },
  { kind: 'masquerade', ports: { from: 2, to: 3 } },
  { kind: 'nat', type: 'dnat', version: 4, address: 1 },
  { kind: 'reject', version: 4 },
  { kind: 'reject', version: 6 },
  { kind: 'nat', type: 'snat', version: 6, address: 1, ports: { from: 2, to: 3 } },
  { kind: 'verdict', verdict: { code: 'goto', chain: 'filter-cali-x' } },
  { kind: 'verdict', verdict: { code: 'drop' } },
];

describe('expressions of nf_tables as attributes', () => {
  for (const each of EXPRESSIONS)
    it(expressionsKey([each]), () => expect(both([each])).to.deep.equal([each]));

  it('come in a list, in order', () => expect(both(EXPRESSIONS)).to.deep.equal(EXPRESSIONS));

  it('are equal whatever their counters say', () =>
    expect(expressionsKey([{ kind: 'counter', packets: 1n, bytes: 2n }])).to.equal(
      expressionsKey([{ kind: 'counter', packets: 3n, bytes: 4n }]),
    ));

  it('cannot be written where they were not understood', () =>
    expect(() => both([{ kind: 'unknown', name: 'synproxy' }])).to.throw(RangeError, 'synproxy'));
});

describe('ranges of elements', () => {
  it('are put together from their halves, in any order, also where one begins as another ends', () =>
    expect(
      joinElements([
        { key: '0b000001', isEnd: true },
        { key: 'ff000000', isEnd: false },
        { key: '0b000000', isEnd: false },
        { key: '0a000000', isEnd: false },
        { key: '0b000000', isEnd: true },
      ]),
    ).to.deep.equal([
      { key: '0a000000', end: '0b000000' },
      { key: '0b000000', end: '0b000001' },
      { key: 'ff000000' },
    ]));
});

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

const V4: TableRef = { family: 'ip', name: 'theirs' };
const V6: TableRef = { family: 'ip6', name: 'theirs' };
const BASE: NftOperation = {
  op: 'add-chain',
  table: V4,
  chain: { name: 'forward', base: { type: 'filter', hook: 'forward', priority: -5 } },
};

function rules(table: TableRef, chain: string, count: number): readonly NftOperation[] {
  return Array.from({ length: count }, (_, index) => ({
    op: 'add-rule',
    table,
    rule: { chain, expressions: [], comment: `${chain} ${index}` },
  }));
}

describeOnKernel('nf_tables over netlink', () => {
  const netns = freshNamespace();
  let nft: Nftables;
  beforeEach(() => (nft = Nftables.open({ netns: netns.path() })));
  afterEach(() => nft.close());

  const refusal = async (operations: readonly NftOperation[]): Promise<NftError> => {
    try {
      await nft.commit(operations);
    } catch (error) {
      if (error instanceof NftError) return error;
      throw error;
    }
    throw new Error('it should have been refused');
  };
  const show = async (...what: readonly string[]): Promise<string> =>
    (await run('nft', ['list', ...what], { netns: netns.path() })).stdout;

  it('writes what the nft tool reads, and reads it back as it was written', async () => {
    const expressions: readonly Expression[] = [
      { kind: 'meta', key: 'iifname', register: 1 },
      { kind: 'cmp', op: 'eq', register: 1, data: Buffer.from('cali').toString('hex') },
      { kind: 'payload', base: 'network', offset: 12, length: 4, register: 1 },
      { kind: 'lookup', register: 1, set: 'nets', invert: true },
      { kind: 'counter', packets: 0n, bytes: 0n },
      { kind: 'verdict', verdict: { code: 'jump', chain: 'inner' } },
    ];
    const { handles, generation } = await nft.commit([
      { op: 'add-table', table: V4 },
      BASE,
      { op: 'add-chain', table: V4, chain: { name: 'inner' } },
      { op: 'add-set', table: V4, set: { name: 'nets', key: ['ipv4_addr'], interval: true } },
      { op: 'add-set', table: V4, set: { name: 'map', key: ['ifname'], verdicts: true } },
      {
        op: 'add-elements',
        table: V4,
        set: 'nets',
        elements: [
          { key: '0a000000', end: '0b000000' },
          { key: 'c0000200', end: 'c0000300' },
        ],
      },
      {
        op: 'add-elements',
        table: V4,
        set: 'map',
        elements: [
          {
            key: Buffer.from('cali1'.padEnd(16, '\0')).toString('hex'),
            verdict: { code: 'goto', chain: 'inner' },
          },
        ],
      },
      { op: 'add-rule', table: V4, rule: { chain: 'forward', expressions, comment: 'first' } },
    ]);
    expect(generation).to.equal(await nft.generation());
    const text = (await show('table', 'ip', 'theirs')).replace(/\s+/g, ' ');
    expect(text).to.include('type filter hook forward priority filter - 5');
    expect(text).to.include(
      'iifname "cali*" ip saddr != @nets counter packets 0 bytes 0 jump inner comment "first"',
    );
    expect(text).to.include('elements = { 10.0.0.0/8, 192.0.2.0/24 }');
    expect(text).to.include('"cali1" : goto inner');
    const [rule] = await nft.listRules(V4);
    expect(rule).to.deep.equal({ chain: 'forward', comment: 'first', expressions, handle: handles.get(7) });
    expect(await nft.listChains(V4)).to.deep.equal([
      BASE.op === 'add-chain' ? BASE.chain : {},
      { name: 'inner' },
    ]);
    const sets = await nft.listSets(V4);
    expect(sets.map(({ name, make }) => [name, make])).to.deep.equal([
      ['nets', makeOf({ name: 'nets', key: ['ipv4_addr'], interval: true })],
      ['map', makeOf({ name: 'map', key: ['ifname'], verdicts: true })],
    ]);
    expect((await nft.listElements(V4, 'nets')).map(({ key }) => key)).to.deep.equal([
      '0a000000',
      'c0000200',
    ]);
  });

  it('does all of a transaction or nothing, over both families, and names what was refused', async () => {
    const error = await refusal([
      { op: 'add-table', table: V4 },
      { op: 'add-table', table: V6 },
      { op: 'add-rule', table: V4, rule: { chain: 'absent', expressions: [], comment: 'orphan' } },
      { op: 'delete-set', table: V6, set: 'absent' },
    ]);
    expect([error.code, error.refused]).to.deep.equal(['ENOENT', [2, 3]]);
    expect(error.message).to.include('ip theirs absent "orphan"');
    expect(await show('ruleset')).to.equal('');
  });

  it('replaces and removes rules by their handles', async () => {
    const rule = (comment: string): NftOperation => ({
      op: 'add-rule',
      table: V4,
      rule: { chain: 'forward', comment, expressions: [{ kind: 'verdict', verdict: { code: 'return' } }] },
    });
    const { handles } = await nft.commit([
      { op: 'add-table', table: V4 },
      BASE,
      rule('a'),
      rule('b'),
      rule('c'),
    ]);
    await nft.commit([
      { op: 'delete-rule', table: V4, chain: 'forward', handle: handles.get(3) ?? 0n },
      rule('d'),
    ]);
    const comments = async () => (await nft.listRules(V4)).map(({ comment }) => comment);
    expect(await comments()).to.deep.equal(['a', 'c', 'd']);
    await nft.commit([{ op: 'flush-chain', table: V4, chain: 'forward' }, rule('e')]);
    expect(await comments()).to.deep.equal(['e']);
    await nft.commit([
      { op: 'flush-chain', table: V4, chain: 'forward' },
      { op: 'delete-chain', table: V4, chain: 'forward' },
    ]);
    expect(await nft.listChains(V4)).to.deep.equal([]);
  });

  it('takes a hundred thousand elements in one transaction', async function () {
    this.timeout(120_000);
    const elements = Array.from({ length: 100_000 }, (_, i) => {
      return { key: hex(0x0a000000 + i), end: hex(0x0a000001 + i) };
    });
    await nft.commit([
      { op: 'add-table', table: V4 },
      { op: 'add-set', table: V4, set: { name: 'big', key: ['ipv4_addr'], interval: true } },
      { op: 'add-elements', table: V4, set: 'big', elements },
    ]);
    const found = await nft.listElements(V4, 'big');
    expect(found.length).to.equal(elements.length);
    expect(found.at(-1)).to.deep.equal(elements.at(-1));
  });

  it('tells who edits a table, transaction by transaction, and nothing of other tables', async () => {
    await nft.commit([{ op: 'add-table', table: V4 }, BASE]);
    const edits: RulesetEdit[] = [];
    const cancel = watchTables(netns.path(), [{ ...V4, chains: (name) => name !== 'unwatched' }], (edit) =>
      edits.push(edit),
    );
    try {
      const { generation } = await nft.commit([
        { op: 'add-rule', table: V4, rule: { chain: 'forward', expressions: [] } },
      ]);
      await run('nft', ['add rule ip theirs forward accept; add rule ip theirs forward drop'], {
        netns: netns.path(),
      });
      await nft.commit([
        { op: 'add-table', table: V6 },
        { op: 'add-chain', table: V6, chain: { name: 'forward' } },
      ]);
      await nft.commit([{ op: 'add-chain', table: V4, chain: { name: 'unwatched' } }]);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(edits.map(({ generation: each, program }) => [each, program === 'nft'])).to.deep.equal([
        [generation, false],
        [generation + 1, true],
      ]);
    } finally {
      cancel();
    }
  });

  it('tells nothing while it pauses, and goes on then', async () => {
    await nft.commit([{ op: 'add-table', table: V4 }, BASE]);
    const rule: NftOperation = { op: 'add-rule', table: V4, rule: { chain: 'forward', expressions: [] } };
    const edits: (number | undefined)[] = [];
    const passed: number[] = [];
    const watch = watchTables(
      netns.path(),
      [V4],
      ({ generation }) => edits.push(generation),
      (generation) => passed.push(generation),
    );
    try {
      const before = await nft.commit([rule]);
      watch.pause();
      await nft.commit([rule]);
      watch.resume();
      const after = await nft.commit([rule]);
      const other = await nft.commit([{ op: 'add-table', table: V6 }]);
      watch.drain();
      expect(edits).to.deep.equal([before.generation, after.generation]);
      expect(passed).to.deep.equal([...edits, other.generation]);
    } finally {
      watch();
    }
    watch.drain();
  });

  it('knows the handles of all rules of a transaction, whatever else is made in it', async () => {
    const operations: readonly NftOperation[] = [
      { op: 'add-table', table: V4 },
      { op: 'add-table', table: V6 },
      BASE,
      { op: 'add-chain', table: V6, chain: { name: 'a' } },
      ...rules(V4, 'forward', 3),
      ...rules(V6, 'a', 4),
      ...rules(V4, 'forward', 1),
      { op: 'add-set', table: V4, set: { name: 'nets', key: ['ipv4_addr'] } },
      { op: 'add-chain', table: V4, chain: { name: 'b' } },
      ...rules(V4, 'b', 2),
      ...rules(V4, 'forward', 2),
    ];
    const { handles } = await nft.commit(operations);
    const [told, listed] = [new Map<string, string>(), new Map<string, string>()];
    for (const table of [V4, V6]) {
      for (const [index, handle] of handles) {
        const operation = operations[index];
        if (operation?.op !== 'add-rule' || operation.table !== table) continue;
        told.set(`${table.family} ${handle}`, `${operation.rule.chain} ${operation.rule.comment}`);
      }
      for (const { chain, handle, comment } of await nft.listRules(table))
        listed.set(`${table.family} ${handle}`, `${chain} ${comment}`);
    }
    expect(handles.size).to.equal(12);
    expect(told).to.deep.equal(listed);
  });

  it('lists nothing where there is no such table', async () => {
    expect(await nft.listChains(V4)).to.deep.equal([]);
    expect(await nft.listRules(V4)).to.deep.equal([]);
    expect(await nft.listSets(V4)).to.deep.equal([]);
    expect(await nft.listElements(V4, 'x')).to.deep.equal([]);
  });
});
