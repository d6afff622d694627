/** Fixed seeds in every run of the tests; `npm run fuzz -- bgp` goes on from any other. */
import { expect } from 'chai';
import { campaign, caseOf } from './campaign.ts';
import { damaged } from './mutate.ts';
import { minimal } from './minimize.ts';
import { validSession } from './generate.ts';
import { Random } from './random.ts';
import { report } from './report.ts';
import { Trial } from './trial.ts';
import { judgeUpdate } from './oracle/update.ts';
import { SessionOracle } from './oracle/session.ts';
import { written } from './draft.ts';

/** Three times about twenty seconds: a minute in every run of the tests. */
const CASES = 7_000;

describe('a speaker among damaged sessions', function () {
  this.timeout(400_000);

  for (const seed of [1, 2, 3]) {
    it(`does what the RFCs say, ${CASES} times from seed ${seed}`, () => {
      const { failure } = campaign(seed, (cases) => cases < CASES);
      expect(failure === undefined ? '' : report(failure)).to.equal('');
    });
  }
});

describe('the fuzzer', () => {
  it('makes the same case of the same seed', () => {
    expect(caseOf(7, 41)).to.deep.equal(caseOf(7, 41));
    expect(caseOf(7, 41)).to.not.deep.equal(caseOf(7, 42));
  });

  it('starts from sessions that the oracle finds valid', () => {
    for (let i = 0; i < 300; i++) {
      const oracle = new SessionOracle({ asn: 65_001, localAsn: 65_101, localId: 1 });
      for (const draft of validSession('external', new Random(i))) oracle.hear(written(draft));
      expect(oracle.expected.end.state).to.equal('Established');
      expect(oracle.expected.treatedAsWithdraw).to.equal(0);
    }
  });

  it('damages in every way that ends differently', () => {
    const ends = new Set<string>();
    for (let i = 0; i < 3_000; i++) {
      const oracle = new SessionOracle({ asn: 65_001, localAsn: 65_101, localId: 1 });
      const random = new Random(i);
      for (const octets of damaged(validSession('external', random), random)) oracle.hear(octets);
      const { end, treatedAsWithdraw } = oracle.expected;
      ends.add(
        end.state === 'closed'
          ? (end.by[0] ?? 'close')
          : `${end.state} ${treatedAsWithdraw > 0 ? 'treated' : ''}`,
      );
    }
    const due = '1/1 1/2 1/3 2/0 2/1 2/2 2/3 2/4 2/6 3/1 3/2 3/4 3/9 3/10 5/1 5/2 5/3 7/1 close'.split(' ');
    expect([...ends]).to.include.members([...due, 'Established ', 'Established treated']);
  });

  it('sees a speaker that differs from the RFCs, and cuts the case down', () => {
    // A message that the oracle is told about and the speaker is not: what is held differs.
    const one = caseOf(3, 5);
    expect(new Trial().run(one)).to.deep.equal([]);
    const blind = new Trial((octets) => octets.subarray(0, octets.length - 1));
    expect(
      blind.run({ kind: 'external', writes: validSession('external', new Random(1)).map(written) }),
    ).to.not.deep.equal([]);
    expect(minimal(one).writes.length).to.be.at.most(one.writes.length + 1);
  });

  it('has an oracle that knows the difference between a lost attribute and a lost session', () => {
    const session = { internal: false, fourOctets: true, versions: [4, 6] } as const;
    const sound = validSession('external', new Random(11))
      .map(written)
      .find((octets) => octets[18] === 2);
    expect(sound && judgeUpdate(sound, session).outcome).to.equal('accept');
  });
});
