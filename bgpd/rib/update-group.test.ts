import { expect } from 'chai';
import fc from 'fast-check';
import { Address, Prefix } from '../../net/addr/index.ts';
import type { UpdateMessage } from '../wire/types.ts';
import { AdjRibIn } from './adj-rib-in.ts';
import { AttributePool } from './attributes.ts';
import { DEFAULT_DECISION } from './decision.ts';
import { LocRib } from './loc-rib.ts';
import { PrefixIndex } from './prefix-index.ts';
import { attributesOf, sourceOf } from './testing/sketch.ts';
import { UpdateGroup, type OutMessage } from './update-group.ts';

const PREFIXES = Array.from({ length: 6 }, (_, n) => Prefix.of(Address.v4(0x0a000000 + n * 256), 24));
const SOURCES = [1, 2, 3].map((id) => sourceOf({ id, routerId: id, address: `192.0.2.${id}` }));
const REFUSED = 666;

/** Three peers that teach, and are all members of one group. */
class Bench {
  readonly pool = new AttributePool();
  readonly index = new PrefixIndex();
  readonly locRib = new LocRib(this.index, DEFAULT_DECISION, this.pool.paths);
  readonly ribs = SOURCES.map(
    () => new AdjRibIn(this.index, this.pool, ({ attributes }) => ({ accepted: true, attributes })),
  );
  readonly group: UpdateGroup;
  /** What each member's table holds, by what it was sent. */
  readonly tables = SOURCES.map(() => new Map<string, string>());
  readonly #encoded: UpdateMessage[] = [];

  constructor() {
    this.group = new UpdateGroup({
      family: 'ipv4-unicast',
      locRib: this.locRib,
      pool: this.pool,
      // A policy with an opinion: paths with this MED are not told.
      export: (_, path) =>
        path.attributes.med === REFUSED || path.nextHop === undefined
          ? undefined
          : { attributes: path.attributes.attributes, nextHop: path.nextHop },
      encode: (update) => [Uint8Array.of(this.#encoded.push(update) - 1)],
    });
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
    for (const message of this.group.advance(limit)) this.#deliver(message);
    this.#encoded.length = 0;
  }

  workOff(): void {
    while (this.locRib.dirty > 0 || !this.group.settled) this.work();
  }

  #deliver(message: OutMessage): void {
    for (const [i, table] of this.tables.entries()) {
      const id = i + 1;
      if (message.except === id || (message.only !== undefined && message.only !== id)) continue;
      for (const octets of message.bytes)
        this.#receive(table, this.#encoded[octets[0] as number] as UpdateMessage);
    }
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
        for (const [i, table] of bench.tables.entries())
          expect(Object.fromEntries(table), `member ${i + 1}`).to.deep.equal(bench.expected(i));
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
    expect(bench.group.advance(100)).to.have.lengthOf(1);
    for (const prefix of PREFIXES.slice(0, 3)) bench.withdraw(0, prefix);
    for (const prefix of PREFIXES.slice(3)) bench.advertise(0, prefix, 2);
    bench.locRib.decideSome(100);
    const messages = bench.group.advance(100);
    expect(messages.map(({ withdrawn }) => withdrawn.length)).to.deep.equal([3, 0]);
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

  it('dumps what it has told, and withdraws from one member what is not told any more', () => {
    const bench = new Bench();
    for (const prefix of PREFIXES) bench.advertise(0, prefix, 1);
    bench.workOff();
    const dumped = [...bench.group.dump(2)].flat();
    expect(dumped.every(({ except }) => except === 1)).to.equal(true);
    expect([
      bench.group.tells(PREFIXES[0] as Prefix, 2),
      bench.group.tells(PREFIXES[0] as Prefix, 1),
    ]).to.deep.equal([true, false]);
    const gone = Prefix.of(Address.v4(0x0b000000), 24);
    const withdrawals = bench.group.withdrawals([PREFIXES[0] as Prefix, gone], 2);
    expect(withdrawals.map(({ only, withdrawn }) => [only, withdrawn.map(String)])).to.deep.equal([
      [2, ['11.0.0.0/24']],
    ]);
  });
});
