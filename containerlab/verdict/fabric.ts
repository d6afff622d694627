/** One look at the whole fabric: what every speaker says and what every kernel holds, at about the same time. */
import type { RunningLab } from '../runner/lab.ts';
import { addressesByNode, kernelRoutes, routers, routesOf, sessionsOf, speakers } from './ask.ts';
import { type Block, type RouteCheck, checkRoutes } from './routes.ts';
import { type SessionPair, pairSessions } from './sessions.ts';

export async function lookAtSessions(lab: RunningLab): Promise<SessionPair[]> {
  const [addresses, entries] = await Promise.all([
    addressesByNode(lab),
    Promise.all(speakers(lab).map(async (node) => [node.name, await sessionsOf(lab, node)] as const)),
  ]);
  return pairSessions(new Map(entries), addresses);
}

export interface RouteView {
  /** Of each router's BGP table. */
  readonly tables: readonly RouteCheck[];
  /** Blocks of other nodes that a Poplin node's kernel lacks. */
  readonly missing: readonly { readonly node: string; readonly block: Block }[];
}

export async function lookAtRoutes(lab: RunningLab, blocks: readonly Block[]): Promise<RouteView> {
  const nodes = lab.topology.nodes.filter((node) => node.role === 'poplin');
  const [addresses, tables, kernels] = await Promise.all([
    addressesByNode(lab),
    Promise.all(routers(lab).map(async (node) => [node.name, await routesOf(lab, node)] as const)),
    Promise.all(nodes.map(async ({ name }) => [name, await kernelRoutes(lab, name)] as const)),
  ]);
  return {
    tables: checkRoutes(lab.topology, blocks, new Map(tables), addresses),
    missing: kernels.flatMap(([node, routes]) =>
      blocks
        .filter((block) => block.node !== node && !routes.has(block.prefix))
        .map((block) => ({ node, block })),
    ),
  };
}
