/** Stops a rack's router and starts it again, and watches its routes leave and return. */
import { PoplinError } from '../../api/problem.ts';
import type { Expectation } from '../expectation.ts';
import type { Interrupt } from '../runner/interrupt.ts';
import type { RunningLab } from '../runner/lab.ts';
import { stopNode } from '../runner/node.ts';
import { ensureNode } from '../runner/nodes.ts';
import { until } from '../runner/until.ts';
import type { Narrator } from '../terminal/steps.ts';
import type { LabNode } from '../topology/topology.ts';
import { kernelRoutes, routers, routesOf } from './ask.ts';
import { measureMatrix } from './matrix.ts';
import { type Block, nextNodeTowards } from './routes.ts';
import { awaitRoutes } from './verdict.ts';

const LEAVE_MS = 20_000;

/** The first router that has a Poplin node below it. */
function rackRouter(lab: RunningLab): LabNode | undefined {
  return routers(lab).find((router) => nodesBelow(lab, router.name).length > 0);
}

function nodesBelow(lab: RunningLab, router: string): string[] {
  const poplin = new Set(lab.topology.nodes.filter(({ role }) => role === 'poplin').map(({ name }) => name));
  return lab.topology.links.flatMap(({ ends: [a, b] }) => {
    const other = a.node === router ? b.node : b.node === router ? a.node : undefined;
    return other !== undefined && poplin.has(other) ? [other] : [];
  });
}

export async function drill(
  lab: RunningLab,
  blocks: readonly Block[],
  expectation: Expectation,
  narrator: Narrator,
  interrupt: Interrupt,
): Promise<void> {
  const router = rackRouter(lab);
  if (router === undefined) return;
  const below = nodesBelow(lab, router.name);
  await narrator.step('Failure', `${router.name} is stopped`, async () => {
    await stopNode(lab.topology.name, router.name);
    delete lab.state.nodes[router.name]?.init;
    lab.save();
    const began = performance.now();
    const gone = await until(
      async () => ((await hasLeft(lab, router.name, below, blocks)) ? true : undefined),
      {
        withinMs: LEAVE_MS,
        everyMs: 50,
        check: interrupt.check,
      },
    );
    if (gone === undefined) throw new PoplinError([stayed(router.name)]);
    const took = ((performance.now() - began) / 1000).toFixed(1);
    const traffic = await trafficWithout(lab, router.name, below, expectation);
    return `${router.name} stopped: its routes left ${below.join(', ')} and the other routers after ${took} s\n${traffic}`;
  });
  await narrator.step('Recovery', `${router.name} is started again`, async () => {
    const began = performance.now();
    await ensureNode(lab, router, false, interrupt);
    await awaitRoutes(lab, blocks, interrupt);
    const took = ((performance.now() - began) / 1000).toFixed(1);
    return `${router.name} started: every route is back after ${took} s`;
  });
}

/** Nodes below lose what lies beyond the router; the other routers lose what lies below it. */
async function hasLeft(lab: RunningLab, router: string, below: readonly string[], blocks: readonly Block[]) {
  const beyond = (node: string): Block[] =>
    blocks.filter(
      (block) => !below.includes(block.node) && nextNodeTowards(lab.topology, node, block.node) === router,
    );
  const nodes = await Promise.all(
    below.map(async (node) => {
      const routes = await kernelRoutes(lab, node);
      return beyond(node).every((block) => !routes.has(block.prefix));
    }),
  );
  const others = await Promise.all(
    routers(lab)
      .filter(({ name }) => name !== router)
      .map(async (other) => {
        const prefixes = new Set((await routesOf(lab, other)).map(({ prefix }) => prefix));
        return blocks.every((block) => !below.includes(block.node) || !prefixes.has(block.prefix));
      }),
  );
  return [...nodes, ...others].every(Boolean);
}

/** Nothing may pass across the stopped router; how much still does on either side of it is told. */
async function trafficWithout(
  lab: RunningLab,
  router: string,
  below: readonly string[],
  expectation: Expectation,
): Promise<string> {
  const nodeOf = new Map(expectation.workloads.map(({ name, node }) => [name, node]));
  const isBelow = (workload: string): boolean => below.includes(nodeOf.get(workload) ?? '');
  const { cells } = await measureMatrix(lab, expectation);
  const wanted = cells.filter(({ want }) => want);
  const across = wanted.filter(({ from, to }) => isBelow(from) !== isBelow(to));
  if (across.some(({ got }) => got)) throw new PoplinError([stayed(router)]);
  const beside = wanted.filter((cell) => !across.includes(cell));
  const kept = beside.filter(({ got }) => got).length;
  return `the ${across.length} allowed connections across it fail; ${kept} of ${beside.length} that do not need it work`;
}

function stayed(router: string) {
  return {
    code: 'ROUTES_STAYED',
    resource: router,
    what: `routes by way of ${router} were still there ${LEAVE_MS / 1000} s after it had stopped`,
    remedy: 'look at: poplin lab exec a1 -- ip route; poplin lab exec spine -- birdc show route',
  };
}
