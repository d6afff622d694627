/**
 * Next hop self in the version of IP that a session does not run over, on a router with several links: IPv6 routes over
 * IPv4 sessions and the other way round, with a BIRD and an FRR that use what they are told.
 *
 * left (BIRD) - edge (poplin bgpd) - right (FRR); edge has other addresses on a third link, which come first
 */
import { expect } from 'chai';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { Alone } from './peers/alone.ts';
import { Bird } from './peers/bird.ts';
import { eventually } from './peers/eventually.ts';
import { Frr } from './peers/frr.ts';
import { Lab } from './peers/lab.ts';

const EDGE = `
asNumber: 65101
routerId: 10.9.0.1
originate: [{prefix: 10.60.0.0/24}, {prefix: "fd00:60::/64"}]
peerGroups:
  neighbours: {import: [accept-all], export: [accept-all], timers: {connectRetrySeconds: 1}}
peers:
  - {name: left, address: 10.1.0.2, asNumber: 65001, group: neighbours}
  - {name: right, address: "fd00:2::2", asNumber: 65002, group: neighbours}
`;

const LEFT = `
router id 10.1.0.2;
protocol device { scan time 1; }
protocol static s6 { ipv6; route fd00:50::/64 blackhole; }
protocol static s4 { ipv4; route 10.50.0.0/24 blackhole; }
protocol bgp edge {
  local as 65001; neighbor 10.1.0.1 as 65101; connect retry time 1; connect delay time 1; error wait time 1, 2;
  ipv4 { import all; export all; }; ipv6 { import all; export all; next hop address fd00:1::2; };
}
`;

const RIGHT = `
frr defaults traditional
hostname right
router bgp 65002
 bgp router-id 10.2.0.2
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 neighbor fd00:2::1 remote-as 65101
 neighbor fd00:2::1 timers connect 1
 address-family ipv4 unicast
  neighbor fd00:2::1 activate
 exit-address-family
 address-family ipv6 unicast
  neighbor fd00:2::1 activate
 exit-address-family
`;

const isThere = (hop: string | undefined): boolean => hop !== undefined;

describeOnKernel('next hop self on a router with several links', function () {
  this.timeout(400_000);

  const lab = new Lab();
  const bird = new Bird(lab, 'left');
  const frr = new Frr(lab, 'right');
  const edge = new Alone(lab, 'edge');

  before(async () => {
    for (const node of ['edge', 'left', 'right', 'other']) await lab.node(node);
    for (const [i, [node, subnet]] of [
      ['other', 9],
      ['left', 1],
      ['right', 2],
    ].entries())
      await lab.link(
        {
          node: 'edge',
          interface: `eth${i}`,
          addresses: [`10.${subnet}.0.1/24`, `fd00:${subnet}::1/64`],
        },
        {
          node: String(node),
          interface: 'eth1',
          addresses: [`10.${subnet}.0.2/24`, `fd00:${subnet}::2/64`],
        },
      );
    edge.write(EDGE);
    await Promise.all([bird.start(LEFT), frr.start(RIGHT)]);
    edge.start();
  });

  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.log(edge.lines.splice(0).join(''));
  });
  after(() => lab.close());

  const nextHopOf = async (prefix: string): Promise<string | undefined> => {
    const version = prefix.includes(':') ? 'ipv6' : 'ipv4';
    const told = (await frr.json(`show bgp ${version} unicast ${prefix}`)) as {
      paths?: readonly { nexthops: readonly { ip: string; accessible?: boolean }[] }[];
    };
    const [hop] = told.paths?.[0]?.nexthops ?? [];
    return hop?.accessible === true ? hop.ip : undefined;
  };
  const inBird = (prefix: string): Promise<string> => bird.birdc(`show route all ${prefix}`).catch(() => '');

  it('gives IPv6 over an IPv4 session the IPv6 address of that link', async () => {
    const told = await eventually(
      'the IPv6 route in BIRD',
      () => inBird('fd00:60::/64'),
      (text) => text.includes('BGP.next_hop:'),
    );
    expect(told).to.match(/BGP.next_hop: fd00:1::1\b/);
    expect(told, 'usable').to.match(/via fd00:1::1 on eth1/);
  });

  it('gives IPv4 over an IPv6 session the IPv4 address of that link', async () => {
    expect(await eventually('10.60', () => nextHopOf('10.60.0.0/24'), isThere)).to.equal('10.2.0.1');
    // What the other neighbour told is passed on the same way.
    expect(await eventually('10.50', () => nextHopOf('10.50.0.0/24'), isThere)).to.equal('10.2.0.1');
    expect(await eventually('fd00:50', () => nextHopOf('fd00:50::/64'), isThere)).to.equal('fd00:2::1');
  });

  it('gives another address once that one is gone, without a new session', async () => {
    const since = (await bird.birdc('show protocols edge')).replaceAll(/\s+/g, ' ');
    await lab.run('edge', 'ip', ['addr', 'add', 'fd00:1::7/64', 'dev', 'eth1', 'nodad']);
    await lab.run('edge', 'ip', ['addr', 'del', 'fd00:1::1/64', 'dev', 'eth1']);
    await eventually(
      'the other address in BIRD',
      () => inBird('fd00:60::/64'),
      (text) => text.includes('BGP.next_hop: fd00:1::7'),
    );
    expect((await bird.birdc('show protocols edge')).replaceAll(/\s+/g, ' ')).to.equal(since);
  });
});
