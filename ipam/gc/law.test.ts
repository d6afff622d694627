/**
 * The law of IPAM with its collector: no address is held by two, whoever dies wherever, and after the collector has run none
 * is held by nobody. On interleavings drawn at random; `npm run soak -- ipam-model` draws more.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import type { Burst } from '../interleaving.ts';
import { type Agent, HOSTS, type Life, runLaw, type Step } from './law.ts';
import { MUTANTS } from './mutants.ts';

const RUNS = Number(process.env['POPLIN_IPAM_GC_RUNS'] ?? 1500);
/** Enough for any of the mistakes; most are seen within a few dozen runs. */
const MUTANT_RUNS = 10_000;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('attach' as const),
      pod: fc.nat(1),
      v4: fc.integer({ min: 0, max: 2 }),
      v6: fc.integer({ min: 0, max: 1 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('detach' as const), pod: fc.nat(1) }) },
  { weight: 3, arbitrary: fc.constant<Step>({ do: 'collect' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'node leaves' }) },
);
const life: fc.Arbitrary<Life> = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 4 }),
  dies: fc.option(fc.nat(60), { nil: undefined }),
});
const agents: fc.Arbitrary<Agent[]> = fc.array(
  fc.record({ host: fc.constantFrom(...HOSTS), lives: fc.array(life, { minLength: 1, maxLength: 3 }) }),
  { minLength: 2, maxLength: 4 },
);
const plan: fc.Arbitrary<Burst[]> = fc.array(
  fc.record({
    writer: fc.nat(3),
    steps: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 80 })),
  }),
  { maxLength: 30 },
);
const engine = fc.record({
  transactional: fc.boolean(),
  strict: fc.boolean(),
  cooldownSeconds: fc.constantFrom(0, 40),
});

describe('the law of IPAM, garbage collected', () => {
  it('holds in any order, dying anywhere, with and without transactions', async function () {
    this.timeout(3_600_000);
    await fc.assert(
      fc.asyncProperty(agents, plan, engine, async (agents, plan, options) => {
        expect((await runLaw(agents, plan, options)).join('\n')).to.equal('');
      }),
      { numRuns: RUNS },
    );
  });

  for (const { mistake, transactional = false, cooldownSeconds = 0, ...mutation } of MUTANTS) {
    it(`is seen to be broken by one who ${mistake}`, async function () {
      this.timeout(120_000);
      const found = await fc.check(
        fc.asyncProperty(agents, plan, fc.boolean(), async (agents, plan, strict) => {
          const broken = await runLaw(agents, plan, { transactional, strict, cooldownSeconds, mutation });
          return broken.length === 0;
        }),
        { numRuns: MUTANT_RUNS, endOnFailure: true, seed: 3 },
      );
      expect(found.failed, `not seen in ${found.numRuns} runs`).to.equal(true);
    });
  }
});
