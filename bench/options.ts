/** The command line of the bench. */
import { parseArgs } from 'node:util';
import { fail, ok, type Problem, type Result } from '../api/index.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { FLOOR, type Target, TARGETS } from './targets/index.ts';

export interface BenchOptions {
  readonly scenarios: readonly Scenario[];
  readonly targets: readonly Target[];
  readonly runs: number;
  readonly scale: number;
  readonly json: boolean;
  /** A line on stderr after each run. */
  readonly progress: boolean;
}

export const USAGE = `usage: npm run bench -- bgp [--scenario a,b] [--target Poplin,BIRD] [--runs 3] [--scale 0.1] [--json] [--quiet]

  --scenario  ${SCENARIOS.map(({ name }) => name).join(', ')}; "c" is both of its sizes; default: all
  --target    ${[...TARGETS, FLOOR].map(({ name }) => name).join(', ')}; default: all but pipe, which copies octets and
              shows what the traffic program reaches by itself
  --runs      of each target, medians are printed; default 3
  --scale     of the tables and of the number of clients, at most 5; default 1 (c1000 by 5 is a cluster of 5,000)
  --json      figures as JSON on stdout
  --quiet     no line for each run

\`npm run bench -- ipam\` measures addresses instead; see bench/ipam/main.ts.`;

export function parseBenchOptions(args: readonly string[]): Result<BenchOptions> {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        scenario: { type: 'string' },
        target: { type: 'string' },
        runs: { type: 'string', default: '3' },
        scale: { type: 'string', default: '1' },
        json: { type: 'boolean', default: false },
        quiet: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return fail(problem(String(error instanceof Error ? error.message : error)));
  }
  const { positionals, values } = parsed;
  if (positionals.length !== 1 || positionals[0] !== 'bgp')
    return fail(
      problem(`the bench is called bgp, and this asks for ${JSON.stringify(positionals.join(' '))}`),
    );
  const scenarios = pick(
    'scenario',
    SCENARIOS,
    values.scenario,
    (name, word) => name.replace(/\d+$/, '') === word,
  );
  if (!scenarios.ok) return scenarios;
  const targets =
    values.target === undefined
      ? ok(TARGETS)
      : pick('target', [...TARGETS, FLOOR], values.target, () => false);
  if (!targets.ok) return targets;
  const [runs, scale] = [Number(values.runs), Number(values.scale)];
  if (!Number.isInteger(runs) || runs < 1) return fail(problem(`--runs ${values.runs} is no count of runs`));
  if (!(scale > 0 && scale <= 5))
    return fail(problem(`--scale ${values.scale} is not above 0 and at most 5`));
  return ok({
    scenarios: scenarios.value,
    targets: targets.value,
    runs,
    scale,
    json: values.json,
    progress: !values.quiet,
  });
}

/** Those that a comma-separated list names, in the order of the table; all without a list. */
function pick<T extends { readonly name: string }>(
  what: string,
  all: readonly T[],
  list: string | undefined,
  also: (name: string, word: string) => boolean,
): Result<readonly T[]> {
  if (list === undefined) return ok(all);
  const words = list.split(',').map((word) => word.trim().toLowerCase());
  const named = (one: T, word: string): boolean => one.name.toLowerCase() === word || also(one.name, word);
  const unknown = words.find((word) => !all.some((one) => named(one, word)));
  if (unknown !== undefined)
    return fail(
      problem(`there is no ${what} "${unknown}"; there is ${all.map(({ name }) => name).join(', ')}`),
    );
  return ok(all.filter((one) => words.some((word) => named(one, word))));
}

function problem(what: string): Problem {
  return { code: 'BENCH_USAGE', what, remedy: 'see the usage below' };
}
