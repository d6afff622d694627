/** The chains that every node has, where no verdict of policy shows that they are right. */
import { expect } from 'chai';
import { readSettings } from '../daemon/config.ts';
import { staticChains } from './static.ts';
import { linesOf } from './testing.ts';
import type { TableName } from './types.ts';

const OPTIONS = readSettings(undefined, undefined).rules;

function lines(table: TableName, name: string, version: 4 | 6 = 4): readonly string[] {
  const found = staticChains(version, OPTIONS)
    .get(table)
    ?.find((each) => each.name === name);
  return linesOf(name, found?.rules ?? [], version);
}

describe('chains of every node', () => {
  it('ask a host endpoint about what the host sends once: where its way out is known', () => {
    expect(lines('filter', 'cali-OUTPUT')).to.include(
      '-m conntrack ! --ctstate DNAT --jump cali-to-host-endpoint',
    );
    expect(lines('mangle', 'cali-POSTROUTING')).to.include(
      '-m conntrack --ctstate DNAT --jump cali-to-host-endpoint',
    );
  });

  it('believe no bits that rules of others have left, but the word of our own earlier tables', () => {
    expect(lines('filter', 'cali-FORWARD').slice(0, 2)).to.deep.equal([
      '--jump MARK --set-mark 0/0x1a0000',
      '-m mark --mark 0/0x10000 --jump cali-from-hep-forward',
    ]);
    expect(lines('raw', 'cali-PREROUTING')[0]).to.equal('--jump MARK --set-mark 0/0x1b0000');
  });

  it('hear from workloads what a router of IPv6 has to hear', () => {
    const accepted = lines('filter', 'cali-wl-to-host', 6).filter((line) => line.includes('icmpv6-type'));
    expect(accepted).to.deep.equal(
      [130, 131, 132, 133, 135, 136].map((type) => `-p 58 -m icmp6 --icmpv6-type ${type} --jump ACCEPT`),
    );
    expect(lines('filter', 'cali-wl-to-host', 4).join()).not.to.contain('icmp');
  });
});
