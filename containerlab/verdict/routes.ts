/** Is each block of workload addresses in each router's table, by way of the neighbour that is nearest to its node? */
import type { Topology } from '../topology/topology.ts';
import type { BestRoute } from './speaker.ts';

export interface Block {
  /** CIDR. */
  readonly prefix: string;
  /** Node that has the block. */
  readonly node: string;
}

export interface RouteCheck {
  readonly router: string;
  readonly block: Block;
  /** Neighbour on the shortest way. */
  readonly wantVia: string;
  /** Next hops found; empty when the router does not know the block. */
  readonly nextHops: readonly string[];
  readonly right: boolean;
}

export function checkRoutes(
  topology: Topology,
  blocks: readonly Block[],
  tables: ReadonlyMap<string, readonly BestRoute[]>,
  addresses: ReadonlyMap<string, ReadonlySet<string>>,
): RouteCheck[] {
  return [...tables].flatMap(([router, routes]) =>
    blocks.map((block): RouteCheck => {
      const wantVia = nextNodeTowards(topology, router, block.node) ?? block.node;
      const nextHops = routes.find((route) => route.prefix === block.prefix)?.nextHops ?? [];
      const own = addresses.get(wantVia) ?? new Set();
      return {
        router,
        block,
        wantVia,
        nextHops,
        right: nextHops.length > 0 && nextHops.every((hop) => own.has(hop)),
      };
    }),
  );
}

/** Breadth first over the links: the neighbour of `from` with which a shortest way to `to` begins. */
export function nextNodeTowards(topology: Topology, from: string, to: string): string | undefined {
  const neighbours = (node: string): string[] =>
    topology.links.flatMap(({ ends: [a, b] }) =>
      a.node === node ? [b.node] : b.node === node ? [a.node] : [],
    );
  const firstStep = new Map<string, string>();
  let frontier = [from];
  while (frontier.length > 0 && !firstStep.has(to)) {
    const next: string[] = [];
    for (const node of frontier)
      for (const neighbour of neighbours(node)) {
        if (neighbour === from || firstStep.has(neighbour)) continue;
        firstStep.set(neighbour, firstStep.get(node) ?? neighbour);
        next.push(neighbour);
      }
    frontier = next;
  }
  return firstStep.get(to);
}
