/** Sessions with real BIRD and real FRR: set-up, both families, capabilities as the other side sees them, both ends' errors. */
import { expect } from 'chai';
import type { SessionConfig } from '../../bgpd/speaker/session.ts';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { Bird } from './peers/bird.ts';
import { eventually } from './peers/eventually.ts';
import { Frr } from './peers/frr.ts';
import { Lab } from './peers/lab.ts';
import { PoplinNode } from './peers/poplin.ts';

const BASE: SessionConfig = {
  name: 'router',
  peerAddress: '10.0.0.2',
  peerPort: 179,
  peerAsn: 65001,
  localAsn: 4_200_000_101,
  routerId: 0x0a00_0001,
  holdSeconds: 9,
  connectRetrySeconds: 2,
  passive: false,
  families: ['ipv4-unicast', 'ipv6-unicast'],
  gracefulRestart: { restartSeconds: 120 },
};

/** Poplin in one node, a router in the other, one wire with both versions between them. */
async function wire(): Promise<Lab> {
  const lab = new Lab();
  await lab.node('p');
  await lab.node('r');
  await lab.link(
    { node: 'p', interface: 'eth0', addresses: ['10.0.0.1/30', 'fd00:1::1/64'] },
    { node: 'r', interface: 'eth0', addresses: ['10.0.0.2/30', 'fd00:1::2/64'] },
  );
  return lab;
}

function birdConfig(peer: { address: string; local: string; extra?: string }): string {
  return `router id 10.0.0.2;
protocol device { scan time 1; }
protocol static static4 { ipv4; route 192.0.2.0/24 blackhole; route 198.51.100.0/24 blackhole; }
protocol static static6 { ipv6; route 2001:db8:1::/48 blackhole; }
protocol bgp poplin {
  local ${peer.local} as 65001;
  neighbor ${peer.address} as 4200000101;
  hold time 240; connect retry time 2; error wait time 1, 2;
  graceful restart on;
  ${peer.extra ?? ''}
  ipv4 { import all; export all; next hop self; };
  ipv6 { import all; export all; next hop self; };
}
`;
}

function frrConfig(peer: { address: string; other: string; extra?: string }): string {
  return `frr defaults datacenter
hostname router
router bgp 65001
 bgp router-id 10.0.0.2
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 no bgp network import-check
 bgp graceful-restart
 neighbor ${peer.address} remote-as 4200000101
 neighbor ${peer.address} timers connect 2
 ${peer.extra ?? ''}
 address-family ipv4 unicast
  network 192.0.2.0/24
  neighbor ${peer.address} activate
 exit-address-family
 address-family ipv6 unicast
  network 2001:db8:1::/48
  neighbor ${peer.address} activate
 exit-address-family
`;
}

interface FrrNeighbour {
  readonly bgpState: string;
  readonly remoteRouterId: string;
  readonly bgpTimerHoldTimeMsecs: number;
  readonly neighborCapabilities: Readonly<Record<string, unknown>>;
  readonly lastNotificationReason?: string;
  readonly lastErrorCodeSubcode?: string;
}

async function frrNeighbour(frr: Frr, address: string): Promise<FrrNeighbour> {
  const all = (await frr.json(`show bgp neighbors ${address}`)) as Record<string, FrrNeighbour>;
  const neighbour = all[address];
  if (neighbour === undefined) throw new Error(`FRR knows no neighbour ${address}`);
  return neighbour;
}

describeOnKernel('sessions with a real BIRD', function () {
  this.timeout(400_000);
  let lab: Lab;
  let node: PoplinNode;
  let bird: Bird;

  beforeEach(async () => {
    lab = await wire();
    node = new PoplinNode(lab, 'p');
    await node.listener.listen();
    bird = new Bird(lab, 'r');
  });

  afterEach(async () => {
    node.close();
    await lab.close();
  });

  const transports = [
    { over: 'IPv4', ours: '10.0.0.1', theirs: '10.0.0.2' },
    { over: 'IPv6', ours: 'fd00:1::1', theirs: 'fd00:1::2' },
  ];
  for (const { over, ours, theirs } of transports) {
    it(`carries both families on one session over ${over}`, async () => {
      await bird.start(birdConfig({ address: ours, local: theirs }));
      const { peer, recorder } = node.peer({ ...BASE, peerAddress: theirs });
      peer.start();
      await eventually(
        'established',
        () => peer.state,
        (state) => state === 'Established',
      );
      const shown = await eventually(
        'BIRD sees it',
        () => bird.birdc('show protocols all poplin'),
        (text) => text.includes('BGP state:          Established'),
      );
      expect(shown).to.match(/Neighbor ID:\s+10\.0\.0\.1/);
      expect(shown).to.match(/Hold timer:\s+[\d.]+\/9\n/);
      const theirView = shown.slice(shown.indexOf('Neighbor capabilities'));
      expect(theirView).to.match(/AF announced: ipv4 ipv6/);
      expect(theirView).to.match(/Route refresh/);
      expect(theirView).to.match(/Extended message/);
      expect(theirView).to.match(/Graceful restart/);
      expect(theirView).to.match(/Restart time: 120/);
      expect(theirView).to.match(/4-octet AS numbers/);

      const { negotiated } = peer;
      expect(negotiated).to.deep.include({
        peerAsn: 65001,
        peerRouterId: 0x0a00_0002,
        internal: false,
        holdSeconds: 9,
        keepaliveSeconds: 3,
        families: ['ipv4-unicast', 'ipv6-unicast'],
        fourOctetAs: true,
        routeRefresh: true,
        enhancedRefresh: true,
      });
      expect(negotiated?.gracefulRestart?.families.map(({ family }) => family)).to.have.members([
        'ipv4-unicast',
        'ipv6-unicast',
      ]);
      const learned = () => recorder.updates.flatMap(({ reach }) => reach);
      await eventually(
        'routes of both families',
        learned,
        (reach) => new Set(reach.map((r) => r.family)).size === 2,
      );
      const prefixes = learned().flatMap(({ nlri }) => nlri.map(({ prefix }) => prefix.toString()));
      expect(prefixes).to.have.members(['192.0.2.0/24', '198.51.100.0/24', '2001:db8:1::/48']);
      expect(peer.localAddress).to.equal(ours);
    });
  }

  it('lets BIRD do the dialling when passive', async () => {
    await bird.start(birdConfig({ address: '10.0.0.1', local: '10.0.0.2' }));
    const { peer } = node.peer({ ...BASE, passive: true });
    peer.start();
    await eventually(
      'established',
      () => peer.state,
      (state) => state === 'Established',
    );
  });

  it('stays up while both dial at once', async () => {
    const { peer, recorder } = node.peer(BASE);
    peer.start();
    await bird.start(birdConfig({ address: '10.0.0.1', local: '10.0.0.2', extra: 'connect delay time 1;' }));
    await eventually(
      'established',
      () => peer.state,
      (state) => state === 'Established',
    );
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect(peer.state).to.equal('Established');
    expect(recorder.downs).to.deep.equal([]);
  });

  it('tells BIRD why it stops, and hears why BIRD does', async () => {
    await bird.start(birdConfig({ address: '10.0.0.1', local: '10.0.0.2' }));
    const { peer, recorder } = node.peer(BASE);
    peer.start();
    await eventually(
      'established',
      () => peer.state,
      (state) => state === 'Established',
    );
    await bird.command('disable poplin "maintenance until noon"');
    await eventually(
      'down',
      () => recorder.downs.length,
      (downs) => downs === 1,
    );
    expect(peer.lastError).to.equal(
      'received Cease / Administrative Shutdown (6/2): "maintenance until noon"',
    );
    await bird.command('enable poplin');
    await eventually(
      'established again',
      () => peer.state,
      (state) => state === 'Established',
    );
    peer.stop(2, 'new disks');
    const shown = await eventually(
      'BIRD heard',
      () => bird.birdc('show protocols all poplin'),
      (text) => text.includes('Last error'),
    );
    expect(shown).to.match(/Last error:\s+Received: Administrative shutdown/i);
    expect(shown).to.match(/Message:\s+new disks/);
  });

  it('sees the connection lost when BIRD is killed, and comes back', async () => {
    await bird.start(birdConfig({ address: '10.0.0.1', local: '10.0.0.2' }));
    const { peer, recorder } = node.peer(BASE);
    peer.start();
    await eventually(
      'established',
      () => peer.state,
      (state) => state === 'Established',
    );
    await bird.kill();
    await eventually(
      'down',
      () => recorder.downs,
      (downs) => downs.length === 1,
    );
    expect(recorder.downs).to.deep.equal([{ cause: 'connection-lost' }]);
    await bird.start(birdConfig({ address: '10.0.0.1', local: '10.0.0.2' }));
    await eventually(
      'established again',
      () => recorder.ups,
      (ups) => ups === 2,
    );
  });

  it('hangs up on a BIRD that has stopped, by the hold timer, and comes back', async () => {
    await bird.start(birdConfig({ address: '10.0.0.1', local: '10.0.0.2' }));
    const { peer, recorder } = node.peer({ ...BASE, holdSeconds: 3 });
    peer.start();
    await eventually(
      'established',
      () => peer.state,
      (state) => state === 'Established',
    );
    bird.freeze();
    await eventually(
      'down',
      () => recorder.downs,
      (downs) => downs.length === 1,
      5_000,
    );
    expect(recorder.downs).to.deep.equal([{ cause: 'hold-timer-expired' }]);
    bird.thaw();
    await eventually(
      'established again',
      () => recorder.ups,
      (ups) => ups === 2,
    );
  });

  it('is refused with words on both sides when the AS number is wrong', async () => {
    await bird.start(birdConfig({ address: '10.0.0.1', local: '10.0.0.2' }));
    const { peer } = node.peer({ ...BASE, peerAsn: 65009 });
    peer.start();
    await eventually(
      'our error',
      () => peer.lastError ?? '',
      (text) => text.includes('AS 65009 is configured'),
    );
    expect(peer.lastError).to.equal(
      'sent OPEN Message Error / Bad Peer AS (2/2): the peer says AS 65001, AS 65009 is configured',
    );
    const shown = await eventually(
      'their error',
      () => bird.birdc('show protocols all poplin'),
      (text) => text.includes('Last error'),
    );
    expect(shown).to.match(/Last error:\s+(Received: Bad peer AS|BGP Error: Bad peer AS)/i);
  });

  it('answers and sends route refresh', async () => {
    await bird.start(birdConfig({ address: '10.0.0.1', local: '10.0.0.2' }));
    const { peer, recorder } = node.peer(BASE);
    peer.start();
    await eventually(
      'first routes',
      () => recorder.updates.length,
      (updates) => updates >= 2,
    );
    await bird.command('reload in poplin');
    await eventually(
      'asked for both',
      () => recorder.refreshes,
      (asked) => new Set(asked).size === 2,
    );
    const before = recorder.updates.length;
    peer.requestRefresh('ipv4-unicast');
    await eventually(
      'sent again',
      () => recorder.updates.length,
      (updates) => updates > before,
    );
    expect(peer.state).to.equal('Established');
  });
});

describeOnKernel('sessions with a real FRR', function () {
  this.timeout(400_000);
  let lab: Lab;
  let node: PoplinNode;
  let frr: Frr;

  beforeEach(async () => {
    lab = await wire();
    node = new PoplinNode(lab, 'p');
    await node.listener.listen();
    frr = new Frr(lab, 'r');
  });

  afterEach(async () => {
    node.close();
    await lab.close();
  });

  for (const [over, ours, theirs] of [
    ['IPv4', '10.0.0.1', '10.0.0.2'],
    ['IPv6', 'fd00:1::1', 'fd00:1::2'],
  ] as const) {
    it(`carries both families on one session over ${over}`, async () => {
      await frr.start(frrConfig({ address: ours, other: theirs }));
      const { peer, recorder } = node.peer({ ...BASE, peerAddress: theirs });
      peer.start();
      await eventually(
        'established',
        () => peer.state,
        (state) => state === 'Established',
      );
      const neighbour = await eventually(
        'FRR sees it',
        () => frrNeighbour(frr, ours),
        ({ bgpState }) => bgpState === 'Established',
      );
      expect(neighbour.remoteRouterId).to.equal('10.0.0.1');
      expect(neighbour.bgpTimerHoldTimeMsecs).to.equal(9_000);
      const capabilities = neighbour.neighborCapabilities;
      expect(capabilities['4byteAs']).to.equal('advertisedAndReceived');
      expect(capabilities['routeRefresh']).to.match(/^advertisedAndReceived/);
      expect(capabilities['gracefulRestart']).to.equal('advertisedAndReceived');
      expect(capabilities['multiprotocolExtensions']).to.deep.equal({
        ipv4Unicast: { advertisedAndReceived: true },
        ipv6Unicast: { advertisedAndReceived: true },
      });
      expect(peer.negotiated?.families).to.deep.equal(['ipv4-unicast', 'ipv6-unicast']);
      const learned = () => recorder.updates.flatMap(({ reach }) => reach);
      await eventually(
        'routes of both families',
        learned,
        (reach) => new Set(reach.map((r) => r.family)).size === 2,
      );
    });
  }

  it('tells FRR why it stops, in the operator’s words', async () => {
    await frr.start(frrConfig({ address: '10.0.0.1', other: '10.0.0.2' }));
    const { peer } = node.peer(BASE);
    peer.start();
    await eventually(
      'established',
      () => peer.state,
      (state) => state === 'Established',
    );
    peer.stop(2, 'new disks');
    const text = await eventually(
      'FRR heard',
      () => frr.vtysh('show bgp neighbors 10.0.0.1'),
      (shown) => shown.includes('Administrative Shutdown'),
    );
    expect(text).to.match(/Cease\/Administrative Shutdown/);
    expect(await frr.log()).to.match(/received from neighbor 10\.0\.0\.1 6\/2.*new disks/);
  });

  it('speaks to an FRR that negotiates no capabilities: IPv4 alone, 2-octet AS numbers', async () => {
    const extra = 'neighbor 10.0.0.1 dont-capability-negotiate';
    await frr.start(frrConfig({ address: '10.0.0.1', other: '10.0.0.2', extra }));
    const { peer, recorder } = node.peer(BASE);
    peer.start();
    await eventually(
      'established',
      () => peer.state,
      (state) => state === 'Established',
    );
    expect(peer.negotiated).to.deep.include({
      families: ['ipv4-unicast'],
      fourOctetAs: false,
      routeRefresh: false,
      extendedMessages: false,
    });
    await eventually(
      'routes',
      () => recorder.updates.flatMap(({ reach }) => reach),
      (reach) => reach.length === 1,
    );
    expect(recorder.updates[0]?.attributes?.asPath).to.deep.equal([{ type: 'sequence', asns: [65001] }]);
  });

  it('comes up as an internal peer too', async () => {
    await frr.start(
      frrConfig({ address: '10.0.0.1', other: '10.0.0.2' }).replace(
        'remote-as 4200000101',
        'remote-as 65001',
      ),
    );
    const { peer, recorder } = node.peer({ ...BASE, localAsn: 65001 });
    peer.start();
    await eventually(
      'established',
      () => peer.state,
      (state) => state === 'Established',
    );
    expect(peer.negotiated).to.deep.include({ internal: true });
    await eventually(
      'routes',
      () => recorder.updates.flatMap(({ reach }) => reach),
      (reach) => reach.length >= 2,
    );
    expect(recorder.updates[0]?.attributes).to.deep.include({ asPath: [], localPref: 100 });
  });

  it('hears FRR’s own shutdown message', async () => {
    const extra = 'neighbor 10.0.0.1 shutdown message maintenance until noon';
    await frr.start(frrConfig({ address: '10.0.0.1', other: '10.0.0.2' }));
    const { peer, recorder } = node.peer(BASE);
    peer.start();
    await eventually(
      'established',
      () => peer.state,
      (state) => state === 'Established',
    );
    await frr.configure(['router bgp 65001', extra]);
    await eventually(
      'down',
      () => recorder.downs.length,
      (downs) => downs === 1,
    );
    expect(peer.lastError).to.equal(
      'received Cease / Administrative Shutdown (6/2): "maintenance until noon"',
    );
  });
});
