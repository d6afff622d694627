/** explain route: what felix-lite, bgpd and the kernel of nodes say of the way to an address. A difference is an alarm. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { formatProblem, PoplinError } from '../../api/problem.ts';
import type { RouteLine } from '../../bgpd/speaker/route-lines.ts';
import { askControl } from '../../daemon/control.ts';
import type { RouteExplanation } from '../../felix-lite/routing/explain.ts';
import { Address } from '../../net/addr/index.ts';
import { type Action, type Arguments, EXIT, UsageError } from '../command.ts';
import { chooseRunDirs, type NodeRunDir } from '../context.ts';
import { alarmsOf, type BestRoute, drawNodeRoute, type NodeRoute } from '../output/explain-route.ts';
import { structured } from '../output/structured.ts';
import { ask } from '../speakers.ts';
import type { explainRouteTable } from '../tables/route.ts';

const DEADLINE_MS = 10_000;

export const explainRoute: Action<Arguments<typeof explainRouteTable>> = async (args, terminal) => {
  const to = Address.parse(args.address);
  if (to === undefined) throw new UsageError(`${JSON.stringify(args.address)} is no address`);
  const places = chooseRunDirs(args['run-dir'], args.nodes, terminal.env, folders);
  const routes = await Promise.all(places.map((place) => askNode(place, to)));
  const text = structured(routes.length === 1 ? routes[0] : routes, args.output);
  terminal.out(text ?? routes.map(drawNodeRoute).join('\n'));
  for (const { node, alarms } of routes)
    for (const alarm of alarms) terminal.err(`ALARM: ${node}: ${alarm}\n`);
  if (routes.some(({ alarms }) => alarms.length > 0)) return EXIT.alarm;
  return routes.length > 0 && routes.every(({ felix }) => !('why' in felix)) ? EXIT.ok : EXIT.failure;
};

async function askNode({ node, runDir }: NodeRunDir, to: Address): Promise<NodeRoute> {
  const query = new URLSearchParams({ to: to.toString() });
  const [felix, bgp] = await Promise.all([
    askControl<RouteExplanation>(join(runDir, 'felix.sock'), 'GET', `/route?${query.toString()}`, {
      deadlineMs: DEADLINE_MS,
    }),
    bestOf(join(runDir, 'bgpd.sock'), to),
  ]);
  const told = felix.ok ? felix.value : { why: felix.problems.map(formatProblem).join('; ') };
  return {
    node: node ?? ('node' in told ? told.node : runDir),
    to: to.toString(),
    felix: told,
    bgp,
    alarms: alarmsOf(told, bgp),
  };
}

async function bestOf(socket: string, to: Address): Promise<NodeRoute['bgp']> {
  const query = new URLSearchParams({ view: 'best', prefix: to.toString(), limit: '1' });
  try {
    let best: BestRoute | undefined;
    for await (const line of await ask<RouteLine>({ node: undefined, socket }, `/rib?${query.toString()}`))
      if (line.view === 'best') best = { prefix: line.prefix, paths: line.paths, installed: line.installed };
    return best;
  } catch (error) {
    if (!(error instanceof PoplinError)) throw error;
    return { why: error.problems.map(formatProblem).join('; ') };
  }
}

function folders(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}
