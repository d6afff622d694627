/**
 * Runs on a machine that has a lab up, inside a user-mode kernel: kills all of a node under a flood of pings in both IP
 * versions, and prints what came of it as one line of JSON. usage: restarts.program.ts LAB NODE OTHER-NODE FROM TO
 */
import { unwrap } from '../../api/index.ts';
import { openLab } from '../../containerlab/runner/lab.ts';
import { namespacePath } from '../../net/kernel/index.ts';
import { pingedWhile } from '../routes/watch.ts';
import { KILLED, Parts } from './parts.ts';

const PACE = { pauseMs: 300, withinMs: 180_000, pings: 1 };

const [name = '', node = '', other = '', from = '', to = ''] = process.argv.slice(2);
const { workloads } = unwrap(openLab(name)).state;
const { ipv4 = '', ipv6 = '' } = workloads[to]?.addresses ?? {};
const netns = namespacePath(workloads[from]?.namespace ?? '');
const parts = new Parts(name, [node, other], PACE);
await parts.settled();
const outcomes: { answered: number; lost: number }[] = [];
const flood = async (address: string, what: () => Promise<unknown>): Promise<void> => {
  const { answered, lost } = await pingedWhile(netns, address, what, PACE);
  outcomes.push({ answered, lost: lost.length });
};
await flood(ipv4, () => flood(ipv6, () => parts.restart(node, KILLED)));
process.stdout.write(`${JSON.stringify(outcomes)}\n`);
process.exit(0);
