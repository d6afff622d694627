/**
 * Routes between our daemon, a real BIRD and a real FRR, both IP versions, seen from all sides: kernels, birdc, vtysh.
 *
 * tor-a (BIRD, AS 65001) - node (bgpd, AS 65101) - tor-b (FRR, AS 65002)
 */
import { expect } from 'chai';
import { SystemClock } from '../../clock/system.ts';
import { setReady } from '../../datastore/migrate/index.ts';
import { BgpdProcess } from './peers/bgpd.ts';
import { Bird } from './peers/bird.ts';
import { eventually } from './peers/eventually.ts';
import { Frr } from './peers/frr.ts';
import { Lab } from './peers/lab.ts';
import { RouteMonitor } from './peers/monitor.ts';

const BIRD = `
router id 192.0.2.2;
log stderr all;
protocol device { scan time 1; }
protocol kernel k4 { ipv4 { export all; }; persist; scan time 60; }
protocol kernel k6 { ipv6 { export all; }; persist; scan time 60; }
protocol static s4 { ipv4; route 10.50.0.0/24 blackhole; }
protocol static both4 { disabled; ipv4; route 10.70.0.0/24 blackhole; }
protocol static both6 { disabled; ipv6; route fd00:70::/64 blackhole; }
protocol static s6 { ipv6; route fd00:50::/64 blackhole; }
template bgp node { local as 65001; graceful restart on; graceful restart time 4; connect retry time 1; connect delay time 1; error wait time 1, 2; }
protocol bgp node4 from node { neighbor 192.0.2.1 as 65101; ipv4 { import all; export all; }; }
protocol bgp node6 from node { neighbor 2001:db8::1 as 65101; ipv6 { import all; export all; }; }
`;

const FRR = `
hostname tor-b
log stdout
route-map longer permit 10
 set as-path prepend 65002
router bgp 65002
 bgp router-id 192.0.2.6
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 no bgp network import-check
 bgp graceful-restart
 neighbor 192.0.2.5 remote-as 65101
 neighbor 192.0.2.5 timers connect 1
 neighbor 2001:db8:1::1 remote-as 65101
 neighbor 2001:db8:1::1 timers connect 1
 address-family ipv4 unicast
  network 10.60.0.0/24
  network 10.70.0.0/24
  neighbor 192.0.2.5 activate
 exit-address-family
 address-family ipv6 unicast
  network fd00:60::/64
  network fd00:70::/64
  neighbor 2001:db8:1::1 activate
 exit-address-family
`;

const LEARNED = ['10.50.0.0/24', 'fd00:50::/64', '10.60.0.0/24', 'fd00:60::/64'];
const PEERS = ['tor-a', 'tor-a-v6', 'tor-b', 'tor-b-v6'];

describe('routes with a real BIRD and a real FRR', function () {
  this.timeout(400_000);

  let lab: Lab;
  let bird: Bird;
  let frr: Frr;
  let bgpd: BgpdProcess;

  before(async function () {
    if (process.getuid?.() !== 0) {
      console.log('      SKIPPED: needs root to make network namespaces');
      this.skip();
    }
    lab = new Lab();
    for (const node of ['tor-a', 'node', 'tor-b']) await lab.node(node);
    await lab.link(
      { node: 'tor-a', interface: 'eth1', addresses: ['192.0.2.2/30', '2001:db8::2/64'] },
      { node: 'node', interface: 'eth1', addresses: ['192.0.2.1/30', '2001:db8::1/64'] },
    );
    await lab.link(
      { node: 'node', interface: 'eth2', addresses: ['192.0.2.5/30', '2001:db8:1::1/64'] },
      { node: 'tor-b', interface: 'eth1', addresses: ['192.0.2.6/30', '2001:db8:1::2/64'] },
    );
    bird = new Bird(lab, 'tor-a');
    frr = new Frr(lab, 'tor-b');
    bgpd = await BgpdProcess.create(lab, 'node');
    await describeCluster(bgpd);
    await Promise.all([bird.start(BIRD), frr.start(FRR)]);
    bgpd.start();
    await allEstablished();
  });

  afterEach(function () {
    if (this.currentTest?.state === 'failed') console.log(bgpd?.lines.splice(0).join(''));
    if (bgpd !== undefined) bgpd.lines.length = 0;
  });

  after(async () => {
    await bgpd?.store.close();
    await lab?.close();
  });

  async function allEstablished(): Promise<void> {
    await eventually(
      'all sessions Established',
      () => bgpd.status(),
      ({ peers, restarting }) =>
        !restarting && peers.length === 4 && peers.every((peer) => peer.state === 'Established'),
      40_000,
    );
  }

  function kernel(node: string, ...args: readonly string[]): Promise<string> {
    const version = args.some((arg) => arg.includes(':')) ? '-6' : '-4';
    return lab.run(node, 'ip', [version, 'route', 'show', ...args]);
  }

  async function kernelHas(node: string, prefix: string, pattern: RegExp): Promise<void> {
    await eventually(
      `${prefix} in the kernel of ${node}`,
      () => kernel(node, prefix),
      (text) => pattern.test(text),
    );
  }

  async function kernelLacks(node: string, prefix: string): Promise<void> {
    await eventually(
      `no ${prefix} in the kernel of ${node}`,
      () => kernel(node, prefix),
      (text) => text.trim() === '',
    );
  }

  /** Everything has been learned everywhere, and nothing is on its way any more. */
  async function allInstalled(): Promise<void> {
    for (const prefix of LEARNED) await kernelHas('node', prefix, /proto 80/);
    for (const tor of ['tor-a', 'tor-b'])
      for (const prefix of ['10.244.1.0/26', 'fd00:10:244::40/122']) await kernelHas(tor, prefix, /via/);
  }

  /** A route that comes and goes everywhere. */
  async function poke(): Promise<void> {
    for (const node of ['tor-a', 'node', 'tor-b'])
      for (const act of ['add', 'del'])
        await lab.run(node, 'ip', ['route', act, 'blackhole', '198.51.100.0/24']);
  }

  it('installs what both teach, with protocol 80, over the right next hops', async () => {
    await kernelHas('node', '10.50.0.0/24', /via 192\.0\.2\.2 dev eth1 proto 80/);
    await kernelHas('node', 'fd00:50::/64', /via 2001:db8::2 dev eth1 proto 80/);
    await kernelHas('node', '10.60.0.0/24', /via 192\.0\.2\.6 dev eth2 proto 80/);
    await kernelHas('node', 'fd00:60::/64', /via 2001:db8:1::2 dev eth2 proto 80/);
  });

  it('tells its confirmed blocks, and blackholes them', async () => {
    await kernelHas('node', '10.244.1.0/26', /blackhole 10\.244\.1\.0\/26 proto 80/);
    await kernelHas('node', 'fd00:10:244::40/122', /blackhole fd00:10:244::40\/122 .*proto 80/);
    const v4 = await bird.birdc('show route 10.244.1.0/26 all');
    expect(v4)
      .to.match(/BGP\.as_path: 65101\b/)
      .and.match(/BGP\.next_hop: 192\.0\.2\.1\b/);
    const v6 = await bird.birdc('show route fd00:10:244::40/122 all');
    expect(v6).to.match(/BGP\.next_hop: 2001:db8::1\b/);
    expect(await frr.json('show bgp ipv4 unicast 10.244.1.0/26')).to.have.nested.property(
      'paths[0].nexthops[0].ip',
      '192.0.2.5',
    );
    expect(await frr.json('show bgp ipv6 unicast fd00:10:244::40/122')).to.have.nested.property(
      'paths[0].valid',
      true,
    );
  });

  it('tells neither what lies inside its blocks, nor pending ones, nor what lies in pools that are not to be exported', async () => {
    await bgpd.put(
      'WorkloadEndpoint',
      'node-cni-inside-eth0',
      endpoint('inside', '10.244.1.7/32'),
      'default',
    );
    await bgpd.put(
      'WorkloadEndpoint',
      'node-cni-borrowed-eth0',
      endpoint('borrowed', '10.244.9.7/32'),
      'default',
    );
    await bgpd.block('10.244.5.0/26', 'pending');
    await bgpd.block('10.245.1.0/26');
    await eventually(
      'the borrowed address',
      () => bird.birdc('show route 10.244.9.7/32'),
      (text) => text.includes('10.244.9.7/32'),
    );
    const routes = await bird.birdc('show route protocol node4');
    expect(routes)
      .to.include('10.244.1.0/26')
      .and.not.include('10.244.1.7')
      .and.not.include('10.244.5.0')
      .and.not.include('10.245');
    await kernelHas('node', '10.245.1.0/26', /blackhole/);
  });

  it('uses both routers at once where both lead to the same place as well, and the one that is left', async () => {
    await bird.command('enable both4');
    await bird.command('enable both6');
    await kernelHas('node', '10.70.0.0/24', /nexthop via 192\.0\.2\.2 .*nexthop via 192\.0\.2\.6/s);
    await kernelHas('node', 'fd00:70::/64', /nexthop via 2001:db8::2 .*nexthop via 2001:db8:1::2/s);
    await bird.command('disable both4');
    await bird.command('disable both6');
    await kernelHas('node', '10.70.0.0/24', /via 192\.0\.2\.6 dev eth2 proto 80/);
    await kernelHas('node', 'fd00:70::/64', /via 2001:db8:1::2 dev eth2 proto 80/);
  });

  it('takes a route out when its router does, and a block when the node gives it up', async () => {
    await bird.command('disable s4');
    await kernelLacks('node', '10.50.0.0/24');
    await bird.command('enable s4');
    await kernelHas('node', '10.50.0.0/24', /proto 80/);
    await bgpd.block('10.244.2.0/26');
    await kernelHas('tor-a', '10.244.2.0/26', /via 192\.0\.2\.1/);
    await kernelHas('tor-b', '10.244.2.0/26', /via 192\.0\.2\.5/);
    await bgpd.remove('BlockAffinity', '10.244.2.0/26', 'host:node');
    await kernelLacks('tor-a', '10.244.2.0/26');
    await kernelLacks('tor-b', '10.244.2.0/26');
    await kernelLacks('node', '10.244.2.0/26');
  });

  it("leaves a stranger's route in the kernel alone, and says that it did", async () => {
    await lab.run('node', 'ip', ['route', 'add', '10.61.0.0/24', 'via', '192.0.2.2', 'proto', 'static']);
    await frr.configure(['router bgp 65002', 'address-family ipv4 unicast', 'network 10.61.0.0/24']);
    await eventually(
      'the route is yielded',
      () => bgpd.route('10.61.0.0/24'),
      (route) => route?.installed?.state === 'yielded',
    );
    expect(await kernel('node', '10.61.0.0/24'))
      .to.include('proto static')
      .and.not.include('proto 80');
    await lab.run('node', 'ip', ['route', 'del', '10.61.0.0/24', 'proto', 'static']);
    await kernelHas('node', '10.61.0.0/24', /via 192\.0\.2\.6 dev eth2 proto 80/);
  });

  it('puts back a route of its own that somebody removed', async () => {
    await lab.run('node', 'ip', ['route', 'del', '10.60.0.0/24', 'proto', '80']);
    await kernelHas('node', '10.60.0.0/24', /proto 80/);
  });

  it('explains a route: the chosen path, the losers and why', async () => {
    await frr.configure([
      'router bgp 65002',
      'address-family ipv4 unicast',
      'network 10.50.0.0/24 route-map longer',
    ]);
    const route = await eventually(
      'two paths',
      () => bgpd.route('10.50.0.0/24'),
      (route) => route?.paths.length === 2,
    );
    expect(route?.paths.map(({ reason }) => reason)).to.have.members([
      'best',
      'lost: another has a shorter AS_PATH',
    ]);
    await frr.configure(['router bgp 65002', 'address-family ipv4 unicast', 'no network 10.50.0.0/24']);
  });

  it('keeps the last good configuration when a resource stops making sense', async () => {
    await bgpd.put('BGPPeer', 'tor-a', { nodeSelector: '((', peerIP: '192.0.2.2', asNumber: 65001 });
    await eventually(
      'the problem is told',
      () => bgpd.status(),
      ({ problems }) => problems.length > 0,
    );
    expect((await bgpd.status()).peers.map(({ name, state }) => `${name} ${state}`)).to.include(
      'tor-a Established',
    );
    await bgpd.remove('Node', 'node');
    await eventually(
      'the node is missed',
      () => bgpd.status(),
      ({ problems }) => problems.some(({ code }) => code === 'NODE_MISSING'),
    );
    expect((await bgpd.status()).peers.every(({ state }) => state === 'Established')).to.equal(true);
    await describeCluster(bgpd);
    await eventually(
      'all is well again',
      () => bgpd.status(),
      ({ problems }) => problems.length === 0,
    );
    expect(await bird.birdc('show protocols all node4')).to.match(/BGP state:\s+Established/);
  });

  it('keeps sessions and routes while a migration holds the datastore, and goes on after it', async () => {
    const clock = new SystemClock();
    await setReady(bgpd.store, clock, false);
    // Half an import: the node is not there yet, and a peer is.
    await bgpd.remove('Node', 'node');
    await bgpd.put('BGPPeer', 'later', { node: 'node', peerIP: '192.0.2.9', asNumber: 65009 });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const held = await bgpd.status();
    expect(held.problems).to.deep.equal([]);
    expect(held.peers.map(({ name, state }) => `${name} ${state}`))
      .to.have.length(4)
      .and.include('tor-a Established');
    await allInstalled();
    await describeCluster(bgpd);
    await setReady(bgpd.store, clock, true);
    await eventually(
      'the new peer is there',
      () => bgpd.status(),
      ({ peers }) => peers.some(({ name }) => name === 'later'),
    );
    await bgpd.remove('BGPPeer', 'later');
    await allEstablished();
  });

  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    it(`comes back from ${signal} without a flap in any kernel`, async () => {
      await allInstalled();
      const monitors = ['tor-a', 'node', 'tor-b'].map((node) => new RouteMonitor(lab, node));
      await eventually('the monitors listen', poke, () =>
        monitors.every((monitor) => monitor.of('198.51.100.0/24').length > 0),
      );
      await bgpd.kill(signal);
      // What is no longer true when the new process starts has to go, and nothing else.
      await lab.run('node', 'ip', ['route', 'add', '10.99.0.0/24', 'via', '192.0.2.2', 'proto', '80']);
      bgpd.start();
      await allEstablished();
      await kernelLacks('node', '10.99.0.0/24');
      for (const prefix of [...LEARNED, '10.244.1.0/26', 'fd00:10:244::40/122'])
        for (const [i, monitor] of monitors.entries())
          expect(monitor.of(prefix), `${prefix} in kernel ${i}`).to.deep.equal([]);
      expect(monitors[1]?.of('10.99.0.0/24').at(-1)).to.match(/^Deleted/);
      await Promise.all(monitors.map((monitor) => monitor.stop()));
    });
  }

  it('keeps the routes of a router whose process dies for its restart time, then takes them out', async () => {
    await bird.kill('SIGKILL');
    await eventually(
      'kept as stale',
      () => bgpd.route('10.50.0.0/24'),
      (route) => route?.paths[0]?.stale === true,
    );
    expect(await kernel('node', '10.50.0.0/24')).to.include('proto 80');
    await kernelLacks('node', '10.50.0.0/24');
    await kernelLacks('node', 'fd00:50::/64');
    await bird.start(BIRD);
    await allEstablished();
    await kernelHas('node', '10.50.0.0/24', /proto 80/);
    await kernelHas('tor-a', '10.244.1.0/26', /via 192\.0\.2\.1/);
  });

  it('takes the routes of a router out at once when it says goodbye', async () => {
    const monitor = new RouteMonitor(lab, 'node');
    await bird.command('disable node4');
    await kernelLacks('node', '10.50.0.0/24');
    await bird.command('enable node4');
    await kernelHas('node', '10.50.0.0/24', /proto 80/);
    await monitor.stop();
  });

  it('withdraws everything and removes its routes when the peers are taken out of the configuration', async () => {
    for (const name of PEERS) await bgpd.remove('BGPPeer', name);
    for (const prefix of LEARNED) await kernelLacks('node', prefix);
    await kernelLacks('tor-a', '10.244.1.0/26');
    await kernelLacks('tor-b', '10.244.1.0/26');
    await kernelHas('node', '10.244.1.0/26', /blackhole/);
  });
});

async function describeCluster(bgpd: BgpdProcess): Promise<void> {
  await bgpd.put('Node', 'node', {
    bgp: { asNumber: 65101, ipv4Address: '192.0.2.1/30', ipv6Address: '2001:db8::1/64' },
  });
  await bgpd.put('BGPConfiguration', 'default', { nodeToNodeMeshEnabled: false });
  await bgpd.put('BGPPeer', 'tor-a', peerSpec('192.0.2.2', 65001));
  await bgpd.put('BGPPeer', 'tor-a-v6', peerSpec('2001:db8::2', 65001));
  await bgpd.put('BGPPeer', 'tor-b', peerSpec('192.0.2.6', 65002));
  await bgpd.put('BGPPeer', 'tor-b-v6', peerSpec('2001:db8:1::2', 65002));
  const pool = { ipipMode: 'Never', vxlanMode: 'Never', natOutgoing: false, nodeSelector: 'all()' };
  await bgpd.put('IPPool', 'v4', { ...pool, cidr: '10.244.0.0/16', blockSize: 26 });
  await bgpd.put('IPPool', 'v6', { ...pool, cidr: 'fd00:10:244::/48', blockSize: 122 });
  await bgpd.put('IPPool', 'private', {
    ...pool,
    cidr: '10.245.0.0/16',
    blockSize: 26,
    disableBGPExport: true,
  });
  await bgpd.block('10.244.1.0/26');
  await bgpd.block('fd00:10:244::40/122');
}

function endpoint(id: string, address: string): object {
  return {
    orchestrator: 'cni',
    node: 'node',
    containerID: id,
    endpoint: 'eth0',
    interfaceName: `cali${id}`,
    ipNetworks: [address],
    profiles: [],
  };
}

function peerSpec(peerIP: string, asNumber: number): object {
  return { node: 'node', peerIP, asNumber, sourceAddress: 'None' };
}
