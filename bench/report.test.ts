import { expect } from 'chai';
import { parseBenchOptions } from './options.ts';
import { type Line, lineOf, median, quantile, tableOf } from './report.ts';
import type { Outcome } from './run.ts';
import { SCENARIOS } from './scenarios.ts';
import { verdictOf } from './verdict.ts';

const TRAFFIC = { cpuSeconds: 0.1, octetsOut: 1, octetsIn: 1, entriesIn: 1 };

function good(seconds: number, stallMs?: number): Outcome {
  const measured = { seconds, cpuSeconds: seconds / 2, peakBytes: 2 ** 20 * seconds, traffic: TRAFFIC };
  return { ok: true, measured: stallMs === undefined ? measured : { ...measured, stallMs } };
}

function line(target: string, ...outcomes: Outcome[]): Line {
  return lineOf({ target, outcomes });
}

function flaps(...latenciesMs: number[]): Outcome {
  const outcome = good(1);
  return outcome.ok ? { ok: true, measured: { ...outcome.measured, latenciesMs } } : outcome;
}

describe('the report of the bench', () => {
  it('takes medians and nearest ranks', () => {
    expect(median([3, 1, 2])).to.equal(2);
    expect(median([4, 1, 2, 3])).to.equal(2.5);
    expect(quantile([5, 1, 4, 2, 3], 0.5)).to.equal(3);
    expect(quantile([1, 2], 0.99)).to.equal(2);
  });

  it('tells medians of the runs that ended, the worst stall, and why a run did not end', () => {
    const line = lineOf({
      target: 'Poplin',
      outcomes: [good(3, 10), { ok: false, reason: 'it took too long' }, good(1, 40), good(2, 5)],
    });
    expect(line).to.include({ runs: 3, seconds: 2, fastest: 1, slowest: 3, stallMs: 40 });
    expect(line.failure).to.equal('it took too long');
  });

  it('compares with the best of the others, and never with the floor', () => {
    const scenario = SCENARIOS[0];
    if (scenario === undefined) throw new Error('no scenarios');
    const lines = [
      lineOf({ target: 'Poplin', outcomes: [good(1)] }),
      lineOf({ target: 'BIRD', outcomes: [good(2)] }),
      lineOf({ target: 'FRR', outcomes: [good(4)] }),
      lineOf({ target: 'pipe', outcomes: [good(0.1)] }),
      lineOf({ target: 'GoBGP', outcomes: [{ ok: false, reason: 'it took too long' }] }),
    ];
    const table = tableOf(scenario, lines, 'Poplin', 0.5).split('\n');
    expect(table[0]).to.match(/^\(a\) .*, scaled by 0\.5$/);
    const row = (name: string): string[] =>
      table
        .find((one) => one.includes(name))
        ?.trim()
        .split(/ {2,}/) ?? [];
    expect(row('Poplin').slice(0, 3)).to.deep.equal(['Poplin', '1.00', '0.50']);
    expect(row('BIRD').slice(0, 3)).to.deep.equal(['BIRD', '2.00', '1.00']);
    expect(row('FRR').slice(0, 3)).to.deep.equal(['FRR', '4.00', '2.00']);
    expect(row('GoBGP').at(-1)).to.equal('no figures: it took too long');
  });
});

describe('the verdict of the bench', () => {
  const [speed] = SCENARIOS;
  const flap = SCENARIOS.find(({ figure }) => figure === 'latency');
  if (speed === undefined || flap === undefined) throw new Error('scenarios are missing');
  const gaveUp: Outcome = { ok: false, reason: 'gave up after 150 s (x)', gaveUpAfterSeconds: 150 };

  it('says whether Poplin is ahead of the best of the others, and by how much', () => {
    const others = [line('BIRD', good(2)), line('FRR', good(4)), line('GoBGP', gaveUp)];
    expect(verdictOf(speed, [line('Poplin', good(1, 20)), ...others], 'Poplin')).to.deep.equal([
      'time: ahead, 0.50 x BIRD (best of BIRD, FRR, GoBGP)',
      "memory: within 1.5 times BIRD's: 0.50",
      'stall: within 50 ms: 20',
    ]);
    expect(verdictOf(speed, [line('Poplin', good(3.5, 60)), ...others], 'Poplin')).to.deep.equal([
      'time: behind, 1.75 x BIRD (best of BIRD, FRR, GoBGP)',
      "memory: over 1.5 times BIRD's: 1.75",
      'stall: over 50 ms: 60',
    ]);
  });

  it('takes who gave up for slower than the time it had', () => {
    const [own, late] = [line('Poplin', good(3)), line('GoBGP', gaveUp)];
    expect(verdictOf(speed, [own, late], 'Poplin')).to.deep.equal([
      'time: ahead, less than 0.02 x GoBGP, who gave up',
    ]);
    expect(tableOf(speed, [own, late], 'Poplin', 1)).to.match(
      /GoBGP +> 150 .*no figures: gave up after 150 s/,
    );
    expect(verdictOf(speed, [line('Poplin', gaveUp), late], 'Poplin')).to.deep.equal([
      'time: no figure: gave up after 150 s (x)',
    ]);
  });

  it('looks at both quantiles of latencies', () => {
    const lines = [line('Poplin', flaps(1, 1, 9)), line('FRR', flaps(2, 2, 3))];
    expect(verdictOf(flap, lines, 'Poplin')).to.deep.equal([
      'p50: ahead, 0.50 x FRR (best of FRR)',
      'p99: behind, 3.00 x FRR (best of FRR)',
    ]);
  });
});

describe('the command line of the bench', () => {
  it('runs everything three times where nothing is said', () => {
    const parsed = parseBenchOptions(['bgp']);
    if (!parsed.ok) throw new Error('refused');
    expect(parsed.value.scenarios).to.equal(SCENARIOS);
    expect(parsed.value.targets.map(({ name }) => name)).to.deep.equal([
      'Poplin',
      'BIRD',
      'FRR',
      'OpenBGPD',
      'GoBGP',
    ]);
    expect(parsed.value).to.include({ runs: 3, scale: 1, json: false });
  });

  it('picks scenarios and targets by name, "c" for both of its sizes', () => {
    const parsed = parseBenchOptions(['bgp', '--scenario', 'g,c', '--target', 'pipe,poplin']);
    if (!parsed.ok) throw new Error('refused');
    expect(parsed.value.scenarios.map(({ name }) => name)).to.deep.equal(['c500', 'c1000', 'g']);
    expect(parsed.value.targets.map(({ name }) => name)).to.deep.equal(['Poplin', 'pipe']);
  });

  for (const args of [
    [],
    ['policy'],
    ['bgp', '--scenario', 'z'],
    ['bgp', '--target', 'quagga'],
    ['bgp', '--runs', '0'],
    ['bgp', '--scale', '6'],
    ['bgp', '--fast'],
  ]) {
    it(`refuses ${JSON.stringify(args)}`, () => expect(parseBenchOptions(args).ok).to.equal(false));
  }
});
