import { expect } from 'chai';
import { type Rule, rule } from '../../rules/types.ts';
import { lastChainName, renderChain } from './render.ts';

const ACCEPT = 0x10000;

const plain = (...kinds: readonly ('accept' | 'drop')[]): readonly Rule[] =>
  kinds.map((kind) => rule([], { kind }));
const jump = (chain: string): readonly Rule[] => [rule([], { kind: 'jump', chain })];

describe('iptables text and rule hashes', () => {
  it("hashes as Calico does: the page's vector", () => {
    const rules = [
      rule([], { kind: 'set-mark', value: ACCEPT, mask: ACCEPT }),
      rule([{ kind: 'mark', value: ACCEPT, mask: ACCEPT }], { kind: 'return' }),
    ];
    expect(renderChain('cali-pri-kns.default', rules, 4).map(({ hash }) => hash)).to.deep.equal([
      '7Fnh7Pv3_98FtLW7',
      'ZbV6bJXWSRefjK0u',
    ]);
  });

  // Hashes that any cluster running Calico shows in iptables-save.
  const hooks = [
    { chain: 'FORWARD', want: 'wUHhoiAYhphO9Mso' },
    { chain: 'INPUT', want: 'Cz_u1IQiXIMmKD4c' },
    { chain: 'PREROUTING', want: '6gwbT8clXdHdC1b1' },
  ];
  for (const { chain, want } of hooks) {
    it(`finds Calico's jump rule in ${chain}`, () => {
      const [jump] = renderChain(chain, [rule([], { kind: 'jump', chain: `cali-${chain}` })], 4);
      expect(jump?.hash).to.equal(want);
      expect(jump?.text).to.equal(`-m comment --comment "cali:${want}" --jump cali-${chain}`);
    });
  }

  it("finds Calico's rule at the end of FORWARD", () => {
    const accept = rule(
      [{ kind: 'mark', value: ACCEPT, mask: ACCEPT }],
      { kind: 'accept' },
      'Policy explicitly accepted packet.',
    );
    expect(renderChain(lastChainName('FORWARD'), [accept], 4)[0]?.hash).to.equal('S93hcgKJrXEqnTfs');
  });

  // The chains of felix's own tests (felix/iptables/table_test.go).
  const chains: readonly (readonly [chain: string, rules: readonly Rule[], want: readonly string[]])[] = [
    [
      'FORWARD',
      plain('drop', 'accept', 'drop', 'accept'),
      ['hecdSCslEjdBPBPo', 'plvr29-ZiKUwbzDV', 'BMJ7gfua-eMLZ8Gu', 'rmnR1gc8haxMy_0W'],
    ],
    ['FORWARD', jump('cali-foobar'), ['JttcEuxbGad9jG6N']],
    ['cali-FORWARD', jump('cali-foobar'), ['WiiHgeRwfPX6Ol7d']],
    ['cali-FORWARD', jump('cali-bazzbiff'), ['1pGUEVtqm3p-zY1p']],
    ['cali-foobar', plain('accept', 'drop'), ['42h7Q64_2XDzpwKe', '0sUFHicPNNqNyNx8']],
    ['cali-bazzbiff', plain('accept', 'drop'), ['wQBCfaMfDn3BVJmT', 'Ry8HbkntbrghgQKU']],
  ];
  for (const [chain, rules, want] of chains)
    it(`has felix's hashes for ${chain}: ${want.join(', ')}`, () => {
      expect(renderChain(chain, rules, 4).map(({ hash }) => hash)).to.deep.equal(want);
    });

  it('makes text from users harmless', () => {
    const [only] = renderChain(
      'cali-x',
      [rule([], { kind: 'log', prefix: 'a"b\n$(x)' }, 'tier "\nCOMMIT')],
      4,
    );
    expect(only?.text).to.match(
      /--comment "tier __COMMIT" --jump LOG --log-prefix "a_b___x_: " --log-level 5$/,
    );
  });

  it('writes each match in the words of its family', () => {
    const matches = [
      { kind: 'protocol', protocol: 'icmp' },
      { kind: 'icmp', type: 8, code: 0, not: true },
    ] as const;
    const text = (version: 4 | 6) =>
      renderChain('cali-x', [rule(matches, { kind: 'drop' })], version)[0]?.text;
    expect(text(4)).to.match(/-p icmp -m icmp ! --icmp-type 8\/0 --jump DROP$/);
    expect(text(6)).to.match(/-p icmp -m icmp6 ! --icmpv6-type 8\/0 --jump DROP$/);
  });
});
