/**
 * TCP MD5 signatures (RFC 2385) with BIRD and FRR, whoever calls, over both versions of IP: the right key comes up, a wrong
 * one and none do not, and a changed one is taken over without a word to the other sessions.
 *
 * edge (poplin bgpd) - tor (BIRD); edge - leaf (FRR)
 */
import { expect } from 'chai';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { Alone } from './peers/alone.ts';
import { Bird } from './peers/bird.ts';
import { eventually } from './peers/eventually.ts';
import { Frr } from './peers/frr.ts';
import { Lab } from './peers/lab.ts';

const TOR = `
router id 10.1.0.2;
protocol device { }
template bgp edge { local as 65001; connect retry time 1; connect delay time 1; error wait time 1, 2; direct; password "first key"; }
protocol bgp edge4 from edge { neighbor 10.1.0.1 as 65101; ipv4 { import all; export none; }; }
protocol bgp edge6 from edge { neighbor fd00:1::1 as 65101; passive on; ipv6 { import all; export none; }; }
`;

const LEAF = `
frr defaults traditional
router bgp 65002
 bgp router-id 10.2.0.2
 no bgp ebgp-requires-policy
 neighbor 10.2.0.1 remote-as 65101
 neighbor 10.2.0.1 password second-key
 neighbor 10.2.0.1 timers connect 1
`;

/** `tor4` waits for BIRD's call, `tor6` calls. */
const edge = (tor: string, leaf: string): string => `
asNumber: 65101
routerId: 10.1.0.1
originate: [{prefix: 10.60.0.0/24}, {prefix: "fd00:60::/64"}]
peerGroups:
  all: {import: [accept-all], export: [accept-all], timers: {connectRetrySeconds: 1}}
peers:
  - {name: tor4, address: 10.1.0.2, asNumber: 65001, group: all, passive: true, password: first key}
  - {name: tor6, address: "fd00:1::2", asNumber: 65001, group: all, password: ${tor}}
  - {name: leaf, address: 10.2.0.2, asNumber: 65002, group: all${leaf}}
`;

describeOnKernel('TCP MD5', function () {
  this.timeout(60_000);

  const lab = new Lab();
  const alone = new Alone(lab, 'edge');

  before(async () => {
    for (const node of ['edge', 'tor', 'leaf']) await lab.node(node);
    for (const [subnet, node] of ['tor', 'leaf'].entries())
      await lab.link(
        {
          node: 'edge',
          interface: `eth${subnet}`,
          addresses: [`10.${subnet + 1}.0.1/24`, `fd00:${subnet + 1}::1/64`],
        },
        { node, interface: 'eth0', addresses: [`10.${subnet + 1}.0.2/24`, `fd00:${subnet + 1}::2/64`] },
      );
    await Promise.all([new Bird(lab, 'tor').start(TOR), new Frr(lab, 'leaf').start(LEAF)]);
    alone.write(edge('first key', ', password: second-key'));
    alone.start();
  });

  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.log(alone.lines.splice(0).join(''));
  });
  after(() => lab.close());

  async function states(): Promise<readonly string[]> {
    return (await alone.status()).peers.map(({ name, state }) => `${name} ${state}`);
  }

  function established(...names: readonly string[]): Promise<unknown> {
    return eventually(`${names.join(', ')} Established`, states, (all) =>
      names.every((name) => all.includes(`${name} Established`)),
    );
  }

  it('brings up those with the same key, whoever calls', async () => {
    await established('tor4', 'tor6', 'leaf');
  });

  it('lets no one in with another key or none, and says no key aloud', async () => {
    for (const [tor, leaf] of [
      ['another', ', password: another'],
      ['another', ''],
    ] as const) {
      alone.write(edge(tor, leaf));
      const { out } = await alone.reload();
      expect(out).to.match(/^tor4 +nothing$/m);
      expect(out).to.match(/^leaf +session restarted +password$/m);
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      expect(await states()).to.include('tor4 Established');
      expect(await states())
        .to.not.include('tor6 Established')
        .and.to.not.include('leaf Established');
    }
    alone.write(edge('first key', ', password: second-key'));
    await alone.reload();
    await established('tor4', 'tor6', 'leaf');
    expect(JSON.stringify(await alone.status()) + alone.lines.join('')).to.not.match(
      /first key|second-key|another/,
    );
  });

  it('keeps the keys when it listens on another port, and lets a peer go with its key', async () => {
    alone.write(`listen: {port: 1179}\n${edge('first key', ', password: second-key')}`);
    await alone.reload();
    alone.write(edge('first key', ', password: second-key'));
    await alone.reload();
    // From now on tor4 can only come up by BIRD's signed call to the socket that has just been made.
    await alone.clear('tor4');
    await established('tor4', 'tor6', 'leaf');
  });
});
