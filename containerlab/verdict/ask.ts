/** Asks each node's BGP speaker, by role, and the kernel for what is installed. */
import { join } from 'node:path';
import { PoplinError } from '../../api/problem.ts';
import { askControl } from '../../daemon/control.ts';
import { namespacePath, run } from '../../net/kernel/index.ts';
import type { RunningLab } from '../runner/lab.ts';
import { runOn } from '../runner/node.ts';
import { nodeRunDir } from '../runner/paths.ts';
import type { LabNode } from '../topology/topology.ts';
import { parseBirdRoutes, parseBirdSessions } from './bird.ts';
import { parseFrrRoutes, parseFrrSessions } from './frr.ts';
import type { BestRoute, Session } from './speaker.ts';
import { PATIENCE } from '../runner/patience.ts';

/** Nodes of the lab that speak BGP. */
export function speakers(lab: RunningLab): LabNode[] {
  return lab.topology.nodes.filter((node) => node.role !== 'linux');
}

export function routers(lab: RunningLab): LabNode[] {
  return lab.topology.nodes.filter((node) => node.role === 'bird' || node.role === 'frr');
}

/** Empty when the speaker does not answer: then it has no session either. */
export async function sessionsOf(lab: RunningLab, node: LabNode): Promise<Session[]> {
  try {
    switch (node.role) {
      case 'bird':
        return parseBirdSessions(await say(lab, node, ['birdc', 'show', 'protocols', 'all']));
      case 'frr':
        return parseFrrSessions(await say(lab, node, ['vtysh', '-c', 'show bgp summary json']));
      case 'poplin':
        return await poplinSessions(lab, node);
      case 'linux':
        return [];
    }
  } catch (error) {
    if (error instanceof PoplinError) return [];
    throw error;
  }
}

/** The best routes in a router's BGP table; empty when it does not answer. */
export async function routesOf(lab: RunningLab, router: LabNode): Promise<BestRoute[]> {
  try {
    if (router.role === 'bird')
      return parseBirdRoutes(await say(lab, router, ['birdc', 'show', 'route', 'primary', 'all']));
    const tables = await Promise.all(
      ['ipv4', 'ipv6'].map((family) => say(lab, router, ['vtysh', '-c', `show bgp ${family} unicast json`])),
    );
    return tables.flatMap(parseFrrRoutes);
  } catch (error) {
    if (error instanceof PoplinError) return [];
    throw error;
  }
}

async function say(lab: RunningLab, node: LabNode, command: readonly string[]): Promise<string> {
  return (await runOn(lab.on(node.name), command, { deadlineMs: 5000 * PATIENCE })).stdout;
}

async function poplinSessions(lab: RunningLab, node: LabNode): Promise<Session[]> {
  const status = await askControl<{ peers?: { address: string; state: string }[] }>(
    join(nodeRunDir(lab.topology.name, node.name), 'bgpd.sock'),
    'GET',
    '/status',
    { deadlineMs: 2000 * PATIENCE },
  );
  if (!status.ok) return [];
  return (status.value.peers ?? []).map(({ address, state }) => ({
    peer: address,
    established: state === 'Established',
    state,
  }));
}

/** RTPROT_BIRD's neighbour in the registry that Calico's BIRD does not use: what `bgpd` writes. */
const BGPD_PROTOCOL = '80';

/** Prefixes that Poplin's bgpd has in the node's kernel, blackholes of own blocks left out. */
export async function kernelRoutes(lab: RunningLab, node: string): Promise<Set<string>> {
  const families = await Promise.all(
    ['-4', '-6'].map((family) =>
      run('ip', [family, '-json', 'route', 'show', 'protocol', BGPD_PROTOCOL], {
        netns: namespacePath(lab.namespace(node)),
      }),
    ),
  );
  const routes = families.flatMap(
    ({ stdout }) => JSON.parse(stdout || '[]') as { dst: string; type?: string }[],
  );
  return new Set(routes.filter(({ type }) => type !== 'blackhole').map(({ dst }) => dst));
}

/** The addresses of each node, in the kernel's spelling. */
export async function addressesByNode(lab: RunningLab): Promise<Map<string, Set<string>>> {
  const entries = await Promise.all(
    lab.topology.nodes.map(async ({ name }): Promise<[string, Set<string>]> => {
      const { stdout } = await run('ip', ['-json', 'address', 'show', 'scope', 'global'], {
        netns: namespacePath(lab.namespace(name)),
      });
      const links = JSON.parse(stdout) as { addr_info?: { local: string }[] }[];
      return [name, new Set(links.flatMap(({ addr_info = [] }) => addr_info.map(({ local }) => local)))];
    }),
  );
  return new Map(entries);
}
