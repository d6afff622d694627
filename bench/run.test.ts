/** Scenarios with every kind of act and of session, much smaller, against Poplin and against the pipe: real sessions in real namespaces. */
import { expect } from 'chai';
import { listNamespaces } from '../net/kernel/index.ts';
import { measure } from './run.ts';
import { SCENARIOS } from './scenarios.ts';
import { pipe } from './targets/pipe.ts';
import { poplin } from './targets/poplin.ts';

const SCALE = 0.002;

describe('a run of the bench', function () {
  this.timeout(120_000);
  before(function () {
    if (process.getuid?.() === 0) return;
    console.warn('SKIPPED: a run of the bench needs root, for namespaces');
    this.skip();
  });

  for (const scenario of SCENARIOS.filter(({ name }) => ['b', 'd', 'e', 'f', 'g'].includes(name))) {
    it(`measures (${scenario.name})`, async () => {
      const outcome = await measure(scenario, poplin, SCALE);
      if (!outcome.ok) throw new Error(outcome.reason);
      const { measured } = outcome;
      expect(measured.seconds).to.be.within(0, 10);
      expect(measured.peakBytes).to.be.greaterThan(10 * 2 ** 20);
      expect(measured.stallMs).to.be.a('number');
      expect(measured.traffic.entriesIn).to.be.greaterThan(0);
      if (scenario.figure === 'latency') expect(measured.latenciesMs).to.have.length.greaterThan(10);
    });
  }

  it('measures itself against a pipe', async () => {
    const scenario = SCENARIOS.find(({ name }) => name === 'g');
    if (scenario === undefined) throw new Error('no such scenario');
    expect((await measure(scenario, pipe, SCALE)).ok).to.equal(true);
  });

  it('says why a run has no figures', async () => {
    const scenario = SCENARIOS.find(({ name }) => name === 'a');
    if (scenario === undefined) throw new Error('no such scenario');
    const broken = {
      ...pipe,
      command: () => ['node', '-e', 'console.error("no licence"); process.exit(3)'] as const,
    };
    const outcome = await measure(scenario, broken, SCALE);
    expect(outcome.ok ? '' : outcome.reason).to.match(
      /ended with 3 \(0 of 2 sessions stood.*it said: no licence/,
    );
  });

  after(() => {
    const left = listNamespaces().filter((name) => name.startsWith(`poplin-bench-${process.pid}-`));
    expect(left).to.deep.equal([]);
  });
});
