import { expect } from 'chai';
import { parseBenchOptions } from './options.ts';
import { lineOf, median, quantile, tableOf } from './report.ts';
import type { Outcome } from './run.ts';
import { SCENARIOS } from './scenarios.ts';

const TRAFFIC = { cpuSeconds: 0.1, octetsOut: 1, octetsIn: 1, entriesIn: 1 };

function good(seconds: number, stallMs?: number): Outcome {
  const measured = { seconds, cpuSeconds: seconds / 2, peakBytes: 2 ** 20 * seconds, traffic: TRAFFIC };
  return { ok: true, measured: stallMs === undefined ? measured : { ...measured, stallMs } };
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
    ['bgp', '--scale', '2'],
    ['bgp', '--fast'],
  ]) {
    it(`refuses ${JSON.stringify(args)}`, () => expect(parseBenchOptions(args).ok).to.equal(false));
  }
});
