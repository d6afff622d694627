/** policy counters: what rules of policies have counted in the kernels of the nodes at hand. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { formatProblem } from '../../api/problem.ts';
import { askControl } from '../../daemon/control.ts';
import type { PolicyCounter } from '../../felix-lite/daemon/policy-counters.ts';
import { type Action, type Arguments, EXIT } from '../command.ts';
import { chooseRunDirs } from '../context.ts';
import { drawCounters } from '../output/policy-counters.ts';
import { structured } from '../output/structured.ts';
import type { policyCountersTable } from '../tables/policy.ts';

type CountersArguments = Arguments<typeof policyCountersTable>;

/** A node may hold tens of thousands of rules. */
const DEADLINE_MS = 20_000;

interface Answer {
  readonly node: string;
  readonly counters: readonly PolicyCounter[];
}

export const policyCounters: Action<CountersArguments> = async (args, terminal) => {
  const places = chooseRunDirs(args['run-dir'], args.nodes, terminal.env, folders);
  const answers = await Promise.all(
    places.map(async ({ runDir }) =>
      askControl<Answer>(join(runDir, 'felix.sock'), 'GET', '/counters', { deadlineMs: DEADLINE_MS }),
    ),
  );
  const nodes = answers.flatMap((answer): readonly Answer[] =>
    answer.ok
      ? [{ ...answer.value, counters: answer.value.counters.filter((each) => isWanted(each, args)) }]
      : [],
  );
  for (const answer of answers)
    if (!answer.ok) terminal.err(`${answer.problems.map(formatProblem).join('\n')}\n`);
  if (nodes.length > 0 || answers.length === 0)
    terminal.out(structured(nodes.length === 1 ? nodes[0] : nodes, args.output) ?? drawCounters(nodes));
  return answers.every(({ ok }) => ok) && answers.length > 0 ? EXIT.ok : EXIT.failure;
};

function isWanted(
  { namespace, name, action, packets }: PolicyCounter,
  { namespace: wanted, policy, action: only, hits }: CountersArguments,
): boolean {
  return (
    (wanted === undefined || namespace === wanted) &&
    (policy === undefined || name === policy) &&
    (only === undefined || action === only) &&
    (!hits || packets > 0)
  );
}

function folders(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}
