/** VXLAN between nodes, without BGP: felix-lite alone, on this machine's own kernel. */
import { expect } from 'chai';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { eventually } from '../interop/peers/eventually.ts';
import {
  block,
  endpointResource,
  Fabric,
  NODES,
  pools,
  sameSubnet,
  tunnelAddress,
  underlay,
  workload,
} from './fabric.ts';
import { holdsPolicyToTheInnerPacket } from './policy-step.ts';
import { pod } from './wiring.ts';

const MEGABYTES = 4 * 1024 * 1024;

describeOnKernel('VXLAN', function () {
  this.timeout(300_000);
  const fabric = new Fabric();

  before(async () => {
    // The larger overhead of the two: 70 octets around IPv6.
    await fabric.build(
      1430,
      ...pools({ v4: { vxlanMode: 'Always', natOutgoing: true }, v6: { vxlanMode: 'Always' } }),
    );
    for (const node of NODES) fabric.start(node, 'felix');
    await fabric.routed(
      (_, to) => new RegExp(`via ${tunnelAddress(to, 4)} dev vxlan.calico proto 81.*onlink`),
    );
    await fabric.routed(
      (_, to) => new RegExp(`via ${tunnelAddress(to, 6)} dev vxlan-v6.calico proto 81.*onlink`),
      6,
    );
  });
  after(() => fabric.close());

  for (const version of [4, 6] as const)
    it(`carries IPv${version} whole, to the same subnet and across a router`, async () => {
      const packets = await fabric.captured('to-b1', 'udp port 4789', async () => {
        await fabric.transfer('a1', 'b1', version, MEGABYTES);
        await fabric.transfer('b1', 'a2', version, MEGABYTES);
      });
      await fabric.transfer('a1', 'a2', version, MEGABYTES);
      const text = packets.join('\n');
      const outer = `${underlay('a1', version)}.\\d+ > ${underlay('b1', version)}.4789`;
      expect(text).to.match(new RegExp(`${outer}.*VXLAN, flags \\[I\\] \\(0x08\\), vni 4096`));
      expect(text).to.contain(`${workload('b1', version)}.7007`);
      expect(text, 'a fragment').not.to.match(/offset [1-9]|flags \[\+\]|frag \(/);
    });

  it('holds blackholes for its own blocks, so that packets for nobody do not go round', async () => {
    const routes = await fabric.lab.run('a1', 'ip', ['route', 'show', 'proto', '81']);
    expect(routes).to.contain(`blackhole ${block('a1', 4)}`);
  });

  it('holds policy to the inner packet', () => holdsPolicyToTheInnerPacket(fabric));

  it('lets packets to what is outside the pools leave under the name of the node, and no others', async () => {
    const packets = await fabric.captured('to-a1', 'tcp', () => fabric.answers('a1', '10.10.1.254'));
    expect(packets.join('\n')).to.match(/10\.10\.1\.1\.\d+ > 10\.10\.1\.254\.7007/);
    const inner = await fabric.captured('calib1', 'tcp', () => fabric.answers('a1', workload('b1', 4)), 'b1');
    expect(inner.join('\n')).to.match(/10\.244\.1\.2\.\d+ > 10\.244\.3\.2\.7007/);
  });

  it('brings packets for a floating IP to its workload on another node, and answers back', async () => {
    const floating = { 4: '10.244.9.9', 6: 'fd00:10:244:9::9' } as const;
    const ipNATs = ([4, 6] as const).map((version) => ({
      internalIP: workload('b1', version),
      externalIP: floating[version],
    }));
    await fabric.apply(
      {
        apiVersion: 'projectcalico.org/v3',
        kind: 'FelixConfiguration',
        metadata: { name: 'default' },
        spec: { floatingIPs: 'Enabled' },
      },
      endpointResource('b1', { ipNATs }),
    );
    const from = fabric.lab.netns(pod('a1'));
    for (const version of [4, 6] as const) {
      const asked = (): Promise<boolean> => fabric.answers('a1', floating[version]);
      await fabric.until(`IPv${version} of it answers`, asked, (answered) => answered);
      const packets = await fabric.captured(
        'calib1',
        'tcp',
        () => fabric.watch.whileTransferring(from, floating[version], (transfer) => transfer.send(100_000)),
        'b1',
      );
      // Who calls is still to be seen.
      const seen = `${workload('a1', version)}.\\d+ > ${workload('b1', version)}.7007`;
      expect(packets.join('\n')).to.match(new RegExp(seen));
    }
    await fabric.apply(endpointResource('b1'));
    await fabric.until(
      'nobody answers for it any more',
      () => fabric.answers('a1', floating[4]),
      (answered) => !answered,
    );
  });

  it('believes tunnelled packets of known nodes alone', async () => {
    const { lab } = fabric;
    const link = await lab.run('a1', 'ip', ['-br', 'link', 'show', 'vxlan.calico']);
    const mac = /([0-9a-f]{2}:){5}[0-9a-f]{2}/.exec(link)?.[0] ?? expect.fail(link);
    const forge = [
      'ip link add forged type vxlan id 4096 local 10.10.1.254 remote 10.10.1.1 dstport 4789',
      'ip addr add 10.99.0.1/24 dev forged',
      'ip link set forged up',
      `ip neigh add 10.99.0.2 lladdr ${mac} dev forged`,
      'ip route add 10.244.1.2 via 10.99.0.2 dev forged',
    ].join('\n');
    await lab.run('r', 'sh', ['-ec', forge]);
    let outer: readonly string[] = [];
    const inner = await fabric.captured(
      'calia1',
      'src 10.99.0.1',
      async () => {
        outer = await fabric.captured('to-a1', 'udp port 4789', () => fabric.answers('r', workload('a1', 4)));
      },
      'a1',
    );
    await lab.run('r', 'ip', ['link', 'delete', 'forged']);
    expect(outer.join('\n'), 'it was sent').to.match(/10\.99\.0\.1\.\d+ > 10\.244\.1\.2\.7007/);
    expect(inner.join('\n'), 'and not let in').to.equal('');
  });

  it('repairs at once what somebody takes away, the device too', async () => {
    const asked = (): Promise<string> => fabric.lab.run('a1', 'ip', ['route', 'show', block('b1', 4)]);
    await fabric.lab.run('a1', 'ip', ['route', 'delete', block('b1', 4)]);
    await eventually('the route', asked, (text) => text.includes('vxlan.calico'), 60_000);
    await fabric.lab.run('a1', 'ip', ['link', 'delete', 'vxlan.calico']);
    await eventually('the route over the device', asked, (text) => text.includes('vxlan.calico'), 60_000);
    await fabric.transfer('a1', 'b1', 4, 1000);
  });

  it('lets packets go bare in a subnet, and through the tunnel beyond it, with CrossSubnet', async () => {
    await fabric.apply(...pools({ v4: { vxlanMode: 'CrossSubnet' }, v6: { vxlanMode: 'Always' } }));
    await fabric.routed((from, to) =>
      sameSubnet(from, to) ? new RegExp(`via ${underlay(to, 4)} dev eth0`) : /dev vxlan.calico/,
    );
    const packets = await fabric.captured('to-a2', 'tcp or udp port 4789', () =>
      fabric.transfer('a1', 'a2', 4, 1000),
    );
    expect(packets.join('\n'))
      .to.contain(`${workload('a2', 4)}.7007`)
      .and.not.to.contain('VXLAN');
  });

  for (const [version, device] of [
    [4, 'vxlan.calico'],
    [6, 'vxlan-v6.calico'],
  ] as const)
    it(`changes the mode of an IPv${version} pool in a live cluster, there and back: the connection goes on`, async () => {
      const changed = async (vxlanMode: 'Always' | 'CrossSubnet'): Promise<void> => {
        const always = { vxlanMode: 'Always' };
        await fabric.apply(...pools({ v4: always, v6: always, [`v${version}`]: { vxlanMode } }));
        await fabric.routed(
          (from, to) =>
            vxlanMode === 'CrossSubnet' && sameSubnet(from, to)
              ? new RegExp(`via ${underlay(to, version)} dev eth0`)
              : new RegExp(`dev ${device} `),
          version,
        );
      };
      await changed('Always');
      await fabric.whileTransferring('a1', 'a2', version, async () => {
        await changed('CrossSubnet');
        await changed('Always');
      });
    });

  it('follows the MTU of the interface below, and packets that are too large by now get smaller, not lost', async () => {
    for (const [below, four, six] of [
      [1400, 1350, 1330],
      [1500, 1450, 1430],
    ] as const) {
      for (const node of NODES) {
        await fabric.lab.run('r', 'ip', ['link', 'set', `to-${node}`, 'mtu', String(below)]);
        await fabric.lab.run(node, 'ip', ['link', 'set', 'eth0', 'mtu', String(below)]);
      }
      for (const node of NODES)
        for (const [device, mtu] of [
          ['vxlan.calico', four],
          ['vxlan-v6.calico', six],
        ] as const)
          await fabric.until(
            `MTU of ${device} of ${node}`,
            () => fabric.lab.run(node, 'ip', ['link', 'show', device]),
            (text) => text.includes(`mtu ${mtu} `),
          );
      for (const version of [4, 6] as const) await fabric.transfer('a1', 'b1', version, MEGABYTES / 4);
    }
  });

  it("changes to Flannel's port and network in a live cluster: the connection goes on", async () => {
    const text = await fabric.captured('to-b1', 'udp port 8472', () =>
      fabric.whileTransferring('a1', 'b1', 4, async () => {
        await fabric.apply({
          apiVersion: 'projectcalico.org/v3',
          kind: 'FelixConfiguration',
          metadata: { name: 'default' },
          spec: { vxlanPort: 8472, vxlanVNI: 1 },
        });
        for (const node of NODES)
          await fabric.until(
            `device of ${node}`,
            () => fabric.lab.run(node, 'ip', ['-d', 'link', 'show', 'vxlan.calico']).catch(() => ''),
            (link) => /vxlan id 1 .*dstport 8472/.test(link),
          );
        await fabric.routed((from, to) => (sameSubnet(from, to) ? /./ : /dev vxlan.calico/));
      }),
    );
    // Of the outer packets the port says nothing to tcpdump's decoder unless it is the one that it knows for VXLAN's.
    expect(text.join('\n')).to.match(new RegExp(`${underlay('a1', 4)}\\.\\d+ > ${underlay('b1', 4)}\\.8472`));
  });

  /** Of felix-lite on a1, once it has looked at the kernel; else 0. */
  const pid = async (): Promise<number> => {
    const status = await fabric.status('a1', 'felix').catch(() => undefined);
    const { pid: now, routing } = (status ?? {}) as { pid?: number; routing?: { passes: number } };
    return (routing?.passes ?? 0) > 0 ? (now ?? 0) : 0;
  };

  for (const [signal, version] of [
    ['SIGKILL', 4],
    ['SIGTERM', 6],
  ] as const)
    it(`drops no ping of IPv${version} while felix-lite ends by ${signal} and comes back`, async () => {
      const before = await pid();
      const { answered, lost } = await fabric.pingedWhile('a1', 'b1', version, async () => {
        await fabric.kill('a1', 'felix', signal);
        fabric.start('a1', 'felix');
        await fabric.until('at work again', pid, (now) => now !== 0 && now !== before);
      });
      expect(lost, `of ${answered + lost.length}`).to.deep.equal([]);
    });
});
