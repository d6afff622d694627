import { expect } from 'chai';
import fc from 'fast-check';
import { Address, Prefix } from '../../net/addr/index.ts';
import { evaluate, looksAtInterface, looksAtPrefix, type Match } from './policy.ts';
import { LINKS, policy, prefix, route } from './testing/arbitraries.ts';
import { naive, plain } from './testing/naive.ts';

function looks(match: Match): boolean {
  return looksAtPrefix({ rules: [{ name: 'x', match, action: 'reject' }], otherwise: 'accept' });
}

describe('evaluation of a policy', () => {
  it('says what an evaluator says that was written apart from it', function () {
    this.timeout(120_000);
    fc.assert(
      fc.property(policy, fc.array(route, { minLength: 1, maxLength: 10 }), (policy, routes) => {
        for (const each of routes) expect(plain(evaluate(policy, each))).to.deep.equal(naive(policy, each));
      }),
      { numRuns: 3000 },
    );
  });

  it('leaves the route as it is, and names the rules that changed it', () => {
    fc.assert(
      fc.property(policy, route, (policy, route) => {
        const before = structuredClone(route.attributes);
        const verdict = evaluate(policy, route);
        expect(route.attributes).to.deep.equal(before);
        if (!verdict.accepted) return;
        const changed = verdict.attributes !== route.attributes || verdict.nextHop !== undefined;
        if (verdict.changedBy === undefined) expect(changed).to.equal(false);
        const known = policy.rules.map(({ name }) => name);
        expect(known).to.include.members([...(verdict.changedBy ?? [])]);
      }),
    );
  });

  it('does not depend on what a policy says it does not look at', () => {
    fc.assert(
      fc.property(policy, route, prefix, fc.constantFrom(...LINKS), (policy, route, other, link) => {
        const verdict = plain(evaluate(policy, route));
        if (!looksAtPrefix(policy))
          expect(plain(evaluate(policy, { ...route, prefix: other }))).to.deep.equal(verdict);
        if (!looksAtInterface(policy))
          expect(plain(evaluate(policy, { ...route, interface: link }))).to.deep.equal(verdict);
      }),
      { numRuns: 1000 },
    );
  });

  it('looks at the prefix where any part of a match does', () => {
    const cidr = Prefix.of(Address.v4(0), 0);
    expect(
      [{ prefix: { operator: 'In', cidr } } as const, { prefixes: [] }, { not: { prefixLength: {} } }].map(
        looks,
      ),
    ).to.deep.equal([true, true, true]);
    expect([{}, { med: {} }, { asPath: '1' }, { not: { nextHop: [cidr] } }].map(looks)).to.deep.equal([
      false,
      false,
      false,
      false,
    ]);
  });
});
