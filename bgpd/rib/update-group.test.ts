import { expect } from 'chai';
import fc from 'fast-check';
import { Address, Prefix } from '../../net/addr/index.ts';
import { decodeMessage } from '../wire/message.ts';
import { EXTERNAL } from '../wire/testing/octets.ts';
import type { UpdateMessage } from '../wire/types.ts';
import { AdjRibIn } from './adj-rib-in.ts';
import { AttributePool } from './attributes.ts';
import { DEFAULT_DECISION } from './decision.ts';
import { LocRib } from './loc-rib.ts';
import { PathTable } from './path-table.ts';
import { PrefixIndex } from './prefix-index.ts';
import { attributesOf, sourceOf } from './testing/sketch.ts';
import type { OutBatch } from './out-batch.ts';
import { TABLE_START, UpdateGroup, type TablePosition, type TableSlice } from './update-group.ts';

const PREFIXES = Array.from({ length: 6 }, (_, n) => Prefix.of(Address.v4(0x0a000000 + n * 256), 24));
const SOURCES = [1, 2, 3].map((id) => sourceOf({ id, routerId: id, address: `192.0.2.${id}` }));
const REFUSED = 666;

/** Three peers that teach, and are all members of one group. */
class Bench {
  readonly pool = new AttributePool();
  readonly index = new PrefixIndex();
  readonly paths = new PathTable(this.pool);
  readonly locRib = new LocRib(this.index, DEFAULT_DECISION, this.paths);
  readonly ribs = SOURCES.map(
    () =>
      new AdjRibIn(this.index, this.paths, {
        looksAtPrefix: false,
        judge: ({ attributes }) => ({ accepted: true, attributes }),
      }),
  );
  readonly group: UpdateGroup;
  /** What each member's table holds, by what it was sent. */
  readonly tables = SOURCES.map(() => new Map<string, string>());
  /** What one slice of work told, as it went out to all. */
  readonly told: UpdateMessage[] = [];

  constructor() {
    this.group = new UpdateGroup({
      family: 'ipv4-unicast',
      locRib: this.locRib,
      session: EXTERNAL,
      perPrefix: false,
      // A policy with an opinion: paths with this MED are not told.
      export: (_, path) =>
        path.attributes.med === REFUSED || path.nextHop === undefined
          ? undefined
          : { attributes: path.attributes.attributes, nextHop: path.nextHop },
    });
    // The table is still empty: from here on, what is told concerns members.
    this.work();
  }

  advertise(source: number, prefix: Prefix, med: number): void {
    const from = SOURCES[source];
    const set = this.pool.intern(attributesOf({ med, asPath: [7] }));
    const change = this.ribs[source]?.advertise(
      prefix,
      0,
      from as never,
      { address: from?.address as Address },
      set,
    );
    if (change?.after !== undefined) this.locRib.put(change.id, change.after);
    this.pool.release(set);
  }

  withdraw(source: number, prefix: Prefix): void {
    const change = this.ribs[source]?.withdraw(prefix, 0);
    if (change?.before !== undefined) this.locRib.remove(change.id, change.before.source, 0);
  }

  work(limit = 2): void {
    this.locRib.decideSome(limit);
    this.told.length = 0;
    this.group.advance(limit, (batch, _, only) => this.#deliver(batch, only));
  }

  workOff(): void {
    while (this.locRib.dirty > 0 || !this.group.settled) this.work();
  }

  #deliver(batch: OutBatch, only: number | undefined): void {
    this.told.push(...updatesIn(batch.all.pieces));
    expect(batch.all.messages).to.equal(updatesIn(batch.all.pieces).length);
    for (const [i, table] of this.tables.entries()) {
      if (only !== undefined && only !== i + 1) continue;
      const { pieces, messages, length } = batch.for(i + 1);
      const updates = updatesIn(pieces);
      expect([messages, length]).to.deep.equal([updates.length, Buffer.concat(pieces).length]);
      for (const update of updates) this.#receive(table, update);
    }
  }

  /** A member that knows nothing is given the table. */
  table(member: number): Record<string, string> {
    const table = new Map<string, string>();
    for (let at: TablePosition | undefined = TABLE_START; at !== undefined; ) {
      const { batch, next }: TableSlice = this.group.slice(at);
      for (const update of updatesIn(batch.for(member + 1).pieces)) this.#receive(table, update);
      at = next;
    }
    return Object.fromEntries(table);
  }

  #receive(table: Map<string, string>, update: UpdateMessage): void {
    for (const { nlri } of update.unreach)
      for (const { prefix } of nlri)
        expect(table.delete(prefix.toString()), 'withdrawn what was never told').to.equal(true);
    for (const { nlri, nextHop } of update.reach)
      for (const { prefix } of nlri)
        table.set(prefix.toString(), `${nextHop.address.toString()} ${update.attributes?.med}`);
  }

  /** What a member should hold: the best path, unless it is its own or policy refuses it. */
  expected(member: number): Record<string, string> {
    const entries: [string, string][] = [];
    for (const prefix of PREFIXES) {
      const id = this.index.find(prefix);
      const best = id === undefined ? undefined : this.locRib.best(id);
      if (best === undefined || best.source.id === member + 1 || best.attributes.med === REFUSED) continue;
      entries.push([prefix.toString(), `${String(best.nextHop?.address)} ${best.attributes.med}`]);
    }
    return Object.fromEntries(entries);
  }
}

function updatesIn(pieces: readonly Uint8Array[]): UpdateMessage[] {
  const updates: UpdateMessage[] = [];
  const octets = Buffer.concat(pieces);
  for (let at = 0; at < octets.length; at += octets.readUInt16BE(at + 16)) {
    const decoded = decodeMessage(octets.subarray(at, at + octets.readUInt16BE(at + 16)), EXTERNAL);
    if (!decoded.ok || decoded.message?.type !== 'update') throw new Error(JSON.stringify(decoded));
    expect(decoded.faults).to.deep.equal([]);
    updates.push(decoded.message);
  }
  return updates;
}

describe('UpdateGroup', () => {
  it('leaves every member with exactly the best paths that are not its own, whatever happened and in what slices', () => {
    const step = fc.record({
      act: fc.constantFrom('advertise', 'advertise', 'withdraw', 'work'),
      source: fc.nat(2),
      prefix: fc.nat(PREFIXES.length - 1),
      med: fc.constantFrom(1, 2, 3, REFUSED),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const bench = new Bench();
        for (const { act, source, prefix, med } of steps) {
          if (act === 'advertise') bench.advertise(source, PREFIXES[prefix] as Prefix, med);
          else if (act === 'withdraw') bench.withdraw(source, PREFIXES[prefix] as Prefix);
          else bench.work();
        }
        bench.workOff();
        for (const [i, table] of bench.tables.entries()) {
          expect(Object.fromEntries(table), `member ${i + 1}`).to.deep.equal(bench.expected(i));
          const { size } = bench.group.adjRibOut;
          expect(size - bench.group.adjRibOut.countOf(i + 1)).to.equal(table.size);
          expect(bench.table(i), `newcomer ${i + 1}`).to.deep.equal(bench.expected(i));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('owns nothing any more when everything is withdrawn', () => {
    const bench = new Bench();
    for (const prefix of PREFIXES) for (const source of [0, 1, 2]) bench.advertise(source, prefix, source);
    bench.workOff();
    expect(bench.pool.size).to.equal(3);
    for (const prefix of PREFIXES) for (const source of [0, 1, 2]) bench.withdraw(source, prefix);
    bench.workOff();
    expect([bench.pool.size, bench.index.size, bench.group.adjRibOut.size, bench.locRib.size]).to.deep.equal([
      0, 0, 0, 0,
    ]);
  });

  it('packs prefixes of equal attributes into one message, and withdrawals into one before them', () => {
    const bench = new Bench();
    for (const prefix of PREFIXES.slice(0, 3)) bench.advertise(0, prefix, 1);
    bench.locRib.decideSome(100);
    bench.work(100);
    expect(bench.told).to.have.lengthOf(1);
    for (const prefix of PREFIXES.slice(0, 3)) bench.withdraw(0, prefix);
    for (const prefix of PREFIXES.slice(3)) bench.advertise(0, prefix, 2);
    bench.locRib.decideSome(100);
    bench.work(100);
    expect(
      bench.told.map(({ unreach, reach }) => [unreach[0]?.nlri.length, reach[0]?.nlri.length]),
    ).to.deep.equal([
      [3, undefined],
      [undefined, 3],
    ]);
  });

  it('gives the table packed by attributes, however it was learned, and the same octets until it changes', () => {
    const bench = new Bench();
    for (const [n, prefix] of PREFIXES.entries()) bench.advertise(0, prefix, n % 2);
    bench.workOff();
    const { batch, next } = bench.group.slice(TABLE_START);
    expect([batch.all.messages, next]).to.deep.equal([2, undefined]);
    expect(bench.group.slice(TABLE_START).batch).to.equal(batch);
    bench.withdraw(0, PREFIXES[0] as Prefix);
    bench.workOff();
    expect(bench.group.slice(TABLE_START).batch).not.to.equal(batch);
    expect(bench.table(1)).to.deep.equal(bench.expected(1));
  });

  it('gives prefixes that all have the same attributes in slices too, and goes on where some of them went meanwhile', () => {
    const bench = new Bench();
    const many = Array.from({ length: 40_000 }, (_, n) => Prefix.of(Address.v4(0x14000000 + n * 256), 24));
    for (const prefix of many) bench.advertise(0, prefix, 1);
    while (bench.locRib.decideSome(1000) || !bench.group.settled) bench.work(1000);
    const told = new Set<string>();
    let [at, slices]: [TablePosition | undefined, number] = [TABLE_START, 0];
    while (at !== undefined) {
      const { batch, next }: TableSlice = bench.group.slice(at);
      const nlri = updatesIn(batch.all.pieces).flatMap(({ reach }) => reach.flatMap((each) => each.nlri));
      expect(nlri.length).to.be.at.most(16_384);
      for (const { prefix } of nlri) told.add(prefix.toString());
      slices++;
      // The very one the slice ended with goes: whoever is being given the table hears of that as of any news.
      if (slices === 1) bench.withdraw(0, nlri.at(-1)?.prefix as Prefix);
      bench.workOff();
      at = next;
    }
    expect([slices > 2, many.filter((prefix) => !told.has(prefix.toString()))]).to.deep.equal([true, []]);
  });

  it('catches up from the table when the journal has lost it', () => {
    const bench = new Bench();
    bench.advertise(0, PREFIXES[0] as Prefix, 1);
    bench.advertise(0, PREFIXES[1] as Prefix, 1);
    bench.workOff();
    bench.withdraw(0, PREFIXES[0] as Prefix);
    for (let med = 2; med < 6000; med++) {
      bench.advertise(0, PREFIXES[2] as Prefix, med);
      bench.locRib.decideSome(10);
    }
    bench.workOff();
    expect(Object.fromEntries(bench.tables[1] ?? [])).to.deep.equal(bench.expected(1));
  });

  it('tells one member what has become of prefixes, or only what it must not hold any more', () => {
    const bench = new Bench();
    for (const prefix of PREFIXES.slice(0, 3)) bench.advertise(0, prefix, 1);
    bench.workOff();
    const gone = bench.index.acquire(Prefix.of(Address.v4(0x0b000000), 24));
    const ids = [bench.index.find(PREFIXES[0] as Prefix) as number, gone];
    const said = (member: number, withdrawOnly: boolean): string[] =>
      updatesIn(bench.group.tell(ids, member, withdrawOnly).all.pieces).flatMap(({ unreach, reach }) => [
        ...unreach.flatMap(({ nlri }) => nlri.map(({ prefix }) => `-${prefix.toString()}`)),
        ...reach.flatMap(({ nlri }) => nlri.map(({ prefix }) => `+${prefix.toString()}`)),
      ]);
    expect(said(2, false)).to.deep.equal(['-11.0.0.0/24', '+10.0.0.0/24']);
    expect(said(2, true)).to.deep.equal(['-11.0.0.0/24']);
    expect(said(1, false), 'its own').to.deep.equal(['-10.0.0.0/24', '-11.0.0.0/24']);
  });
});
