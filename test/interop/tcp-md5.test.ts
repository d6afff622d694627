/**
 * TCP MD5 signatures (RFC 2385) with BIRD and FRR, whoever calls, over both versions of IP: the right key comes up, a wrong
 * one and none do not, and a changed one is taken over without a word to the other sessions.
 *
 * edge (poplin bgpd) - tor (BIRD); edge - leaf (FRR)
 * host (bgpd of a node) - rack (BIRD): keys out of Secrets that resources name
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { Alone } from './peers/alone.ts';
import { BgpdProcess } from './peers/bgpd.ts';
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
  this.timeout(400_000);

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

const RACK = `
router id 10.3.0.2;
protocol device { }
template bgp node { local as 65003; connect retry time 1; connect delay time 1; error wait time 1, 2; direct; password "of the rack"; }
protocol bgp node4 from node { neighbor 10.3.0.1 as 64512; ipv4 { import all; export none; }; }
protocol bgp node6 from node { neighbor fd00:3::1 as 64512; passive on; ipv6 { import all; export none; }; }
`;

describeOnKernel('TCP MD5 with a datastore', function () {
  this.timeout(400_000);

  const lab = new Lab();
  const secrets = join(lab.folder, 'secrets');
  let bgpd: BgpdProcess;

  before(async () => {
    for (const node of ['host', 'rack']) await lab.node(node);
    await lab.link(
      { node: 'host', interface: 'eth0', addresses: ['10.3.0.1/24', 'fd00:3::1/64'] },
      { node: 'rack', interface: 'eth0', addresses: ['10.3.0.2/24', 'fd00:3::2/64'] },
    );
    mkdirSync(join(secrets, 'bgp-secrets'), { recursive: true });
    bgpd = await BgpdProcess.create(lab, 'host');
    await bgpd.put('Node', 'host', { bgp: { ipv4Address: '10.3.0.1/24', ipv6Address: 'fd00:3::1/64' } });
    const password = { secretKeyRef: { name: 'bgp-secrets', key: 'rack' } };
    for (const [name, peerIP] of [
      ['rack4', '10.3.0.2'],
      ['rack6', 'fd00:3::2'],
    ] as const)
      await bgpd.put('BGPPeer', name, { peerIP, asNumber: 65003, password });
    await new Bird(lab, 'rack').start(RACK);
    bgpd.start('--secrets', secrets);
  });

  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.log(bgpd.lines.splice(0).join(''));
  });
  after(async () => {
    await bgpd?.store.close();
    await lab.close();
  });

  it('waits for the Secret, and says so', async () => {
    const { peers, problems } = await eventually(
      'the problems',
      () => bgpd.status().catch(() => ({ peers: [], problems: [] })),
      ({ problems: all }) => all.filter(({ code }) => code === 'SECRET_UNUSABLE').length === 2,
    );
    expect(peers).to.deep.equal([]);
    expect(problems).to.have.length(2);
  });

  it('signs with it once it is there', async () => {
    writeFileSync(join(secrets, 'bgp-secrets', 'rack'), 'of the rack\n');
    await eventually(
      'both Established',
      () => bgpd.status(),
      ({ peers }) => peers.length === 2 && peers.every(({ state }) => state === 'Established'),
      20_000,
    );
    expect(JSON.stringify(await bgpd.status()) + bgpd.lines.join('')).to.not.include('of the rack');
  });

  it('loses them with another key', async () => {
    writeFileSync(join(secrets, 'bgp-secrets', 'rack'), 'of another');
    await eventually(
      'none Established',
      () => bgpd.status(),
      ({ peers }) => peers.length === 2 && peers.every(({ state }) => state !== 'Established'),
    );
  });
});
