/** The chains of the host's own interfaces, place by place, as Calico has them. */
import { expect } from 'chai';
import { Prefix } from '../../net/addr/index.ts';
import type { HostInterface, PolicyRef, TierPolicies } from '../calc/model.ts';
import { readSettings } from '../daemon/config.ts';
import { failsafeChains } from './failsafe.ts';
import { hostChains } from './host-chains.ts';
import { linesOf, policyRef } from './testing.ts';
import type { TableName } from './types.ts';

const MARKS = readSettings(undefined, undefined).rules.marks;

function host(interfaceName: string, more: Partial<HostInterface> = {}): HostInterface {
  return {
    interfaceName,
    endpoint: interfaceName,
    untracked: [],
    preDNAT: [],
    normal: [],
    forward: [],
    profiles: [],
    ...more,
  };
}

function tier(ingress: readonly PolicyRef[], egress: readonly PolicyRef[] = []): readonly TierPolicies[] {
  return [{ name: 'default', defaultAction: 'Deny', ingress, egress }];
}

function lines(
  hosts: readonly HostInterface[],
  table: TableName,
  name: string,
): readonly string[] | undefined {
  const chain = hostChains(hosts, 'cali', MARKS)
    .get(table)
    ?.find((each) => each.name === name);
  return chain === undefined ? undefined : linesOf(name, chain.rules);
}

const CONNECTIONS = [
  '-m conntrack --ctstate RELATED,ESTABLISHED --jump ACCEPT',
  '-m conntrack --ctstate INVALID --jump DROP',
];
const CLEAR = '--jump MARK --set-mark 0/0x30000';
const START = '-m comment --comment "Start of tier default" --jump MARK --set-mark 0/0x20000';
const ASK = '-m mark --mark 0/0x20000 --jump cali-pi-gnp/p';
const ACCEPTED =
  '-m comment --comment "Return if policy accepted" -m mark --mark 0x10000/0x10000 --jump RETURN';
const END = '-m comment --comment "Drop if no policies passed packet" -m mark --mark 0/0x20000 --jump DROP';

describe('chains of host endpoints', () => {
  it('let pass, marked, what is forwarded while no policy speaks of it', () =>
    expect(lines([host('eth0')], 'filter', 'cali-fhfw-eth0')).to.deep.equal([
      ...CONNECTIONS,
      CLEAR,
      '-m comment --comment "Allow forwarded traffic by default" --jump MARK --set-mark 0x10000/0x10000',
      '-m comment --comment "Return for accepted forward traffic" --jump RETURN',
    ]));

  it('end a tier for what is forwarded as it says, and ask no profile', () =>
    expect(
      lines(
        [host('eth0', { forward: tier([policyRef('p')]), profiles: ['open'] })],
        'filter',
        'cali-fhfw-eth0',
      ),
    ).to.deep.equal([...CONNECTIONS, CLEAR, START, ASK, ACCEPTED, END]));

  it('take what is allowed without tracking out of it, know no connections there, and end no tier', () =>
    expect(lines([host('eth0', { untracked: tier([policyRef('p')]) })], 'raw', 'cali-fh-eth0')).to.deep.equal(
      [
        '--jump cali-failsafe-in',
        CLEAR,
        START,
        ASK,
        '-m mark --mark 0x10000/0x10000 --jump NOTRACK',
        ACCEPTED,
      ],
    ));

  it('keep failsafe ports open at each place but that of forwarding', () => {
    const guarded = host('eth0', {
      untracked: tier([policyRef('p')], [policyRef('p')]),
      preDNAT: tier([policyRef('p')]),
      normal: tier([policyRef('p')], [policyRef('p')]),
      forward: tier([policyRef('p')], [policyRef('p')]),
    });
    const places = [
      ['raw', 'cali-fh-eth0', 'in'],
      ['raw', 'cali-th-eth0', 'out'],
      ['mangle', 'cali-fh-eth0', 'in'],
      ['mangle', 'cali-th-eth0', 'out'],
      ['filter', 'cali-fh-eth0', 'in'],
      ['filter', 'cali-th-eth0', 'out'],
      ['filter', 'cali-fhfw-eth0', undefined],
      ['filter', 'cali-thfw-eth0', undefined],
    ] as const;
    for (const [table, name, side] of places)
      expect(
        lines([guarded], table, name)?.filter((line) => line.includes('failsafe')),
        `${table} ${name}`,
      ).to.deep.equal(side === undefined ? [] : [`--jump cali-failsafe-${side}`]);
  });

  it('leave an allowed connection of the host itself to the rules of others where its way out is known', () =>
    expect(lines([host('eth0')], 'mangle', 'cali-th-eth0')?.slice(0, 2)).to.deep.equal([
      '-m conntrack --ctstate RELATED,ESTABLISHED --jump MARK --set-mark 0x10000/0x10000',
      '-m conntrack --ctstate RELATED,ESTABLISHED --jump RETURN',
    ]));

  it('keep packets of an interface that has an endpoint of its own away from that of all others', () => {
    const every = host('*', { preDNAT: tier([policyRef('p')]) });
    expect(lines([every, host('eth0')], 'mangle', 'cali-from-host-endpoint')).to.deep.equal([
      '--in-interface eth0 --goto cali-fh-eth0',
      '-m comment --comment "Workloads have their own policy" --in-interface cali+ --jump RETURN',
      '--goto cali-fh-any-interface-at-all',
    ]);
    // Where it asks nothing, nobody has to be kept away.
    expect(lines([host('*'), host('eth0')], 'mangle', 'cali-from-host-endpoint')).to.deep.equal([]);
  });
});

describe('failsafe ports', () => {
  const office = Prefix.parse('192.0.2.0/24');
  const everyone = Prefix.parse('0.0.0.0/0');
  const ports = {
    inbound: [
      { protocol: 6, port: 22, net: office },
      { protocol: 6, port: 179, net: undefined },
      { protocol: 6, port: 443, net: everyone },
    ],
    outbound: [{ protocol: 17, port: 53, net: undefined }],
  };
  const chain = (name: string, table: TableName, version: 4 | 6): readonly string[] => {
    const found = failsafeChains(ports, table, version).find((each) => each.name === name);
    return linesOf(name, found?.rules ?? [], version).filter((line) => !line.includes('icmp6'));
  };

  it('are open to whom they name, in the version of the network', () => {
    expect(chain('cali-failsafe-in', 'filter', 4)).to.deep.equal([
      '-p 6 --source 192.0.2.0/24 -m multiport --destination-ports 22 --jump ACCEPT',
      '-p 6 -m multiport --destination-ports 179 --jump ACCEPT',
      '-p 6 -m multiport --destination-ports 443 --jump ACCEPT',
    ]);
    expect(chain('cali-failsafe-in', 'filter', 6)).to.deep.equal([
      '-p 6 -m multiport --destination-ports 179 --jump ACCEPT',
    ]);
  });

  it('let answers through where no connection is known', () => {
    expect(chain('cali-failsafe-in', 'raw', 6)).to.deep.equal([
      '-p 6 -m multiport --destination-ports 179 --jump ACCEPT',
      '-p 17 -m multiport --source-ports 53 --jump ACCEPT',
    ]);
    expect(chain('cali-failsafe-out', 'raw', 4)).to.deep.equal([
      '-p 17 -m multiport --destination-ports 53 --jump ACCEPT',
      '-p 6 --destination 192.0.2.0/24 -m multiport --source-ports 22 --jump ACCEPT',
      '-p 6 -m multiport --source-ports 179 --jump ACCEPT',
      '-p 6 -m multiport --source-ports 443 --jump ACCEPT',
    ]);
  });
});
