import { expect } from 'chai';
import { Prefix } from '../../net/addr/index.ts';
import type { PathAttributes } from '../wire/types.ts';
import { type CommunityPattern, parseCommunityPattern } from './community.ts';
import {
  ACCEPT_ALL,
  defaultPolicy,
  evaluate,
  type Match,
  matches,
  type Policy,
  policyKey,
  prepend,
  type RouteView,
} from './policy.ts';

const p = (text: string): Prefix => Prefix.parse(text) ?? expect.fail(text);

const pattern = (text: string): CommunityPattern => parseCommunityPattern(text) ?? expect.fail(text);

const attributes: PathAttributes = {
  origin: 'IGP',
  asPath: [{ type: 'sequence', asns: [65001, 65002] }],
  communities: [0xfc000064],
  largeCommunities: [{ global: 1, local1: 2, local2: 3 }],
};

function route(prefix: string, extra: Partial<RouteView> = {}): RouteView {
  return { prefix: p(prefix), source: 'peers', peerKind: 'external', attributes, ...extra };
}

const cases: { it: string; match: Match; yes: RouteView[]; no: RouteView[] }[] = [
  {
    it: 'Equal is the prefix itself',
    match: { prefix: { operator: 'Equal', cidr: p('10.0.0.0/16') } },
    yes: [route('10.0.0.0/16')],
    no: [route('10.0.0.0/17'), route('10.0.0.0/15'), route('fd00::/16')],
  },
  {
    it: 'NotEqual is every other one',
    match: { prefix: { operator: 'NotEqual', cidr: p('10.0.0.0/16') } },
    yes: [route('10.0.0.0/17'), route('10.1.0.0/16')],
    no: [route('10.0.0.0/16')],
  },
  {
    it: 'In is the prefix and what lies in it',
    match: { prefix: { operator: 'In', cidr: p('10.0.0.0/16') } },
    yes: [route('10.0.0.0/16'), route('10.0.255.0/24'), route('10.0.0.1/32')],
    no: [route('10.0.0.0/15'), route('10.1.0.0/24'), route('0.0.0.0/0')],
  },
  {
    it: 'In with a length range is what lies in it and is so long',
    match: { prefix: { operator: 'In', cidr: p('10.0.0.0/16'), minLength: 24, maxLength: 26 } },
    yes: [route('10.0.1.0/24'), route('10.0.1.64/26')],
    no: [route('10.0.0.0/16'), route('10.0.1.0/27'), route('10.1.1.0/24')],
  },
  {
    it: 'NotIn is the opposite of In, range included',
    match: { prefix: { operator: 'NotIn', cidr: p('10.0.0.0/16'), minLength: 24 } },
    yes: [route('10.0.0.0/16'), route('10.1.0.0/24')],
    no: [route('10.0.1.0/24')],
  },
  {
    it: 'never takes IPv6 ::/0 for 0.0.0.0/0',
    match: { prefix: { operator: 'In', cidr: p('0.0.0.0/0') } },
    yes: [route('10.0.0.0/8')],
    no: [route('fd00::/8'), route('::/0')],
  },
  {
    it: 'origin and kind of peer',
    match: { source: 'peers', peerKind: 'internal' },
    yes: [route('10.0.0.0/8', { peerKind: 'internal' })],
    no: [route('10.0.0.0/8'), route('10.0.0.0/8', { peerKind: 'internal', source: 'local' })],
  },
  {
    it: 'one of the communities is enough',
    match: {
      communities: { any: [pattern('0:1'), pattern('64512:100')] },
    },
    yes: [route('10.0.0.0/8')],
    no: [route('10.0.0.0/8', { attributes: { origin: 'IGP', asPath: [] } })],
  },
  {
    it: 'large communities by all three parts',
    match: { communities: { any: [pattern('1:2:4')] } },
    yes: [],
    no: [route('10.0.0.0/8')],
  },
  {
    it: 'AS path by its first numbers',
    match: { asPathPrefix: [65001] },
    yes: [route('10.0.0.0/8')],
    no: [
      route('10.0.0.0/8', { attributes: { origin: 'IGP', asPath: [{ type: 'set', asns: [65001] }] } }),
      route('10.0.0.0/8', {
        attributes: { origin: 'IGP', asPath: [{ type: 'sequence', asns: [65002, 65001] }] },
      }),
    ],
  },
  { it: 'nothing given matches everything', match: {}, yes: [route('::/0'), route('10.0.0.0/8')], no: [] },
];

describe('policy', () => {
  for (const c of cases)
    it(`matches: ${c.it}`, () => {
      for (const each of c.yes) expect(matches(c.match, each), each.prefix.toString()).to.equal(true);
      for (const each of c.no) expect(matches(c.match, each), each.prefix.toString()).to.equal(false);
    });

  it('lets the first rule that matches decide, and names it', () => {
    const policy = {
      rules: [
        { name: 'a', match: { prefix: { operator: 'In', cidr: p('10.0.0.0/16') } }, action: 'accept' },
        { name: 'b', match: {}, action: 'reject' },
      ],
      otherwise: 'accept',
    } as const;
    expect(evaluate(policy, route('10.0.1.0/24'))).to.deep.include({ accepted: true, rule: 'a' });
    expect(evaluate(policy, route('10.1.1.0/24'))).to.deep.equal({ accepted: false, rule: 'b' });
  });

  it('carries out operations in order, on a copy, and gives the same object back where there are none', () => {
    const operations = [
      { type: 'prepend', asns: [1, 2] },
      { type: 'add-community', community: { type: 'standard', value: 7 } },
      { type: 'add-community', community: { type: 'standard', value: 7 } },
      { type: 'add-community', community: { type: 'large', value: { global: 9, local1: 9, local2: 9 } } },
      { type: 'set-local-pref', value: 200 },
      { type: 'set-med', value: 5 },
    ] as const;
    const rules = [{ name: 'a', match: {}, action: 'accept', operations }] as const;
    const verdict = evaluate({ rules, otherwise: 'reject' }, route('10.0.0.0/8'));
    expect(verdict).to.have.deep.property('attributes', {
      ...attributes,
      asPath: [{ type: 'sequence', asns: [1, 2, 65001, 65002] }],
      communities: [0xfc000064, 7],
      largeCommunities: [...(attributes.largeCommunities ?? []), { global: 9, local1: 9, local2: 9 }],
      localPref: 200,
      med: 5,
    });
    expect(attributes.communities).to.deep.equal([0xfc000064]);
    expect(evaluate(ACCEPT_ALL, route('10.0.0.0/8'))).to.have.property('attributes', attributes);
  });

  it('prepends into the first sequence while it has room, else before it', () => {
    const full = { type: 'sequence', asns: Array.from({ length: 255 }, () => 1) } as const;
    expect(prepend([], [7])).to.deep.equal([{ type: 'sequence', asns: [7] }]);
    expect(prepend([full], [7])).to.deep.equal([{ type: 'sequence', asns: [7] }, full]);
    const set = { type: 'set', asns: [1] } as const;
    expect(prepend([set], [7])).to.deep.equal([{ type: 'sequence', asns: [7] }, set]);
  });

  it('says no to everything on eBGP and yes on iBGP where there is no policy (RFC 8212)', () => {
    expect(evaluate(defaultPolicy('external'), route('10.0.0.0/8'))).to.deep.equal({
      accepted: false,
      rule: 'no policy for this eBGP peer (RFC 8212)',
    });
    expect(evaluate(defaultPolicy('internal'), route('10.0.0.0/8'))).to.have.property('accepted', true);
  });

  it('has a key that is equal exactly when the policy is', () => {
    expect(policyKey(inside('10.0.0.0/8'))).to.equal(policyKey(inside('10.0.0.0/8')));
    expect(policyKey(inside('10.0.0.0/8'))).to.not.equal(policyKey(inside('10.0.0.0/9')));
  });
});

function inside(cidr: string): Policy {
  const match = { prefix: { operator: 'In', cidr: p(cidr) } } as const;
  return { rules: [{ name: 'x', match, action: 'accept' }], otherwise: 'reject' };
}
