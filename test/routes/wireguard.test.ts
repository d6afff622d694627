/**
 * WireGuard between nodes, with real daemons: on this machine's kernel where it has it, else with wireguard-go. Node a2 has
 * it switched off: between it and the others packets go as they did, through VXLAN.
 */
import { expect } from 'chai';
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { describeOnKernel } from '../../net/kernel/testing.ts';
import { userspaceProgram, writeSysctl } from '../../net/kernel/index.ts';
import {
  block,
  Fabric,
  type NodeName,
  NODES,
  pools,
  underlay,
  wireguardAddress,
  workload,
} from './fabric.ts';
import { echoIn, longestRun } from './transfer.ts';
import { holdsPolicyToTheInnerPacket } from './policy-step.ts';

const MEGABYTES = 4 * 1024 * 1024;
/** Of a 1500 underlay: WireGuard over IPv6 takes the most. */
const POD_MTU = 1420;

interface Status {
  readonly pid: number;
  readonly routing: {
    readonly wireguard: Partial<
      Record<'4' | '6', { implementation: string; publicKey: string; peers: number; mtu: number }>
    >;
    readonly problems: readonly { readonly code: string }[];
  };
}

const felixConfiguration = (name: string, spec: object): object => ({
  apiVersion: 'projectcalico.org/v3',
  kind: 'FelixConfiguration',
  metadata: { name },
  spec,
});

const present = userspaceProgram() !== undefined && existsSync('/dev/net/tun');
if (!present)
  process.stderr.write('SKIPPED: WireGuard: wireguard-go is not installed, or there is no /dev/net/tun\n');

(present ? describeOnKernel : describe.skip)('WireGuard', function () {
  this.timeout(300_000);
  const fabric = new Fabric();
  const status = async (node: NodeName): Promise<Status | undefined> =>
    (await fabric.status(node, 'felix').catch(() => undefined)) as Status | undefined;
  const key = async (node: NodeName): Promise<string> =>
    (await status(node))?.routing.wireguard['4']?.publicKey ?? '';
  const way = (from: NodeName, to: NodeName, version: 4 | 6): Promise<string> =>
    fabric.lab.run(from, 'ip', [`-${version}`, 'route', 'get', workload(to, version)]);
  const encrypted = async (from: NodeName, to: NodeName): Promise<void> => {
    for (const [version, device] of [
      [4, 'wireguard.cali'],
      [6, 'wg-v6.cali'],
    ] as const)
      await fabric.until(
        `IPv${version} of ${from} to ${to}`,
        () => way(from, to, version),
        (text) => text.includes(device),
      );
  };

  before(async () => {
    await fabric.build(
      POD_MTU,
      ...pools({ v4: { vxlanMode: 'Always' }, v6: { vxlanMode: 'Always' } }),
      felixConfiguration('default', { wireguardEnabled: true, wireguardEnabledV6: true }),
      felixConfiguration('node.a2', { wireguardEnabled: false, wireguardEnabledV6: false }),
    );
    for (const node of NODES) fabric.start(node, 'felix');
    await fabric.routed(() => /dev vxlan.calico/);
    await encrypted('a1', 'b1');
    await encrypted('b1', 'a1');
  });
  after(() => fabric.close());

  it('says which implementation it is, and keeps a key of its own that nobody else may read', async () => {
    const one = (await status('a1'))?.routing;
    expect(one?.problems).to.deep.equal([]);
    expect(one?.wireguard['4']).to.deep.include({ peers: 1, mtu: 1440 });
    expect(one?.wireguard['6']).to.deep.include({ peers: 1, mtu: 1420 });
    expect(one?.wireguard['4']?.implementation).to.be.oneOf(['kernel', 'wireguard-go']);
    expect(statSync(fabric.keyFile('a1')).mode & 0o777).to.equal(0o600);
    expect((await status('a2'))?.routing.wireguard).to.deep.equal({});
  });

  for (const version of [4, 6] as const)
    it(`carries IPv${version} whole in both directions, and nothing of it in plain text`, async () => {
      const both = async (): Promise<void> => {
        await fabric.transfer('a1', 'b1', version, MEGABYTES);
        await fabric.transfer('b1', 'a1', version, MEGABYTES);
      };
      const everything = version === 4 ? 'ip' : 'ip6 and not icmp6';
      const raw = await fabric.capturedRaw('to-b1', everything, both);
      expect(raw.length, 'enough to judge by').to.be.greaterThan(MEGABYTES / 2);
      expect(longestRun(raw), 'octets of the transfer').to.be.lessThan(64);
      const text = (await fabric.captured('to-b1', everything, both)).join('\n');
      const port = version === 4 ? 51_820 : 51_821;
      expect(text).to.match(
        new RegExp(`${underlay('a1', version)}.${port} > ${underlay('b1', version)}.${port}: .*UDP`),
      );
      expect(text).not.to.contain(workload('b1', version));
      expect(text, 'a fragment').not.to.match(/offset [1-9]|flags \[\+\]|frag \(/);
    });

  it('shows what a capture finds without encryption: a node that has it switched off stays reachable', async () => {
    const raw = await fabric.capturedRaw('to-a2', 'udp port 4789', () =>
      fabric.transfer('a1', 'a2', 4, 100_000),
    );
    expect(longestRun(raw)).to.be.greaterThan(1000);
    await fabric.transfer('a2', 'b1', 6, 100_000);
  });

  it('gives the node itself the address of the tunnel towards workloads', async () => {
    const text = await fabric.lab.run('a1', 'ip', ['route', 'get', workload('b1', 4)]);
    expect(text).to.contain(`src ${wireguardAddress('a1', 4)}`);
  });

  it('tells Prometheus of its peers, under the names that Calico gives them', async () => {
    const text = await fabric.metrics('a1');
    const [own, other] = [await key('a1'), await key('b1')];
    const labels = `hostname="a1",public_key="${own}",peer_key="${other}",peer_endpoint="${underlay('b1', 4)}:51820"`;
    const value = (name: string): number =>
      Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`${name}{${labels}} `))
          ?.split(' ')
          .at(-1),
      );
    expect(text).to.contain(`iface="wireguard.cali",listen_port="51820"} 1`);
    expect(value('wireguard_bytes_sent')).to.be.greaterThan(MEGABYTES);
    expect(value('wireguard_bytes_rcvd')).to.be.greaterThan(MEGABYTES);
    const since = Date.now() / 1000 - value('wireguard_latest_handshake_seconds');
    expect(since).to.be.within(-2, 180);
  });

  it('holds policy to the inner packet', () => holdsPolicyToTheInnerPacket(fabric));

  it('repairs at once what somebody takes away: a route, the rule, the device', async () => {
    const deletions = [
      ['route', 'delete', block('b1', 4), 'table', '1'],
      ['rule', 'delete', 'priority', '99'],
      ['link', 'delete', 'wireguard.cali'],
    ];
    for (const words of deletions) {
      await fabric.lab.run('a1', 'ip', words);
      await fabric.until(
        `repaired after ip ${words.join(' ')}`,
        () => way('a1', 'b1', 4),
        (text) => text.includes('wireguard.cali'),
      );
    }
    await fabric.transfer('a1', 'b1', 4, 1000);
  });

  it('keeps key and packets while felix-lite is killed and comes back', async () => {
    const before = await key('a1');
    const index = await fabric.lab.run('a1', 'ip', ['-o', 'link', 'show', 'wireguard.cali']);
    await fabric.whileTransferring('a1', 'b1', 4, async () => {
      const pid = (await status('a1'))?.pid;
      await fabric.kill('a1', 'felix');
      fabric.start('a1', 'felix');
      await fabric.until(
        'at work again',
        () => status('a1'),
        (now) => now !== undefined && now.pid !== pid && now.routing.wireguard['4'] !== undefined,
      );
    });
    expect(await key('a1')).to.equal(before);
    expect(await fabric.lab.run('a1', 'ip', ['-o', 'link', 'show', 'wireguard.cali'])).to.equal(index);
  });

  it('changes its key in a live cluster: the connection goes on', async () => {
    const before = await key('a1');
    const secret = readFileSync(fabric.keyFile('a1'), 'utf8');
    await fabric.whileTransferring('a1', 'b1', 4, async () => {
      rmSync(fabric.keyFile('a1'));
      await fabric.kill('a1', 'felix');
      fabric.start('a1', 'felix');
      await fabric.until(
        'another key',
        () => key('a1'),
        (now) => now !== '' && now !== before,
      );
    });
    expect(readFileSync(fabric.keyFile('a1'), 'utf8')).not.to.equal(secret);
    await fabric.transfer('b1', 'a1', 4, 1000);
  });

  it('encrypts what nodes themselves say where that is asked for, under a strict check of reverse paths', async () => {
    for (const node of ['a1', 'b1'] as const)
      for (const scope of ['all', 'eth0', 'wireguard.cali'])
        writeSysctl(`net/ipv4/conf/${scope}/rp_filter`, 1, fabric.lab.netns(node));
    await using echo = await echoIn(fabric.lab.netns('b1'));
    const netns = fabric.lab.netns('a1');
    const to = underlay('b1', 4);
    const hosts = { wireguardEnabled: true, wireguardEnabledV6: true, wireguardHostEncryptionEnabled: true };
    await fabric.watch.whileTransferring(netns, to, async () => {
      await fabric.apply(felixConfiguration('default', hosts));
      for (const [from, other] of [
        ['a1', 'b1'],
        ['b1', 'a1'],
      ] as const)
        for (const [version, device] of [
          [4, 'wireguard.cali'],
          [6, 'wg-v6.cali'],
        ] as const)
          await fabric.until(
            `${from} itself, IPv${version}`,
            () => fabric.lab.run(from, 'ip', ['route', 'get', underlay(other, version)]),
            (text) => text.includes(device),
          );
    });
    for (const version of [4, 6] as const) {
      const raw = await fabric.capturedRaw('to-b1', version === 4 ? 'ip' : 'ip6 and not icmp6', () =>
        fabric.watch.whileTransferring(netns, underlay('b1', version), (transfer) =>
          transfer.send(MEGABYTES),
        ),
      );
      expect(raw.length, 'enough to judge by').to.be.greaterThan(MEGABYTES / 2);
      expect(longestRun(raw), 'octets of the transfer').to.be.lessThan(64);
    }
    expect(echo.listening).to.equal(true);
    await fabric.transfer('a1', 'b1', 4, 100_000);
  });

  it('goes round the tunnel when it is switched off in a live cluster', async () => {
    await fabric.whileTransferring('a1', 'b1', 4, async () => {
      await fabric.apply(
        felixConfiguration('default', { wireguardEnabled: false, wireguardEnabledV6: true }),
      );
      for (const [from, to] of [
        ['a1', 'b1'],
        ['b1', 'a1'],
      ] as const)
        await fabric.until(
          `${from} in plain`,
          () => way(from, to, 4),
          (text) => text.includes('vxlan.calico'),
        );
    });
    expect(await way('a1', 'b1', 6), 'IPv6 stays').to.contain('wg-v6.cali');
  });

  it('is not sent to by others when a node alone switches all of it off, and may be switched on again', async () => {
    const switched = async (on: boolean): Promise<void> => {
      const spec = { wireguardEnabled: false, wireguardEnabledV6: on };
      await fabric.apply(felixConfiguration('node.a1', spec));
      const device = on ? 'wg-v6.cali' : 'vxlan-v6.calico';
      for (const [from, to] of [
        ['a1', 'b1'],
        ['b1', 'a1'],
      ] as const)
        await fabric.until(
          `${from} by ${device}`,
          () => way(from, to, 6),
          (text) => text.includes(device),
        );
    };
    await fabric.whileTransferring('b1', 'a1', 6, async () => {
      await switched(false);
      await switched(true);
    });
  });
});
