/** What every part of the bench stands on: a namespace of its own with a link, prefixes, gateways, and a clock. */
import { Address, Prefix } from '../../net/addr/index.ts';
import {
  createNamespace,
  deleteNamespace,
  namespacePath,
  type Netlink,
  run,
  TABLE_MAIN,
} from '../../net/kernel/index.ts';
import { PROTOCOL_BGPD } from '../../bgpd/daemon/kernel-table.ts';

export interface Figure {
  readonly name: string;
  readonly seconds: number;
  /** Of this process, both user and system. */
  readonly cpuSeconds?: number;
}

let count = 0;

/** Calls `use` with the path of a namespace that has 192.0.2.1/24 on a link that is up. */
export async function inNamespace<T>(use: (netns: string) => Promise<T>): Promise<T> {
  const name = `poplin-bench-routes-${process.pid}-${++count}`;
  createNamespace(name);
  try {
    const netns = namespacePath(name);
    const setUp = [
      'link add eth0 type veth peer name eth1',
      'link set eth0 up',
      'link set eth1 up',
      'addr add 192.0.2.1/24 dev eth0',
    ];
    await run('sh', ['-ec', `ip -batch - <<'END'\n${setUp.join('\n')}\nEND`], { netns });
    return await use(netns);
  } finally {
    deleteNamespace(name);
  }
}

export function prefixes(many: number): readonly Prefix[] {
  const base = Address.v4(0x0a00_0000);
  return Array.from({ length: many }, (_, i) => Prefix.of(base.add(i * 64), 26));
}

/** On the link. */
export const gateway = (last: number): Address => Address.v4(0xc000_0200 + last);

export async function timed(name: string, work: () => unknown): Promise<Figure> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { name, seconds, cpuSeconds: (user + system) / 1e6 };
}

/** @throws when the kernel does not have as many over the gateway: the time would be of something else */
export async function expectRoutes(netlink: Netlink, many: number, over: Address): Promise<void> {
  const all = await netlink.listRoutes({ table: TABLE_MAIN, protocol: PROTOCOL_BGPD });
  const right = all.filter(({ nextHops }) => nextHops[0]?.gateway?.equals(over) === true).length;
  if (all.length !== many || right !== many)
    throw new Error(
      `${all.length} routes in the kernel, ${right} of them over ${over.toString()}, not ${many}`,
    );
}
