import { expect } from 'chai';
import { Address, Prefix } from '../../net/addr/index.ts';
import { AdjRibIn, NlriList, type Importer } from '../rib/adj-rib-in.ts';
import { AttributePool } from '../rib/attributes.ts';
import { DEFAULT_DECISION } from '../rib/decision.ts';
import { PathTable } from '../rib/path-table.ts';
import { attributesOf, sourceOf } from '../rib/testing/sketch.ts';
import { FamilyTable } from './family-table.ts';

const ROUTES = 5000;
/** What one call of `advance` may do; the speaker looks at the clock between two. */
const AT_ONCE = 1000;

/** A peer with many routes, and a count of how often its import policy was asked. */
class Bench {
  asked = 0;
  readonly table: FamilyTable;
  readonly rib: AdjRibIn;

  constructor() {
    const pool = new AttributePool();
    this.table = new FamilyTable('ipv4-unicast', DEFAULT_DECISION, undefined, new PathTable(pool));
    this.rib = new AdjRibIn(this.table.index, this.table.locRib.table, this.#importer(true));
    const received = pool.intern(attributesOf({}));
    const nextHop = { address: Address.v4(0x0a00_0001) };
    const nlri = Array.from({ length: ROUTES }, (_, n) => ({
      prefix: Prefix.of(Address.v4(0x1400_0000 + n * 256), 24),
    }));
    this.rib.announce(new NlriList(nlri), { source: sourceOf({}), nextHop, received }, this.table);
    this.settle();
    this.asked = 0;
  }

  /** What the policy makes of every route from now on. */
  decree(accepted: boolean, atOnce: boolean): void {
    this.rib.reimport(this.#importer(accepted));
    this.table.judge(this.rib, atOnce);
  }

  settle(): void {
    while (this.table.advance());
  }

  #importer(accepted: boolean): Importer {
    return {
      looksAtPrefix: true,
      judge: ({ attributes }) => {
        this.asked++;
        return accepted ? { accepted, attributes } : { accepted, reason: 'the test says so' };
      },
    };
  }
}

describe('FamilyTable', () => {
  it('judges a large table again a slice at a time', () => {
    const bench = new Bench();
    bench.decree(false, false);
    expect(bench.asked).to.equal(0);
    for (let asked = AT_ONCE; asked <= ROUTES; asked += AT_ONCE) {
      bench.table.advance();
      expect(bench.asked).to.equal(asked);
    }
    bench.settle();
    expect([bench.asked, bench.rib.accepted, bench.table.locRib.size]).to.deep.equal([ROUTES, 0, 0]);
  });

  it('begins anew where policy changes while it judges, and ends as the last one says', () => {
    const bench = new Bench();
    bench.decree(false, false);
    bench.table.advance();
    bench.decree(true, false);
    bench.settle();
    expect([bench.rib.accepted, bench.table.locRib.size]).to.deep.equal([ROUTES, ROUTES]);
  });

  it('judges at once where it is asked to', () => {
    const bench = new Bench();
    bench.decree(false, true);
    expect([bench.asked, bench.rib.accepted]).to.deep.equal([ROUTES, 0]);
  });

  it('wastes no judgement on routes that only wait to be taken out', () => {
    const bench = new Bench();
    bench.decree(false, false);
    bench.table.condemn(bench.rib);
    bench.settle();
    expect([bench.asked, bench.rib.size]).to.deep.equal([0, 0]);
  });
});
