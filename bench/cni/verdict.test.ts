/** What the bench of the CNI plugin says of its figures. */
import { expect } from 'chai';
import { type Figures, quantile, tableOf, verdictsOf } from './verdict.ts';

const SIZE = { rounds: 3, atOnce: 50, restart: 250 };

function figures(peer: string, ms: number): Figures {
  const list = [ms, ms + 1, ms + 2];
  return { peer, add: list, del: list, addAtOnceMs: list, delAtOnceMs: list, restartMs: [ms * 10] };
}

describe('bench cni: verdicts', () => {
  it('takes the middle and the end of what was measured', () => {
    expect(quantile([3, 1, 2], 0.5)).to.equal(2);
    expect(quantile([3, 1, 2], 0.99)).to.equal(3);
    expect(Number.isNaN(quantile([], 0.5))).to.equal(true);
  });

  it('holds the subject against the best of the others, and DEL against the floor', () => {
    const all = [figures('Poplin', 10), figures('a', 30), figures('b', 20), figures('floor', 10)];
    const verdicts = verdictsOf(all, SIZE, 'Poplin', 'floor');
    expect(verdicts.map(({ target, isMet }) => [target, isMet])).to.deep.equal([
      ['ADD, median: below b', true],
      ['ADD, p99: below b', true],
      ['50 ADDs at once: at most half of b', false],
      ['50 DELs at once: below b', true],
      ['DEL, median: the floor, within 15 %', true],
      ['a node restarts with 250 pods: under 10 s', true],
    ]);
    expect(verdicts[2]?.found).to.equal('0.52 times');
  });

  it('has a row for each peer', () => {
    const text = tableOf([figures('Poplin', 10), figures('a', 30)], SIZE);
    expect(text.split('\n')).to.have.length(3);
    expect(text).to.contain('50 ADDs').and.contain('250 ADDs');
  });
});
