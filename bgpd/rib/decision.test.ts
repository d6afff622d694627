import { expect } from 'chai';
import fc from 'fast-check';
import { AttributePool } from './attributes.ts';
import { decide, DECISION_STEPS, DEFAULT_DECISION, explain, type DecisionOptions } from './decision.ts';
import type { Path } from './path.ts';
import type { PathAttributes } from '../wire/types.ts';
import { pathOf, type PathSketch } from './testing/sketch.ts';

const pool = new AttributePool();
const path = (sketch: PathSketch): Path => pathOf(pool, sketch);

/** Each row: the second path loses to the first, and only by this step. */
const ladder: { step: string; better: PathSketch; worse: PathSketch; options?: Partial<DecisionOptions> }[] =
  [
    { step: 'next hop reachable', better: { asPath: [1, 2, 3] }, worse: { reachable: false, asPath: [1] } },
    { step: 'our own route', better: { kind: 'local' }, worse: { localPref: 500, kind: 'internal' } },
    { step: 'higher LOCAL_PREF', better: { localPref: 101, asPath: [1, 2] }, worse: { asPath: [1] } },
    { step: 'lower AIGP', better: { aigp: 9, asPath: [7, 8] }, worse: { aigp: 10 }, options: { aigp: true } },
    { step: 'lower AIGP', better: { aigp: 9, asPath: [7, 8] }, worse: {}, options: { aigp: true } },
    // Equal as floating-point numbers.
    {
      step: 'lower AIGP',
      better: { aigp: 0xffff_ffff_ffff_fff0n, asPath: [7, 8] },
      worse: { aigp: 0xffff_ffff_ffff_fff0n, interiorCost: 1 },
      options: { aigp: true },
    },
    { step: 'shorter AS_PATH', better: { asPath: [7], origin: 'incomplete' }, worse: { asPath: [7, 8] } },
    { step: 'lower ORIGIN', better: { origin: 'IGP', med: 9 }, worse: { origin: 'EGP' } },
    { step: 'lower ORIGIN', better: { origin: 'EGP' }, worse: { origin: 'incomplete' } },
    { step: 'lower MED', better: { med: 1, kind: 'internal' }, worse: { med: 2 } },
    { step: 'lower MED', better: {}, worse: { med: 1 } },
    { step: 'lower MED', better: { med: 1 }, worse: {}, options: { missingMedIsWorst: true } },
    {
      step: 'lower MED',
      better: { med: 1, asPath: [8] },
      worse: { med: 2, asPath: [7] },
      options: { alwaysCompareMed: true },
    },
    { step: 'eBGP before iBGP', better: { interiorCost: 9 }, worse: { kind: 'internal' } },
    {
      step: 'nearer next hop',
      better: { interiorCost: 1, routerId: 2 },
      worse: { interiorCost: 2, routerId: 1 },
    },
    {
      step: 'lower router id',
      better: { routerId: 1, address: '10.0.0.9' },
      worse: { routerId: 2, address: '10.0.0.1' },
    },
    { step: 'lower router id', better: { routerId: 9, originatorId: 1 }, worse: { routerId: 2 } },
    {
      step: 'shorter CLUSTER_LIST',
      better: { kind: 'internal', clusterList: [1], address: '10.0.0.9' },
      worse: { kind: 'internal', clusterList: [1, 2], address: '10.0.0.1' },
    },
    { step: 'lower peer address', better: { address: '10.0.0.9' }, worse: { address: '10.0.0.10' } },
    { step: 'lower peer address', better: { address: '10.0.0.9' }, worse: { address: 'fd00::1' } },
    { step: 'lower path id', better: { id: 1, pathId: 1 }, worse: { id: 1, pathId: 2 } },
  ];

function neighbourAs(asPath: PathAttributes['asPath']): number {
  return new AttributePool().intern({ origin: 'IGP', asPath }).neighbourAs;
}

/** In a title. */
function shown(sketch: PathSketch): string {
  return JSON.stringify(sketch, (_key, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  );
}

describe('decision process', () => {
  for (const { step, better, worse, options } of ladder) {
    it(`prefers ${step}: ${shown(better)} to ${shown(worse)}`, () => {
      const [a, b] = [path(better), path(worse)];
      const settings = { ...DEFAULT_DECISION, ...options };
      for (const order of [
        [a, b],
        [b, a],
      ]) {
        expect(decide(order, settings).best).to.equal(a);
        expect(explain(order, settings).get(b)).to.equal(step);
        expect(explain(order, settings).get(a)).to.equal(undefined);
      }
    });
  }

  it('has a row in the ladder for every step', () => {
    expect(new Set(ladder.map((row) => row.step))).to.deep.equal(
      new Set(DECISION_STEPS.map((step) => step.reason)),
    );
  });

  it('compares MED only within a neighbour AS', () => {
    const a = path({ asPath: [7], med: 100, routerId: 1 });
    const b = path({ asPath: [8], med: 1, routerId: 2 });
    expect(decide([a, b], DEFAULT_DECISION).best).to.equal(a);
  });

  it('compares MED by the first AS behind confederation segments (RFC 5065 §5.3)', () => {
    const confed = { type: 'confed-sequence', asns: [9, 8] } as const;
    expect(neighbourAs([confed, { type: 'sequence', asns: [7, 6] }])).to.equal(7);
    expect(neighbourAs([confed])).to.equal(0);
  });

  it('resolves the circle that pairwise comparison runs in (RFC 3345)', () => {
    // a beats b by MED, b beats c and c beats a by router id: whoever arrives last would win a bubble sort.
    const a = path({ asPath: [7], med: 1, routerId: 3 });
    const b = path({ asPath: [7], med: 2, routerId: 1 });
    const c = path({ asPath: [8], med: 9, routerId: 2 });
    for (const order of permutations([a, b, c])) expect(decide(order, DEFAULT_DECISION).best).to.equal(c);
    expect(explain([a, b, c], DEFAULT_DECISION).get(b)).to.equal('lower MED');
    expect(explain([a, b, c], DEFAULT_DECISION).get(a)).to.equal('lower router id');
  });

  it('answers the same for all 720 orders of any six paths', function () {
    this.timeout(120_000);
    const sixPaths = fc.array(anySketch, { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(sixPaths, anyOptions, (sketches, options) => {
        const paths = sketches.map((sketch, i) => path({ ...sketch, id: i + 1, pathId: i }));
        const expected = decide(paths, options);
        const reasons = explain(paths, options);
        for (const order of permutations(paths)) {
          const { best, multipath } = decide(order, options);
          if (best !== expected.best || multipath.some((p, i) => p !== expected.multipath[i])) return false;
        }
        for (const each of paths)
          if (explain([...paths].reverse(), options).get(each) !== reasons.get(each)) return false;
        return true;
      }),
      { numRuns: 60 },
    );
  });

  it('never chooses a path that some other path beats at the first step that tells them apart', () => {
    fc.assert(
      fc.property(fc.array(anySketch, { minLength: 1, maxLength: 8 }), (sketches) => {
        const paths = sketches.map((sketch, i) => path({ ...sketch, id: i + 1 }));
        const { best } = decide(paths, DEFAULT_DECISION);
        const usable = paths.filter((p) => p.reachable);
        if (usable.length === 0) return best === undefined;
        const locals = usable.filter((p) => p.source.kind === 'local');
        const pool2 = locals.length > 0 ? locals : usable;
        const highest = Math.max(...pool2.map((p) => p.attributes.localPref));
        return best !== undefined && pool2.includes(best) && best.attributes.localPref === highest;
      }),
    );
  });

  it('removing a losing path never changes the winner, unless it was the one whose MED struck others out', () => {
    fc.assert(
      fc.property(fc.array(anySketch, { minLength: 2, maxLength: 6 }), (sketches) => {
        const options = { ...DEFAULT_DECISION, alwaysCompareMed: true };
        const paths = sketches.map((sketch, i) => path({ ...sketch, id: i + 1 }));
        const { best } = decide(paths, options);
        return paths
          .filter((p) => p !== best)
          .every(
            (p) =>
              decide(
                paths.filter((q) => q !== p),
                options,
              ).best === best,
          );
      }),
    );
  });

  it('has no best path where no next hop can be reached', () => {
    const dead = [path({ reachable: false }), path({ reachable: false, id: 2 })];
    expect(decide(dead, DEFAULT_DECISION)).to.deep.equal({ best: undefined, multipath: [] });
    expect([...explain(dead, DEFAULT_DECISION).values()]).to.deep.equal([
      'next hop reachable',
      'next hop reachable',
    ]);
    expect(decide([], DEFAULT_DECISION).best).to.equal(undefined);
  });

  describe('multipath', () => {
    const a = path({ id: 1, asPath: [7], address: '10.0.0.1', routerId: 1 });
    const b = path({ id: 2, asPath: [8], address: '10.0.0.2', routerId: 2 });
    const c = path({ id: 3, asPath: [7], address: '10.0.0.3', routerId: 3 });
    const worse = path({ id: 4, asPath: [7, 8], address: '10.0.0.4', routerId: 4 });
    const inner = path({ id: 5, asPath: [7], kind: 'internal', address: '10.0.0.5', routerId: 5 });

    it('uses all paths that are equal up to the tie-break', () => {
      expect(decide([worse, c, b, inner, a], DEFAULT_DECISION).multipath).to.deep.equal([a, b, c]);
    });
    it('asks for the same AS_PATH when told to', () => {
      expect(decide([c, b, a], { ...DEFAULT_DECISION, multipathRelax: false }).multipath).to.deep.equal([
        a,
        c,
      ]);
    });
    it('stops at the maximum', () => {
      expect(decide([c, b, a], { ...DEFAULT_DECISION, maximumPaths: 2 }).multipath).to.deep.equal([a, b]);
      expect(decide([c, b, a], { ...DEFAULT_DECISION, maximumPaths: 1 }).multipath).to.deep.equal([a]);
    });
    it('never mixes our own route with a learned one', () => {
      const own = path({ id: 6, kind: 'local' });
      expect(decide([own, a], DEFAULT_DECISION).multipath).to.deep.equal([own]);
    });
  });
});

const anySketch: fc.Arbitrary<PathSketch> = fc.record({
  kind: fc.constantFrom('external', 'internal', 'external', 'local'),
  reachable: fc.constantFrom(true, true, true, false),
  localPref: fc.constantFrom(100, 100, 100, 200),
  asPath: fc.constantFrom([7], [8], [9], [7, 9], [8, 9]),
  origin: fc.constantFrom('IGP', 'IGP', 'EGP'),
  med: fc.constantFrom(undefined, 1, 2, 3),
  aigp: fc.constantFrom(undefined, 5, 7),
  interiorCost: fc.constantFrom(0, 0, 10),
  routerId: fc.constantFrom(1, 2, 3),
  clusterList: fc.constantFrom(undefined, [1], [1, 2]),
  address: fc.constantFrom('10.0.0.1', '10.0.0.2', 'fd00::1'),
});

const anyOptions: fc.Arbitrary<DecisionOptions> = fc.record({
  alwaysCompareMed: fc.boolean(),
  missingMedIsWorst: fc.boolean(),
  aigp: fc.boolean(),
  ignoreAsPathLength: fc.boolean(),
  maximumPaths: fc.constantFrom(1, 2, 16),
  multipathRelax: fc.boolean(),
});

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}
