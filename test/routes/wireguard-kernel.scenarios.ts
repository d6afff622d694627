/** What is tried of WireGuard inside a kernel that has it, beyond what wireguard.test.ts proves of it wherever it runs. */
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { type Fabric, type NodeName, NODES, pools, underlay, workload } from './fabric.ts';
import type { Scenario } from './scenario.ts';
import { longestRun } from './transfer.ts';

const MEGABYTE = 1024 * 1024;
/** Of a 1500 underlay: WireGuard over IPv6 takes the most. */
const POD_MTU = 1420;
const VERSIONS = [4, 6] as const;
const DEVICES = { 4: 'wireguard.cali', 6: 'wg-v6.cali' } as const;

interface Status {
  readonly pid: number;
  readonly routing: {
    readonly wireguard: Partial<Record<4 | 6, { implementation: string; peers: number; mtu: number }>>;
    readonly problems: readonly unknown[];
  };
}

const status = async (fabric: Fabric, node: NodeName): Promise<Status | undefined> =>
  (await fabric.status(node, 'felix').catch(() => undefined)) as Status | undefined;

const configuration = (enabled: boolean): object => ({
  apiVersion: 'projectcalico.org/v3',
  kind: 'FelixConfiguration',
  metadata: { name: 'default' },
  spec: { wireguardEnabled: enabled, wireguardEnabledV6: enabled },
});

/** Until every node goes to every other by the device. */
async function by(fabric: Fabric, device: (version: 4 | 6) => string): Promise<void> {
  for (const from of NODES)
    for (const to of NODES)
      for (const version of VERSIONS)
        if (from !== to)
          await fabric.until(
            `IPv${version} of ${from} to ${to} by ${device(version)}`,
            () => fabric.lab.run(from, 'ip', [`-${version}`, 'route', 'get', workload(to, version)]),
            (text) => text.includes(` dev ${device(version)} `),
          );
}

export const SCENARIOS: readonly Scenario[] = [
  {
    title: "takes the kernel's own WireGuard, says so, and has a peer for each other node",
    run: async (fabric) => {
      await fabric.build(
        POD_MTU,
        ...pools({ v4: { vxlanMode: 'Always' }, v6: { vxlanMode: 'Always' } }),
        configuration(true),
      );
      for (const node of NODES) fabric.start(node, 'felix');
      await by(fabric, (version) => DEVICES[version]);
      const { wireguard, problems } = (await status(fabric, 'a1'))?.routing ?? {};
      deepEqual(problems, []);
      for (const version of VERSIONS) {
        const { implementation, peers, mtu } = wireguard?.[version] ?? {};
        deepEqual([implementation, peers, mtu], ['kernel', 2, version === 4 ? 1440 : 1420]);
        match(await fabric.lab.run('a1', 'ip', ['-d', 'link', 'show', DEVICES[version]]), /^ +wireguard /m);
      }
    },
  },
  {
    title: 'carries both IP versions whole in both directions, and nothing in plain text',
    run: async (fabric) => {
      for (const version of VERSIONS) {
        const both = async (): Promise<void> => {
          await fabric.transfer('a1', 'b1', version, MEGABYTE);
          await fabric.transfer('b1', 'a1', version, MEGABYTE);
        };
        const raw = await fabric.capturedRaw('to-b1', version === 4 ? 'ip' : 'ip6 and not icmp6', both);
        ok(raw.length > MEGABYTE, 'enough to judge by');
        ok(longestRun(raw) < 64, 'octets of the transfer');
        const text = (await fabric.captured('to-b1', version === 4 ? 'ip' : 'ip6 and not icmp6', both)).join(
          '\n',
        );
        ok(!text.includes(workload('b1', version)), 'an inner address');
        const port = version === 4 ? 51_820 : 51_821;
        match(
          text,
          new RegExp(`${underlay('a1', version)}.${port} > ${underlay('b1', version)}.${port}: .*UDP`),
        );
      }
    },
  },
  {
    title: 'drops no ping while felix-lite is killed, or ends in order, and comes back; the device stays',
    run: async (fabric) => {
      const device = (): Promise<string> => fabric.lab.run('a1', 'ip', ['-br', 'link', 'show', DEVICES[4]]);
      const before = await device();
      for (const [signal, version] of [
        ['SIGKILL', 4],
        ['SIGTERM', 6],
      ] as const) {
        const pid = (await status(fabric, 'a1'))?.pid;
        const { lost } = await fabric.pingedWhile('a1', 'b1', version, async () => {
          await fabric.kill('a1', 'felix', signal);
          fabric.start('a1', 'felix');
          await fabric.until(
            'at work again',
            () => status(fabric, 'a1'),
            (now) => now !== undefined && now.pid !== pid && now.routing.wireguard[version]?.peers === 2,
          );
        });
        deepEqual(lost, []);
      }
      equal(await device(), before);
    },
  },
  {
    title: 'makes the device again when somebody deletes it',
    run: async (fabric) => {
      await fabric.lab.run('a1', 'ip', ['link', 'delete', DEVICES[4]]);
      await by(fabric, (version) => DEVICES[version]);
      await fabric.transfer('a1', 'b1', 4, 1000);
    },
  },
  {
    title: 'is switched off and on again in a live cluster: the connections go on',
    run: async (fabric) => {
      await fabric.whileTransferring('a1', 'b1', 4, () =>
        fabric.whileTransferring('b1', 'a2', 6, async () => {
          await fabric.apply(configuration(false));
          await by(fabric, (version) => (version === 4 ? 'vxlan.calico' : 'vxlan-v6.calico'));
          await fabric.apply(configuration(true));
          await by(fabric, (version) => DEVICES[version]);
        }),
      );
    },
  },
];
