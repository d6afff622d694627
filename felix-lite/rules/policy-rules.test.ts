/** Rules of policies and groups of policies as lines of iptables, where what matters is no verdict but the kernel's limits. */
import { expect } from 'chai';
import { plainRule } from '../calc/compile.ts';
import type { PolicyRule, PortRange } from '../calc/model.ts';
import { readSettings } from '../daemon/config.ts';
import { endpointChain, groupPolicies } from './endpoint-chains.ts';
import { policyRules, splitPorts } from './policy-rules.ts';
import { linesOf, policyRef } from './testing.ts';

const MARKS = readSettings(undefined, undefined).rules.marks;
const ALLOW = plainRule('Allow', 'spec.ingress[0]');

function lines(rule: PolicyRule, version: 4 | 6, more: object = {}): readonly string[] {
  const options = { marks: MARKS, logPrefix: 'calico-packet', ...more };
  return linesOf('cali-x', policyRules([rule], version, 'policy', 'x', options), version).map((line) =>
    line.replace('-m comment --comment "x" ', ''),
  );
}

function port(first: number, last = first): PortRange {
  return { first, last };
}

describe('rules of policies', () => {
  it('ask a multiport match for fifteen slots at most, a range taking two', () => {
    const single = Array.from({ length: 15 }, (_, index) => port(index + 1));
    expect(splitPorts(single).map(({ length }) => length)).to.deep.equal([15]);
    expect(splitPorts([...single, port(99)]).map(({ length }) => length)).to.deep.equal([15, 1]);
    const ranges = Array.from({ length: 8 }, (_, index) => port(10 * index + 1, 10 * index + 5));
    expect(splitPorts(ranges).map(({ length }) => length)).to.deep.equal([7, 1]);
    // The last slot is too small for a range, and stays empty.
    expect(splitPorts([...single.slice(0, 14), port(50, 60)]).map(({ length }) => length)).to.deep.equal([
      14, 1,
    ]);
  });

  it('log no more often than the configuration says, and go on', () => {
    const log = plainRule('Log', 'spec.ingress[0]');
    expect(lines(log, 4)).to.deep.equal(['--jump LOG --log-prefix "calico-packet: " --log-level 5']);
    expect(lines(log, 4, { logLimit: { rate: 10, per: 'minute', burst: 20 } })).to.deep.equal([
      '-m limit --limit 10/minute --limit-burst 20 --jump LOG --log-prefix "calico-packet: " --log-level 5',
    ]);
  });

  it('look at ICMP types beside the protocol of their version', () => {
    const ping: PolicyRule = { ...ALLOW, icmp: { type: 8 } };
    expect(lines(ping, 4)[0]).to.contain('-p icmp -m icmp --icmp-type 8');
    expect(lines(ping, 6)[0]).to.contain('-p icmpv6 -m icmp6 --icmpv6-type 8');
    expect(lines({ ...ALLOW, notIcmp: { type: 8 } }, 6)[0]).to.contain(
      '-p icmpv6 -m icmp6 ! --icmpv6-type 8',
    );
  });
});

describe('groups of policies', () => {
  it('hold those of one selector that follow one another, and no others', () => {
    const [a, b, c, d] = [policyRef('a'), policyRef('b', 'x'), policyRef('c', 'x'), policyRef('d')];
    expect(groupPolicies([a, b, c, d])).to.deep.equal([[a], [b, c], [d]]);
    expect(groupPolicies([])).to.deep.equal([]);
  });

  it('look at the verdict between policies, and leave at every fifth once there is one', () => {
    const refs = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => policyRef(name));
    const chains = endpointChain(
      'cali-tw-x',
      [{ name: 'default', defaultAction: 'Deny', ingress: refs, egress: [] }],
      'ingress',
      MARKS,
      { stage: 'normal', profiles: [] },
    );
    const group = chains.find(({ name }) => name.startsWith('cali-gi-'));
    expect(linesOf('cali-gi', group?.rules ?? [])).to.deep.equal([
      '--jump cali-pi-gnp/a',
      ...['b', 'c', 'd', 'e'].map((name) => `-m mark --mark 0/0x30000 --jump cali-pi-gnp/${name}`),
      '-m comment --comment "Return on verdict" -m mark ! --mark 0/0x30000 --jump RETURN',
      '--jump cali-pi-gnp/f',
      '-m mark --mark 0/0x30000 --jump cali-pi-gnp/g',
    ]);
  });
});
