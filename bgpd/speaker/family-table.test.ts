import { expect } from 'chai';
import { Address, Prefix } from '../../net/addr/index.ts';
import { AdjRibIn, NlriList, type Importer } from '../rib/adj-rib-in.ts';
import { AttributePool, type AttributeSet } from '../rib/attributes.ts';
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
  /** How often it was told that everything was judged. */
  done = 0;
  readonly table: FamilyTable;
  readonly rib: AdjRibIn;
  readonly #received: AttributeSet;
  readonly #source = sourceOf({});

  constructor() {
    const pool = new AttributePool();
    this.table = new FamilyTable('ipv4-unicast', DEFAULT_DECISION, undefined, new PathTable(pool));
    this.rib = new AdjRibIn(this.table.index, this.table.locRib.table, this.#importer(true));
    this.#received = pool.intern(attributesOf({}));
    this.announce(ROUTES);
    this.settle();
    this.asked = 0;
  }

  /** The first so many. */
  announce(routes: number): void {
    const nextHop = { address: Address.v4(0x0a00_0001) };
    const nlri = Array.from({ length: routes }, (_, n) => ({
      prefix: Prefix.of(Address.v4(0x1400_0000 + n * 256), 24),
    }));
    const announcement = { source: this.#source, nextHop, received: this.#received };
    this.rib.announce(new NlriList(nlri), announcement, this.table);
  }

  /** What the policy makes of every route from now on. */
  decree(accepted: boolean): void {
    this.rib.reimport(this.#importer(accepted));
    this.table.judge(this.rib, () => {
      this.done++;
      expect(this.rib.judging).to.equal(false);
    });
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
    bench.decree(false);
    expect(bench.asked).to.equal(0);
    for (let asked = AT_ONCE; asked <= ROUTES; asked += AT_ONCE) {
      bench.table.advance();
      expect(bench.asked).to.equal(asked);
    }
    bench.settle();
    expect([bench.asked, bench.rib.accepted, bench.table.locRib.size]).to.deep.equal([ROUTES, 0, 0]);
    expect(bench.done).to.equal(1);
  });

  it('begins anew where policy changes while it judges, and ends as the last one says', () => {
    const bench = new Bench();
    bench.decree(false);
    bench.table.advance();
    bench.decree(true);
    bench.settle();
    expect([bench.rib.accepted, bench.table.locRib.size, bench.done]).to.deep.equal([ROUTES, ROUTES, 1]);
  });

  it('takes out the routes of a session a slice at a time, but for those that the next one tells before', () => {
    const bench = new Bench();
    bench.table.condemn(bench.rib);
    expect(bench.table.sweeps(bench.rib)).to.equal(true);
    bench.announce(7);
    bench.settle();
    expect([bench.rib.size, bench.rib.stale, bench.table.locRib.size]).to.deep.equal([7, 0, 7]);
    expect(bench.table.sweeps(bench.rib)).to.equal(false);
  });

  it('keeps what a restarting peer said in its last session, and nothing that was on its way out (RFC 4724 §4.2)', () => {
    const bench = new Bench();
    bench.table.condemn(bench.rib);
    bench.announce(7);
    bench.table.keep(bench.rib);
    bench.settle();
    expect([bench.rib.size, bench.rib.stale, bench.table.locRib.size]).to.deep.equal([7, 7, 7]);
    bench.table.sweep(bench.rib);
    expect(bench.rib.size).to.equal(7);
    bench.settle();
    expect([bench.rib.size, bench.table.locRib.size, bench.table.index.size]).to.deep.equal([0, 0, 0]);
  });

  it('decides a large table again a slice at a time', () => {
    const bench = new Bench();
    bench.table.locRib.setOptions({ ...DEFAULT_DECISION, alwaysCompareMed: true });
    expect(bench.table.locRib.dirty).to.equal(1);
    expect(bench.table.advance()).to.equal(true);
    bench.settle();
    expect(bench.table.locRib.dirty).to.equal(0);
  });

  it('wastes no judgement on routes that only wait to be taken out', () => {
    const bench = new Bench();
    bench.decree(false);
    bench.table.condemn(bench.rib);
    bench.settle();
    expect([bench.asked, bench.rib.size]).to.deep.equal([0, 0]);
  });
});
