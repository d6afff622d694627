/** A set that is refused closes what looks into it, and nothing else, until it is taken. */
import { expect } from 'chai';
import { type Chain, type Rule, type Verdict, rule } from '../rules/types.ts';
import { ClosedChains } from './closed-chains.ts';

const DROP: Verdict = { kind: 'drop' };
const ACCEPT: Verdict = { kind: 'accept' };

function looking(set: string, verdict: Verdict, not?: true): Rule {
  return rule(
    [
      { kind: 'protocol', protocol: 'udp' },
      { kind: 'set', side: 'source', set, with: 'address', ...(not === undefined ? {} : { not }) },
    ],
    verdict,
    'Policy NetworkPolicy a/x ingress',
  );
}

function chain(name: string, ...rules: readonly Rule[]): Chain {
  return { name, rules };
}

describe('chains that look into a refused set', () => {
  it('drop everything where users decide, and come back when the set is taken', () => {
    const closed = new ClosedChains();
    const [x, y] = [
      chain('cali-pi-np/a/x', looking('s:1', ACCEPT)),
      chain('cali-pi-np/a/y', looking('s:2', ACCEPT)),
    ];
    expect(closed.put(x.name, x)).to.equal(x);
    closed.put(y.name, y);
    const changed = closed.refuse(new Set(['s:1']));
    expect([...changed.keys()]).to.deep.equal([x.name]);
    expect(changed.get(x.name)?.rules.map(({ matches, verdict }) => ({ matches, verdict }))).to.deep.equal([
      { matches: [], verdict: DROP },
    ]);
    expect(closed.users('s:1')).to.deep.equal(['Policy NetworkPolicy a/x ingress']);
    expect(closed.refuse(new Set(['s:1'])).size).to.equal(0);
    expect(closed.refuse(new Set())).to.deep.equal(new Map([[x.name, x]]));
  });

  it('are closed, too, when they come after the refusal, and forgotten when they go', () => {
    const closed = new ClosedChains();
    closed.refuse(new Set(['s:1']));
    const x = chain('cali-po-np/a/x', looking('s:1', ACCEPT, true));
    expect(closed.put(x.name, x)?.rules[0]?.verdict).to.deep.equal(DROP);
    expect(closed.put(x.name, undefined)).to.equal(undefined);
    expect(closed.refuse(new Set()).size).to.equal(0);
    expect(closed.users('s:1')).to.deep.equal([]);
  });

  it('of our own lose what allows by the set and drop whatever it holds', () => {
    const closed = new ClosedChains((set) => set.replace(':', '-'));
    const own = chain(
      'cali-INPUT',
      looking('s:1', ACCEPT),
      looking('s:1', DROP, true),
      looking('s:2', ACCEPT),
    );
    closed.put('filter-cali-INPUT', own);
    const rules = closed.refuse(new Set(['s-1'])).get('filter-cali-INPUT')?.rules;
    expect(rules).to.have.length(2);
    expect(rules?.[0]).to.deep.equal({
      ...looking('s:1', DROP),
      matches: [{ kind: 'protocol', protocol: 'udp' }],
    });
    expect(rules?.[1]).to.deep.equal(looking('s:2', ACCEPT));
  });
});
