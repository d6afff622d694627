import { expect } from 'chai';
import type { Rate } from './measure.ts';
import { type Comparison, linesOf, type Section, tableOf, verdictsOf } from './verdict.ts';

function rate(peer: string, perSecond: number): Rate {
  return {
    peer,
    perSecond,
    p50Ms: 1.234,
    p99Ms: 12.3,
    perCommit: 9.96,
    refused: 1,
    clientMicros: 120,
    etcdMicros: 50,
    syncing: 0.25,
  };
}

function comparison(callers: number, poplin: number): Comparison {
  return {
    nodes: 1,
    callers,
    rates: [rate('bare CAS', 2000), rate('one CAS an address', 100), rate('Poplin', poplin)],
  };
}

function section(comparisons: readonly Comparison[], written: number, refused: number): Section {
  const coldStart = { nodes: 100, pods: 50, seconds: 1, written, refused, reads: 300, fewest: 100 };
  return { disk: 'tmpfs', comparisons, coldStart };
}

describe('what the IPAM bench holds figures against', () => {
  const cases = [
    { it: 'one caller that is as quick', at: section([comparison(1, 100)], 100, 20), want: [true, true] },
    { it: 'one caller that is slower', at: section([comparison(1, 99)], 100, 0), want: [false, true] },
    { it: 'ten callers ten times as quick', at: section([comparison(10, 1000)], 120, 0), want: [true, true] },
    { it: 'ten callers nearly so', at: section([comparison(10, 990)], 100, 0), want: [false, true] },
    { it: 'too many in vain', at: section([comparison(10, 1000)], 100, 21), want: [true, false] },
  ];
  for (const { it: title, at, want } of cases) {
    it(`${title}: ${want.map((met) => (met ? 'met' : 'missed')).join(', ')}`, () =>
      expect(verdictsOf(at).map(({ isMet }) => isMet)).to.deep.equal(want));
  }

  it('is missed, and not met, where a peer has no figures', () => {
    const bare: Comparison = { nodes: 1, callers: 1, rates: [rate('bare CAS', 1)] };
    const [verdict] = verdictsOf({ disk: 'tmpfs', comparisons: [bare], coldStart: undefined });
    expect(verdict?.isMet).to.equal(false);
  });

  it('is told with the figures beside it', () => {
    const at = section([comparison(10, 1530)], 100, 6);
    const lines = tableOf(at).split('\n');
    expect(
      lines
        .find((line) => line.includes('Poplin'))
        ?.trim()
        .split(/ {2,}/),
    ).to.deep.equal(['Poplin', '1530', '1.23', '12.30', '10.0', '1', '120', '50', '25%']);
    expect(linesOf(verdictsOf(at))).to.equal(
      [
        'met     tmpfs: 1 node with 10 callers: at least 10 times one CAS an address: 15.3 times',
        'met     tmpfs: cold start of 100 nodes with 50 pods: at most 120 transactions (100 are the fewest): 100 and 6 in vain',
      ].join('\n'),
    );
  });
});
