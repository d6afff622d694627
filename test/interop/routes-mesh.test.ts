/**
 * Our daemons among themselves: three nodes in three subnets around a plain router, one datastore, iBGP. First the full
 * mesh, then a route reflector; IPv4 and IPv6. Next hops are two subnets away, so they are reached over the default route.
 */
import { expect } from 'chai';
import { BgpdProcess } from './peers/bgpd.ts';
import { eventually } from './peers/eventually.ts';
import { Lab } from './peers/lab.ts';
import { RouteMonitor } from './peers/monitor.ts';

const NODES = ['n1', 'n2', 'n3'] as const;

describe('routes between our own daemons, across a router', function () {
  this.timeout(400_000);

  let lab: Lab;
  const daemons: BgpdProcess[] = [];

  before(async function () {
    if (process.getuid?.() !== 0) {
      console.log('      SKIPPED: needs root to make network namespaces');
      this.skip();
    }
    lab = new Lab();
    await lab.node('r');
    for (const [i, name] of NODES.entries()) {
      const n = i + 1;
      await lab.node(name);
      await lab.link(
        { node: 'r', interface: `eth${n}`, addresses: [`10.0.${n}.254/24`, `fd00:${n}::ff/64`] },
        { node: name, interface: 'eth1', addresses: [`10.0.${n}.1/24`, `fd00:${n}::1/64`] },
      );
      await lab.run(name, 'ip', ['route', 'add', 'default', 'via', `10.0.${n}.254`]);
      await lab.run(name, 'ip', ['-6', 'route', 'add', 'default', 'via', `fd00:${n}::ff`]);
      const daemon = await BgpdProcess.create(lab, name, 'cluster');
      await daemon.put('Node', name, {
        bgp: { ipv4Address: `10.0.${n}.1/24`, ipv6Address: `fd00:${n}::1/64` },
      });
      await daemon.block(`10.244.${n}.0/26`);
      await daemon.block(`fd00:10:244::${n}00/122`);
      daemons.push(daemon);
    }
    const [any] = daemons as [BgpdProcess];
    const pool = { ipipMode: 'Never', vxlanMode: 'Never', natOutgoing: false, nodeSelector: 'all()' };
    await any.put('IPPool', 'v4', { ...pool, cidr: '10.244.0.0/16', blockSize: 26 });
    await any.put('IPPool', 'v6', { ...pool, cidr: 'fd00:10:244::/48', blockSize: 122 });
    for (const daemon of daemons) daemon.start();
  });

  after(async () => {
    for (const daemon of daemons) await daemon.store.close();
    await lab?.close();
  });

  async function everyoneReachesAllBlocks(): Promise<void> {
    for (const [i, name] of NODES.entries())
      for (const n of [1, 2, 3].filter((n) => n !== i + 1)) {
        const routes = (version: string, prefix: string) => () =>
          lab.run(name, 'ip', [version, 'route', 'show', prefix]);
        const [v4, v6] = [`10.244.${n}.0/26`, `fd00:10:244::${n}00/122`];
        await eventually(`${name}: ${v4}`, routes('-4', v4), (text) =>
          text.includes(`via 10.0.${i + 1}.254 dev eth1 proto 80`),
        );
        await eventually(`${name}: ${v6}`, routes('-6', v6), (text) =>
          text.includes(`via fd00:${i + 1}::ff dev eth1 proto 80`),
        );
      }
  }

  it('meshes all nodes, and installs their blocks over the router between them', async () => {
    await everyoneReachesAllBlocks();
    expect(await sessions(daemons[0] as BgpdProcess)).to.deep.equal([
      'mesh-n2 Established',
      'mesh-n2-v6 Established',
      'mesh-n3 Established',
      'mesh-n3-v6 Established',
    ]);
  });

  it('comes back from a kill -9 of all daemons at once without a flap in any kernel', async () => {
    const monitors = NODES.map((name) => new RouteMonitor(lab, name));
    const poke = async (): Promise<void> => {
      for (const name of NODES)
        for (const act of ['add', 'del'])
          await lab.run(name, 'ip', ['route', act, 'blackhole', '198.51.100.0/24']);
    };
    await eventually('the monitors listen', poke, () =>
      monitors.every((monitor) => monitor.of('198.51.100.0/24').length > 0),
    );
    await Promise.all(daemons.map((daemon) => daemon.kill()));
    for (const daemon of daemons) daemon.start();
    for (const daemon of daemons)
      await eventually(
        'all is as before',
        () => daemon.status(),
        ({ restarting, peers }) =>
          !restarting && peers.length === 4 && peers.every(({ state }) => state === 'Established'),
      );
    await everyoneReachesAllBlocks();
    for (const monitor of monitors) {
      expect(monitor.lines.filter((line) => line.includes('proto 80'))).to.deep.equal([]);
      await monitor.stop();
    }
  });

  it('moves to a route reflector while packets keep their way', async () => {
    const [any, , reflector] = daemons as [BgpdProcess, BgpdProcess, BgpdProcess];
    await any.put('BGPPeer', 'to-rr', { nodeSelector: 'all()', peerSelector: "role == 'rr'" });
    await any.put(
      'Node',
      'n3',
      {
        bgp: {
          ipv4Address: '10.0.3.1/24',
          ipv6Address: 'fd00:3::1/64',
          routeReflectorClusterID: '244.0.0.1',
        },
      },
      '',
      { role: 'rr' },
    );
    await any.put('BGPConfiguration', 'default', { nodeToNodeMeshEnabled: false });
    await eventually(
      'sessions with the reflector alone',
      () => sessions(any),
      (names) => names.join() === 'to-rr-n3 Established,to-rr-n3-v6 Established',
    );
    await everyoneReachesAllBlocks();
    const route = await any.route('10.244.2.0/26');
    expect(route?.paths.map(({ peer, reason }) => `${peer} ${reason}`)).to.deep.equal(['to-rr-n3 best']);
    expect(await sessions(reflector)).to.have.lengthOf(4);
  });

  it('rehearses before it begins where it reflects, nowhere else, and its clients keep their routes meanwhile', async () => {
    const [any, , reflector] = daemons as [BgpdProcess, BgpdProcess, BgpdProcess];
    const monitor = new RouteMonitor(lab, 'n1');
    await eventually(
      'the monitor listens',
      async () => {
        for (const act of ['add', 'del'])
          await lab.run('n1', 'ip', ['route', act, 'blackhole', '198.51.100.0/24']);
      },
      () => monitor.of('198.51.100.0/24').length > 0,
    );
    expect(daemons.map(rehearsed), 'it became one while it ran').to.deep.equal([false, false, false]);
    await reflector.kill();
    reflector.start();
    await eventually(
      'all is as before',
      () => reflector.status(),
      ({ restarting, peers }) =>
        !restarting && peers.length === 4 && peers.every(({ state }) => state === 'Established'),
    );
    expect(rehearsed(reflector)).to.equal(true);
    await any.kill();
    any.start();
    await eventually(
      'sessions with the reflector',
      () => sessions(any),
      (names) => names.join() === 'to-rr-n3 Established,to-rr-n3-v6 Established',
    );
    expect(rehearsed(any)).to.equal(false);
    await everyoneReachesAllBlocks();
    expect(monitor.lines.filter((line) => line.includes('proto 80'))).to.deep.equal([]);
    await monitor.stop();
  });
});

function rehearsed(daemon: BgpdProcess): boolean {
  return daemon.lines.join('').includes('rehearsed: a reflector');
}

async function sessions(daemon: BgpdProcess): Promise<readonly string[]> {
  return (await daemon.status()).peers.map(({ name, state }) => `${name} ${state}`);
}
