/** Calico's own cases: what its nftables mode writes, and the hashes that its tests expect (felix/nftables). */
import { expect } from 'chai';
import type { IpVersion } from '../../../net/addr/index.ts';
import { type Match, rule, type Rule, type Verdict } from '../../rules/types.ts';
import { lastChainName } from '../iptables/render.ts';
import { nftRuleHashes, nftRuleText } from './text.ts';

const TCP = { kind: 'protocol', protocol: 'tcp' } as const;
const PORTS = [
  { first: 1234, last: 1234 },
  { first: 5678, last: 6000 },
];

const plain = (...kinds: readonly ('accept' | 'drop')[]): readonly Rule[] =>
  kinds.map((kind) => rule([], { kind }));

describe("rules in the words of Calico's nftables mode", () => {
  const matches: readonly (readonly [want: string, ...matches: readonly Match[]])[] = [
    ['meta mark & 0x400a == 0', { kind: 'mark-clear', mask: 0x400a }],
    ['meta mark & 0x400a != 0', { kind: 'mark-not-clear', mask: 0x400a }],
    ['meta mark & 0xf00f == 0x400a', { kind: 'mark', value: 0x400a, mask: 0xf00f }],
    ['ct state invalid', { kind: 'conntrack', states: 'INVALID' }],
    ['ct state related,established', { kind: 'conntrack', states: 'RELATED,ESTABLISHED' }],
    ['iifname tap1234abcd', { kind: 'in-interface', name: 'tap1234abcd' }],
    ['oifname cali*', { kind: 'out-interface', name: 'cali+' }],
    ['meta l4proto tcp', TCP],
    ['meta l4proto != 123', { kind: 'protocol', protocol: 123, not: true }],
    ['ip saddr 10.0.0.4', { kind: 'net', side: 'source', net: '10.0.0.4' }],
    ['ip daddr != 10.0.0.4', { kind: 'net', side: 'destination', net: '10.0.0.4', not: true }],
    [
      'ip saddr @calits-12345abc-_',
      { kind: 'set', side: 'source', set: 'calits:12345abc-_', with: 'address' },
    ],
    [
      'ip daddr . meta l4proto . th dport != @calitn-12345abc-_',
      { kind: 'set', side: 'destination', set: 'calitn:12345abc-_', with: 'port', not: true },
    ],
    ['meta l4proto tcp tcp sport { 1234, 5678-6000 }', TCP, { kind: 'ports', side: 'source', ranges: PORTS }],
    [
      'meta l4proto 17 udp dport != { 1234, 5678-6000 }',
      { kind: 'protocol', protocol: 17 },
      { kind: 'ports', side: 'destination', ranges: PORTS, not: true },
    ],
    ['icmp type 123 code 5', { kind: 'icmp', type: 123, code: 5 }],
    ['icmp type != 123 code != 5', { kind: 'icmp', type: 123, code: 5, not: true }],
    ['limit rate 20/hour burst 10 packets', { kind: 'limit', rate: 20, per: 'hour', burst: 10 }],
  ];
  for (const [want, ...each] of matches)
    it(want, () => expect(nftRuleText({ matches: each }, 'filter', 4)).to.equal(want));

  const verdicts: readonly (readonly [want: string, verdict: Verdict, version?: IpVersion])[] = [
    ['counter accept', { kind: 'accept' }],
    ['counter jump filter-cali-x', { kind: 'jump', chain: 'cali-x' }],
    ['counter goto filter-cali-x', { kind: 'goto', chain: 'cali-x' }],
    ['counter meta mark set mark or 0x10000', { kind: 'set-mark', value: 0x10000, mask: 0x10000 }],
    [
      'counter meta mark set mark & 0xffe7ffff ^ 0x80000',
      { kind: 'set-mark', value: 0x80000, mask: 0x180000 },
    ],
    ['counter meta mark set mark & 0xfffcffff', { kind: 'clear-mark', mask: 0x30000 }],
    ['counter log prefix "calico-packet: " level info', { kind: 'log', prefix: 'calico-packet' }],
    ['counter masquerade to :1024-65535', { kind: 'masquerade', ports: { first: 1024, last: 65_535 } }],
    ['counter dnat to 10.0.0.1', { kind: 'dnat', address: '10.0.0.1' }],
    [
      'iifname vmap @filter-cali-fw-dispatch',
      { kind: 'dispatch', by: 'in-interface', map: 'cali-fw-dispatch' },
    ],
  ];
  for (const [want, verdict] of verdicts)
    it(want, () => expect(nftRuleText({ matches: [], verdict }, 'filter', 4)).to.equal(want));

  it('continue where a rule says nothing', () => {
    expect(nftRuleText({ matches: [] }, 'filter', 4)).to.equal('continue');
    expect(
      nftRuleText({ matches: [{ kind: 'icmp', type: 1 }], verdict: { kind: 'drop' } }, 'filter', 6),
    ).to.equal('icmpv6 type 1 counter drop');
  });

  const hashes: readonly (readonly [chain: string, rules: readonly Rule[], want: readonly string[]])[] = [
    [
      'FORWARD',
      plain('drop', 'accept', 'drop', 'accept'),
      ['DCGauXoHP5A9-AIO', '6tpY0LmXqEPD5dsI', '_Zdh35A6d8kLWs7z', 'K23j5egouXzd1qRD'],
    ],
    [lastChainName('FORWARD'), plain('accept'), ['Q43zYEHuKfFnJfs1']],
  ];
  for (const [chain, rules, want] of hashes)
    it(`have felix's hashes in ${chain} of filter`, () =>
      expect(nftRuleHashes('filter', chain, rules, 4)).to.deep.equal(want));
});
