/** What is tried of IPIP, inside a kernel that has it. In order: each goes on from where the one before ended. */
import { deepEqual, match, ok } from 'node:assert/strict';
import {
  block,
  type Fabric,
  type NodeName,
  NODES,
  pools,
  sameSubnet,
  tunnelAddress,
  underlay,
  workload,
} from './fabric.ts';
import type { Scenario } from './scenario.ts';

const MEGABYTE = 1024 * 1024;
/** 1500 less the outer IPv4 header. */
const POD_MTU = 1480;

function tunnelled(_from: NodeName, to: NodeName): RegExp {
  return new RegExp(`via ${underlay(to, 4)} dev tunl0 proto 80.*onlink`);
}

/**
 * Every session is up, and what was kept over a restart is confirmed, on both sides: whoever restarts again before loses the
 * routes that its neighbours kept for it, as RFC 4724 §4.2 demands.
 */
async function settled(fabric: Fabric): Promise<void> {
  for (const node of NODES) await fabric.until(`BGP of ${node} at rest`, () => atRest(fabric, node), Boolean);
}

async function atRest(fabric: Fabric, node: NodeName): Promise<boolean> {
  type Status = { synced: boolean; restarting: boolean; peers: { state: string; prefixesStale: number }[] };
  const status = (await fabric.status(node, 'both').catch(() => undefined)) as Status | undefined;
  if (status === undefined || !status.synced || status.restarting) return false;
  return (
    status.peers.length === 2 * (NODES.length - 1) &&
    status.peers.every(({ state, prefixesStale }) => state === 'Established' && prefixesStale === 0)
  );
}

export const SCENARIOS: readonly Scenario[] = [
  {
    title: 'Always: routes of BGP lead through tunl0, which has its address and MTU',
    run: async (fabric) => {
      await fabric.build(POD_MTU, ...pools({ v4: { ipipMode: 'Always' } }));
      for (const node of NODES) fabric.start(node, 'both');
      await fabric.routed(tunnelled);
      const tunl0 = await fabric.lab.run('a1', 'ip', ['addr', 'show', 'tunl0']);
      match(tunl0, new RegExp(`mtu 1480[^]*inet ${tunnelAddress('a1', 4)}/32`));
    },
  },
  {
    title: 'Always: transfers both ways are whole, in full packets, and wrapped inside a subnet too',
    run: async (fabric) => {
      const packets = await fabric.captured('to-a1', 'ip proto 4 or tcp port 7007', async () => {
        await fabric.transfer('a1', 'b1', 4, MEGABYTE);
        await fabric.transfer('a2', 'a1', 4, MEGABYTE);
      });
      const text = packets.join('\n');
      for (const other of ['a2', 'b1'] as const)
        match(text, new RegExp(`${underlay('a1', 4)} > ${underlay(other, 4)}: [^]*?${workload('a1', 4)}`));
      ok(
        packets.every((packet) => packet.split('\n')[0]?.includes('proto IPIP (4)')),
        'a bare packet',
      );
      ok(!/offset [1-9]|flags \[\+\]/.test(text), 'a fragment');
      ok(text.includes('length 1500'), 'no packet of full size');
    },
  },
  {
    title:
      'CrossSubnet: bare in the subnet, wrapped across the router; changed during a transfer, which goes on',
    run: async (fabric) => {
      await fabric.whileTransferring('a1', 'a2', 4, async () => {
        await fabric.apply(...pools({ v4: { ipipMode: 'CrossSubnet' } }));
        await fabric.routed((from, to) =>
          sameSubnet(from, to) ? new RegExp(`via ${underlay(to, 4)} dev eth0 proto 80`) : tunnelled(from, to),
        );
      });
      const packets = await fabric.captured('to-a2', 'ip proto 4 or tcp port 7007', async () => {
        await fabric.transfer('a1', 'a2', 4, 1000);
        await fabric.transfer('b1', 'a2', 4, 1000);
      });
      const text = packets.join('\n');
      match(text, new RegExp(`${underlay('b1', 4)} > ${underlay('a2', 4)}`));
      ok(!text.includes(`${underlay('a1', 4)} > `), 'wrapped inside the subnet');
    },
  },
  {
    title: 'IPv6 beside it goes bare',
    run: async (fabric) => {
      await fabric.routed((_, to) => new RegExp(`${block(to, 6)} .*dev eth0 proto 80`), 6);
      await fabric.transfer('a1', 'a2', 6, 100_000);
    },
  },
  {
    title: 'to VXLAN in a live cluster: the connection survives, and tunl0 is at rest once VXLAN carries',
    run: async (fabric) => {
      await fabric.whileTransferring('a1', 'b1', 4, async () => {
        await fabric.apply(...pools({ v4: { vxlanMode: 'Always' } }));
        await fabric.routed((_, to) => new RegExp(`via ${tunnelAddress(to, 4)} dev vxlan.calico proto 81`));
        const tunl0 = (): Promise<string> => fabric.lab.run('a1', 'ip', ['addr', 'show', 'tunl0']);
        await fabric.until('tunl0 at rest', tunl0, (text) => !/inet |,UP/.test(text));
      });
    },
  },
  {
    title: 'and back to IPIP: the device of the old mode goes when nothing leads over it any more',
    run: async (fabric) => {
      await fabric.whileTransferring('b1', 'a2', 4, async () => {
        await fabric.apply(...pools({ v4: { ipipMode: 'Always' } }));
        await fabric.routed(tunnelled);
        const links = (): Promise<string> => fabric.lab.run('a1', 'ip', ['-br', 'link']);
        await fabric.until('vxlan.calico gone', links, (text) => !text.includes('vxlan.calico'));
      });
    },
  },
  {
    title: 'drops no ping while the daemons of a node are killed, or end in order, and come back',
    run: async (fabric) => {
      const { lost } = await fabric.pingedWhile('a1', 'b1', 4, async () => {
        for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
          await fabric.kill('a1', 'both', signal);
          fabric.start('a1', 'both');
          await settled(fabric);
        }
      });
      deepEqual(lost, []);
      await fabric.routed(tunnelled);
    },
  },
  {
    title: 'to no encapsulation in a live cluster, and back to IPIP: the connection survives both',
    run: async (fabric) => {
      await fabric.whileTransferring('a1', 'a2', 4, async () => {
        await fabric.apply(...pools({ v4: {} }));
        await fabric.routed(() => /dev eth0 proto 80/);
        await fabric.apply(...pools({ v4: { ipipMode: 'Always' } }));
        await fabric.routed(tunnelled);
      });
    },
  },
];
