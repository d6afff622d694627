import { expect } from 'chai';
import { Address, Prefix } from '../../net/addr/index.ts';
import { evaluate, type RouteView } from './policy.ts';
import { policyOfRules, ruleComplaints, ruleOf, type RuleText } from './policy-text.ts';

const p = (text: string): Prefix => Prefix.parse(text) ?? expect.fail(text);
const at = (text: string): Address => Address.parse(text) ?? expect.fail(text);

const route: RouteView = {
  prefix: p('10.1.2.0/24'),
  source: 'peers',
  peerKind: 'external',
  nextHop: { address: at('192.0.2.9') },
  interface: 'eth0',
  attributes: {
    origin: 'EGP',
    asPath: [{ type: 'sequence', asns: [65001, 65002] }],
    med: 50,
    communities: [0xfde9_0064],
    largeCommunities: [{ global: 65001, local1: 1, local2: 2 }],
    extendedCommunities: [0x0002_fde9_0000_0064n],
  },
};

type Matching = NonNullable<RuleText['match']>;

/** What must match the route above, and what must not. */
const matches: [Matching, Matching][] = [
  [{}, { not: {} }],
  [{ prefixes: [{ prefix: '10.1.2.0/24' }] }, { prefixes: [{ prefix: '10.1.0.0/16' }] }],
  [
    { prefixes: [{ prefix: '10.0.0.0/8', minLength: 24 }] },
    { prefixes: [{ prefix: '10.0.0.0/8', maxLength: 23 }] },
  ],
  [{ prefixes: [{ prefix: '::/0' }, { prefix: '0.0.0.0/0', maxLength: 32 }] }, { prefixes: [] }],
  [{ prefixLength: 24 }, { prefixLength: { max: 23 } }],
  [{ source: 'peers' }, { source: 'local' }],
  [{ peerKind: 'external' }, { peerKind: 'internal' }],
  [{ interface: 'eth*' }, { interface: 'eth' }],
  [{ interface: '*h*' }, { interface: 'eth0*0' }],
  [{ communities: ['1:1', '65001:*'] }, { communities: ['1:1'] }],
  [{ allCommunities: ['65001:100', '65001:1:*', 'rt:65001:100'] }, { allCommunities: ['65001:100', '1:1'] }],
  [{ noCommunities: ['1:1'] }, { noCommunities: ['1:1', '65001:1:2'] }],
  [{ asPathPrefix: [65001] }, { asPathPrefix: [65002] }],
  [{ asPath: '65001 .*' }, { asPath: '65001' }],
  [{ asPathLength: 2 }, { asPathLength: { min: 3 } }],
  [{ med: { min: 50, max: 50 } }, { med: 'absent' }],
  [{ localPref: 'absent' }, { localPref: { min: 0 } }],
  [{ origin: ['IGP', 'EGP'] }, { origin: ['incomplete'] }],
  [{ nextHop: ['192.0.2.9'] }, { nextHop: ['192.0.2.8', '2001:db8::/32'] }],
  [{ nextHop: ['192.0.2.0/24'] }, { nextHop: [] }],
  [{ not: { med: 51 } }, { med: 50, not: { origin: ['EGP'] } }],
];

const complaints: [RuleText, string[]][] = [
  [{ action: 'accept', set: { localPref: 1 } }, []],
  [{ action: 'continue', set: { localPref: 1 } }, []],
  [{ action: 'reject', set: { localPref: 1 } }, ['set: a rejected route cannot be changed']],
  [
    { action: 'accept', match: { prefixes: [{ prefix: '10.0.0.1/8' }] } },
    ['match.prefixes.0.prefix: "10.0.0.1/8" is no prefix'],
  ],
  [
    { action: 'accept', match: { prefixes: [{ prefix: '10.0.0.0/8', minLength: 4, maxLength: 33 }] } },
    [
      'match.prefixes.0.minLength: no prefix in 10.0.0.0/8 has the length 4',
      'match.prefixes.0.maxLength: no prefix in 10.0.0.0/8 has the length 33',
    ],
  ],
  [
    { action: 'accept', match: { prefixes: [{ prefix: 'fd00::/8', minLength: 64, maxLength: 48 }] } },
    ['match.prefixes.0.minLength: minLength 64 is above maxLength 48'],
  ],
  [
    { action: 'accept', match: { not: { communities: ['1:1', '1'] }, asPath: '65001 (' } },
    [
      'match.asPath: a parenthesis is not closed, at character 8 of "65001 ("',
      'match.not.communities.1: "1" is no pattern of communities',
    ],
  ],
  [{ action: 'accept', match: { med: { min: 2, max: 1 } } }, ['match.med: min 2 is above max 1']],
  [
    { action: 'accept', match: { nextHop: ['10.0.0'] } },
    ['match.nextHop.0: "10.0.0" is no address and no prefix'],
  ],
  [
    { action: 'accept', set: { addCommunities: ['1:*'], nextHop: 'me', med: 1, addMed: 1 } },
    [
      'set.addCommunities.0: "1:*" is no community',
      'set.nextHop: "me" is no address',
      'set.addMed: med is set as well',
    ],
  ],
];

function accepts(match: Matching): boolean {
  return evaluate({ rules: [ruleOf({ match, action: 'accept' }, 'x')], otherwise: 'reject' }, route).accepted;
}

describe('policies as people write them', () => {
  for (const [yes, no] of matches)
    it(`matches by ${JSON.stringify(yes)} and not by ${JSON.stringify(no)}`, () => {
      expect([accepts(yes), accepts(no)]).to.deep.equal([true, false]);
    });

  for (const [rule, want] of complaints)
    it(`${want.length === 0 ? 'takes' : 'complains of'} ${JSON.stringify(rule)}`, () =>
      expect([...ruleComplaints(rule)].map(({ path, what }) => `${path.join('.')}: ${what}`)).to.deep.equal(
        want,
      ));

  it('sets what it is told to, over several rules, and names those that changed something', () => {
    const policy = policyOfRules(
      [
        { name: 'clean', action: 'continue', set: { removeCommunities: ['*:*', 'rt:*:*'] } },
        { name: 'nothing', action: 'continue', set: { med: 50 } },
        { name: 'seen as it is by now', match: { communities: ['65001:100'] }, action: 'reject' },
        {
          action: 'accept',
          set: {
            localPref: 200,
            addMed: -60,
            prepend: [1, 2],
            addCommunities: ['7:7'],
            origin: 'IGP',
            nextHop: '192.0.2.1',
          },
        },
      ],
      'reject',
    );
    expect(evaluate(policy, route)).to.deep.equal({
      accepted: true,
      rule: 'rule 3',
      changedBy: ['clean', 'rule 3'],
      nextHop: at('192.0.2.1'),
      attributes: {
        origin: 'IGP',
        asPath: [{ type: 'sequence', asns: [1, 2, 65001, 65002] }],
        med: 0,
        localPref: 200,
        communities: [0x0007_0007],
        largeCommunities: [{ global: 65001, local1: 1, local2: 2 }],
      },
    });
  });

  it('carries out what a rule says that goes on, whoever decides in the end', () => {
    const rules: RuleText[] = [{ name: 'a', action: 'continue', set: { med: 'absent' } }];
    const { med: _, ...rest } = route.attributes;
    expect(evaluate(policyOfRules(rules, 'accept'), route)).to.deep.equal({
      accepted: true,
      rule: 'no rule matched',
      changedBy: ['a'],
      attributes: rest,
    });
    expect(evaluate(policyOfRules(rules, 'reject'), route).accepted).to.equal(false);
  });
});
