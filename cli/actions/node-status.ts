/** node status: what agent, bgpd and felix-lite of one or many nodes say of themselves. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { formatProblem } from '../../api/problem.ts';
import { askControl } from '../../daemon/control.ts';
import { type Action, type Arguments, EXIT } from '../command.ts';
import { chooseRunDirs, type NodeRunDir } from '../context.ts';
import { type NodeReport, drawNode } from '../output/node-status.ts';
import { structured } from '../output/structured.ts';
import type { nodeStatusTable } from '../tables/node.ts';

/** Long enough for a daemon that is busy, short enough for a person who waits. */
const DEADLINE_MS = 3000;

export const nodeStatus: Action<Arguments<typeof nodeStatusTable>> = async (args, terminal) => {
  const places = chooseRunDirs(args['run-dir'], args.nodes, terminal.env, folders);
  const reports = await Promise.all(places.map(askNode));
  const text = structured(reports.length === 1 ? reports[0] : reports, args.output);
  terminal.out(text ?? reports.map((report) => drawNode(report)).join('\n'));
  return reports.every(({ daemons }) => Object.values(daemons).every(({ reachable }) => reachable)) &&
    reports.length > 0
    ? EXIT.ok
    : EXIT.failure;
};

function folders(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}

async function askNode({ node, runDir }: NodeRunDir): Promise<NodeReport> {
  const ask = async (socket: string): Promise<NodeReport['daemons'][string]> => {
    const answer = await askControl(join(runDir, socket), 'GET', '/status', { deadlineMs: DEADLINE_MS });
    return answer.ok
      ? { reachable: true, status: answer.value }
      : { reachable: false, why: answer.problems.map(formatProblem).join('; ') };
  };
  const [agent, bgpd, felix] = await Promise.all(['agent.sock', 'bgpd.sock', 'felix.sock'].map(ask));
  const daemons = { agent, bgpd, felix } as NodeReport['daemons'];
  const told = [agent, bgpd, felix].map((one) => (one?.reachable === true ? nameIn(one.status) : undefined));
  return { node: node ?? told.find((name) => name !== undefined) ?? runDir, runDir, daemons };
}

function nameIn(status: unknown): string | undefined {
  if (typeof status !== 'object' || status === null || !('node' in status)) return undefined;
  return typeof status.node === 'string' ? status.node : undefined;
}
