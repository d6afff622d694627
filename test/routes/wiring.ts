/** A workload on a node, wired as the agent does it, with what packets need and no more. */
import type { Server } from 'node:net';
import { run } from '../../net/kernel/index.ts';
import type { Lab } from '../interop/peers/lab.ts';
import { echoIn } from './transfer.ts';

export interface Workload {
  /** Its node; the workload's namespace is {@link pod} of it, its interface there `cali` and the node's name. */
  readonly node: string;
  readonly mtu: number;
  /** One of each IP version. */
  readonly addresses: Readonly<Record<4 | 6, string>>;
}

const GATEWAYS = { 4: '169.254.1.1', 6: 'fe80::ecee:eeff:feee:eeee' } as const;

export function pod(node: string): string {
  return `${node}-pod`;
}

/**
 * @param first  what the node itself needs before, for `ip -batch`
 * @returns an echo that runs in it, to be closed
 */
export async function wireWorkload(
  lab: Lab,
  { node, mtu, addresses }: Workload,
  first: readonly string[] = [],
): Promise<Server> {
  const inside = pod(node);
  await lab.node(inside);
  const host = `cali${node}`;
  await lab.link(
    { node, interface: host, addresses: [] },
    { node: inside, interface: 'eth0', addresses: [] },
  );
  await ipBatch(lab, node, [
    ...first,
    `link set ${host} address ee:ee:ee:ee:ee:ee mtu ${mtu}`,
    `addr add ${GATEWAYS[6]}/64 dev ${host} nodad`,
    ...Object.values(addresses).map((address) => `route add ${address} dev ${host} proto boot`),
  ]);
  await ipBatch(lab, inside, [
    `link set eth0 mtu ${mtu}`,
    `addr add ${addresses[4]}/32 dev eth0`,
    `addr add ${addresses[6]}/128 dev eth0 nodad`,
    ...Object.values(GATEWAYS).flatMap((gateway) => [
      `neigh add ${gateway} lladdr ee:ee:ee:ee:ee:ee dev eth0`,
      `route add default via ${gateway} dev eth0 onlink`,
    ]),
  ]);
  return echoIn(lab.netns(inside));
}

/** All in one process: inside a user-mode kernel, starting one is dear. */
export async function ipBatch(lab: Lab, node: string, commands: readonly string[]): Promise<void> {
  await run('ip', ['-batch', '-'], { netns: lab.netns(node), stdin: commands.join('\n') });
}
