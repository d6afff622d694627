import { expect } from 'chai';
import fc from 'fast-check';
import { Address, Prefix } from '../../net/addr/index.ts';
import { AdjRibIn, NlriList, type Importer } from './adj-rib-in.ts';
import { AttributePool } from './attributes.ts';
import { DEFAULT_DECISION } from './decision.ts';
import { LocRib } from './loc-rib.ts';
import { PathTable } from './path-table.ts';
import type { Path } from './path.ts';
import { PrefixIndex } from './prefix-index.ts';
import { attributesOf, sourceOf } from './testing/sketch.ts';

const PREFIXES = Array.from({ length: 5 }, (_, n) => Prefix.of(Address.v4(0x0a000000 + n * 256), 24));
const SOURCES = [1, 2].map((id) => sourceOf({ id, routerId: id, address: `192.0.2.${id}` }));
const VIA = Address.v4(0xc0000209);

/** What import makes of a MED, each policy in its own way: undefined refuses. */
const POLICIES: readonly ((med: number, prefix: Prefix) => number | undefined)[] = [
  (med) => med,
  (med) => (med === 1 ? undefined : med),
  (med) => med + 10,
  (med, prefix) => (prefix.w0 % 512 === 0 ? undefined : med),
];

function importerOf(n: number): Importer {
  return {
    looksAtPrefix: n === 3,
    judge: ({ attributes, prefix }) => {
      const med = POLICIES[n]?.(attributes.med ?? 0, prefix);
      if (med === undefined) return { accepted: false, reason: `policy ${n}` };
      return { accepted: true, attributes: med === attributes.med ? attributes : { ...attributes, med } };
    },
  };
}

interface Expected {
  readonly med: number;
  stale: boolean;
}

/** Two peers with path ids over one Loc-RIB, and what they should hold in the plainest form. */
class Bench {
  readonly pool = new AttributePool();
  readonly paths = new PathTable(this.pool);
  readonly index = new PrefixIndex();
  readonly locRib = new LocRib(this.index, DEFAULT_DECISION, this.paths);
  readonly ribs = SOURCES.map(() => new AdjRibIn(this.index, this.paths, importerOf(0)));
  readonly policies = [0, 0];
  /** `prefix path-id` -> what stands there. */
  readonly model = SOURCES.map(() => new Map<string, Expected>());
  readonly sink = {
    changed: (id: number, before: Path | undefined, after: Path | undefined): void => {
      if (after !== undefined && after.rejected === undefined) this.locRib.put(id, after);
      else if (before !== undefined && before.rejected === undefined)
        this.locRib.remove(id, before.source, before.pathId);
    },
  };

  announce(peer: number, nlri: readonly { prefix: Prefix; pathId: number }[], med: number): void {
    const received = this.pool.intern(attributesOf({ med }));
    const source = SOURCES[peer] as Path['source'];
    this.ribs[peer]?.announce(new NlriList(nlri), { source, nextHop: { address: VIA }, received }, this.sink);
    this.pool.release(received);
    for (const one of nlri) this.model[peer]?.set(keyOf(one), { med, stale: false });
  }

  withdraw(peer: number, nlri: readonly { prefix: Prefix; pathId: number }[]): void {
    this.ribs[peer]?.withdrawAll(new NlriList(nlri), this.sink);
    for (const one of nlri) this.model[peer]?.delete(keyOf(one));
  }

  markStale(peer: number): void {
    this.ribs[peer]?.markStale(this.sink);
    this.#sweepModel(peer);
    for (const route of this.model[peer]?.values() ?? []) route.stale = true;
  }

  sweepStale(peer: number): void {
    this.ribs[peer]?.sweepStale(this.sink);
    this.#sweepModel(peer);
  }

  condemn(peer: number): void {
    this.ribs[peer]?.condemn();
    for (const route of this.model[peer]?.values() ?? []) route.stale = true;
  }

  drain(peer: number): void {
    while (this.ribs[peer]?.sweepSome(2, this.sink) === true);
    this.#sweepModel(peer);
  }

  reimport(peer: number, policy: number): void {
    this.ribs[peer]?.reimport(importerOf(policy));
    this.policies[peer] = policy;
  }

  judgeSome(peer: number): boolean {
    return this.ribs[peer]?.judgeSome(1, this.sink) ?? false;
  }

  clear(peer: number): void {
    this.ribs[peer]?.clear(this.sink);
    this.model[peer]?.clear();
  }

  decide(): void {
    while (this.locRib.decideSome(2));
  }

  /** Every number and every path that can be asked for, against the model. */
  check(): void {
    for (const [peer, model] of this.model.entries()) {
      const rib = this.ribs[peer] as AdjRibIn;
      const routes = [...model];
      const accepted = routes.filter(([key]) => this.#imported(peer, key) !== undefined);
      const stale = routes.filter(([, route]) => route.stale);
      const fresh = {
        received: routes.length - stale.length,
        accepted: accepted.filter(([, route]) => !route.stale).length,
        judging: rib.judging,
      };
      expect([rib.size, rib.accepted, rib.stale, rib.fresh]).to.deep.equal([
        routes.length,
        accepted.length,
        stale.length,
        fresh,
      ]);
      const held = [...rib.entries()].map(
        ({ id, path, stale: old }) =>
          `${this.#name(id, path)} ${path.received.med} ${old} ${rib.isStale(id, path)}`,
      );
      expect(held.sort()).to.deep.equal(
        routes.map(([key, route]) => `${key} ${route.med} ${route.stale} ${route.stale}`).sort(),
      );
    }
    this.#checkLocRib();
  }

  #checkLocRib(): void {
    for (const prefix of PREFIXES) {
      const id = this.index.find(prefix);
      const paths = id === undefined ? [] : this.locRib.paths(id);
      const wanted = this.model.flatMap((model, peer) =>
        [...model.keys()].flatMap((key) => {
          const med = key.startsWith(`${prefix.toString()} `) ? this.#imported(peer, key) : undefined;
          return med === undefined ? [] : [`${peer + 1} ${key.split(' ')[1]} ${med}`];
        }),
      );
      expect(
        paths.map((path) => `${path.source.id} ${path.pathId} ${path.attributes.med}`).sort(),
      ).to.deep.equal(wanted.sort());
      const lowest = Math.min(...paths.map((path) => path.attributes.med ?? 0));
      if (id !== undefined) expect(this.locRib.best(id)?.attributes.med ?? Infinity).to.equal(lowest);
    }
  }

  #imported(peer: number, key: string): number | undefined {
    const prefix = Prefix.parse(key.split(' ')[0] ?? '') as Prefix;
    return POLICIES[this.policies[peer] ?? 0]?.(this.model[peer]?.get(key)?.med ?? 0, prefix);
  }

  #name(id: number, path: Path): string {
    return `${String(this.index.prefix(id))} ${path.pathId}`;
  }

  #sweepModel(peer: number): void {
    const model = this.model[peer] as Map<string, Expected>;
    for (const [key, { stale }] of model) if (stale) model.delete(key);
  }
}

function keyOf({ prefix, pathId }: { prefix: Prefix; pathId: number }): string {
  return `${prefix.toString()} ${pathId}`;
}

const nlri = fc.array(
  fc.record({ prefix: fc.constantFrom(...PREFIXES), pathId: fc.constantFrom(0, 0, 1, 2) }),
  { minLength: 1, maxLength: 5 },
);
const peer = fc.nat(1);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ act: fc.constant('announce' as const), peer, nlri, med: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constant('withdraw' as const), peer, nlri }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('decide' as const) }) },
  fc.record({ act: fc.constantFrom('mark', 'sweep', 'clear', 'condemn', 'drain', 'judge'), peer }),
  fc.record({ act: fc.constant('reimport' as const), peer, policy: fc.nat(POLICIES.length - 1) }),
);

describe('AdjRibIn and LocRib', () => {
  it('hold what the peers said last, as import makes it, whatever happened; and nothing once all is gone', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const bench = new Bench();
        for (const one of steps) {
          if (one.act === 'announce') bench.announce(one.peer, one.nlri, one.med);
          else if (one.act === 'withdraw') bench.withdraw(one.peer, one.nlri);
          else if (one.act === 'reimport') bench.reimport(one.peer, one.policy);
          else if (one.act === 'decide') bench.decide();
          else if (one.act === 'mark') bench.markStale(one.peer);
          else if (one.act === 'sweep') bench.sweepStale(one.peer);
          else if (one.act === 'condemn') bench.condemn(one.peer);
          else if (one.act === 'drain') bench.drain(one.peer);
          else if (one.act === 'judge') bench.judgeSome(one.peer);
          else bench.clear(one.peer);
        }
        while (bench.judgeSome(0) || bench.judgeSome(1));
        bench.decide();
        bench.check();
        bench.clear(0);
        bench.clear(1);
        bench.decide();
        expect([bench.index.size, bench.paths.size, bench.pool.size, bench.locRib.size]).to.deep.equal([
          0, 0, 0, 0,
        ]);
      }),
      { numRuns: 500 },
    );
  });

  it('share one path among the prefixes of an UPDATE, and ask policy once', () => {
    const bench = new Bench();
    let asked = 0;
    const count: Importer = {
      looksAtPrefix: false,
      judge: ({ attributes }) => {
        asked++;
        return { accepted: true, attributes };
      },
    };
    bench.ribs[0]?.reimport(count);
    bench.announce(
      0,
      PREFIXES.map((prefix) => ({ prefix, pathId: 0 })),
      1,
    );
    bench.decide();
    expect([asked, bench.paths.size]).to.deep.equal([1, 1]);
    const best = PREFIXES.map((prefix) => bench.locRib.best(bench.index.find(prefix) as number));
    expect(new Set(best).size).to.equal(1);
  });

  it('say nothing of what is only repeated', () => {
    const bench = new Bench();
    const all = PREFIXES.map((prefix) => ({ prefix, pathId: 0 }));
    bench.announce(0, all, 1);
    bench.markStale(0);
    bench.decide();
    const cursor = bench.locRib.journal.open();
    bench.announce(0, all, 1);
    bench.decide();
    expect([bench.ribs[0]?.stale, bench.locRib.journal.hasMore(cursor)]).to.deep.equal([0, false]);
  });
});
