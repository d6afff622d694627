/** Rules of ours, as they stand in nf_tables, in words. */
import { expect } from 'chai';
import { type Match, rule, type Verdict } from '../../rules/types.ts';
import { renderNftChain } from '../../dataplane/nftables/render.ts';
import { nftText } from './nft-text.ts';

const cases: readonly {
  readonly matches: readonly Match[];
  readonly verdict: Verdict;
  readonly want: string;
  readonly version?: 4 | 6;
}[] = [
  {
    matches: [{ kind: 'net', side: 'source', net: '10.0.0.0/8' }],
    verdict: { kind: 'accept' },
    want: 'ip saddr 10.0.0.0/8 accept',
  },
  {
    matches: [{ kind: 'net', side: 'destination', net: '10.0.0.0/20', not: true }],
    verdict: { kind: 'drop' },
    want: 'ip daddr & /20 != 10.0.0.0 drop',
  },
  {
    matches: [{ kind: 'net', side: 'source', net: 'fd00::1/128' }],
    verdict: { kind: 'return' },
    version: 6,
    want: 'ip6 saddr fd00::1 return',
  },
  {
    matches: [
      { kind: 'protocol', protocol: 'tcp' },
      { kind: 'ports', side: 'destination', ranges: [{ first: 80, last: 90 }] },
    ],
    verdict: { kind: 'jump', chain: 'cali-x' },
    want: 'l4proto 6 dport 80-90 jump filter-cali-x',
  },
  {
    matches: [
      { kind: 'protocol', protocol: 1 },
      { kind: 'icmp', type: 8 },
    ],
    verdict: { kind: 'drop' },
    want: 'l4proto 1 icmp type 8 drop',
  },
  {
    matches: [{ kind: 'set', side: 'source', set: 'cali40s:x', with: 'port', not: true }],
    verdict: { kind: 'drop' },
    want: 'ip saddr . l4proto . sport != @cali40s-x drop',
  },
  {
    matches: [{ kind: 'in-interface', name: 'cali+' }],
    verdict: { kind: 'set-mark', value: 0x80000, mask: 0x80000 },
    want: 'iifname cali* mark set mark & 0xfff7ffff ^ 0x80000',
  },
  {
    matches: [{ kind: 'mark', value: 0x10000, mask: 0x30000 }],
    verdict: { kind: 'goto', chain: 'cali-y' },
    want: 'mark & 0x30000 0x10000 goto filter-cali-y',
  },
  {
    matches: [{ kind: 'conntrack', states: 'RELATED,ESTABLISHED' }],
    verdict: { kind: 'accept' },
    want: 'ct state & 0x6 != 0x0 accept',
  },
];

describe('rules of nf_tables in words', () => {
  for (const { matches, verdict, want, version = 4 } of cases)
    it(want, () => {
      const [rendered] = renderNftChain('filter', 'cali-test', [rule(matches, verdict)], version);
      expect(nftText(rendered?.expressions ?? [])).to.equal(want);
    });
});
