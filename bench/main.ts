/**
 * `npm run bench -- bgp`: Poplin and the BGP daemons of Debian, each alone with the same senders and receivers.
 * See README.md for how to read what it prints.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { join } from 'node:path';
import { formatProblem, PoplinError } from '../api/index.ts';
import { cniBench } from './cni/main.ts';
import { ipamBench } from './ipam/main.ts';
import { type BenchOptions, parseBenchOptions, USAGE } from './options.ts';
import { type Line, lineOf, type Series, tableOf } from './report.ts';
import { policyBench } from './policy/main.ts';
import { routesBench } from './routes/main.ts';
import { sweepRigs } from './rig.ts';
import { measure, type Outcome } from './run.ts';
import type { Scenario } from './scenarios.ts';
import type { Target } from './targets/index.ts';
import { verdictOf } from './verdict.ts';

const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;
const SUBJECT = 'Poplin';

interface ScenarioReport {
  readonly scenario: string;
  readonly title: string;
  readonly lines: readonly Line[];
  /** As under the table. */
  readonly verdict: readonly string[];
}

async function main(): Promise<void> {
  if (process.argv[2] === 'policy') return policyBench(process.argv.slice(3), machine());
  if (process.argv[2] === 'cni') return cniBench(process.argv.slice(3), machine());
  if (process.argv[2] === 'routes') return routesBench(process.argv.slice(3), machine());
  if (process.argv[2] === 'ipam') return ipamBench(process.argv.slice(3), machine());
  const parsed = parseBenchOptions(process.argv.slice(2));
  if (!parsed.ok) {
    console.error(`${parsed.problems.map(formatProblem).join('\n')}\n\n${USAGE}`);
    process.exit(EXIT_USAGE);
  }
  const options = parsed.value;
  const versions = await versionsOf(options);
  const targets = options.targets.filter(({ name }) => versions[name] !== undefined);
  sweepRigs();
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort());
  const [load = 0] = loadavg();
  if (load > cpus().length / 4)
    console.error(`The machine is busy (load ${load.toFixed(1)}): trust CPU seconds more than seconds.`);
  const reports: ScenarioReport[] = [];
  for (const scenario of options.scenarios) {
    const report = await runScenario(scenario, targets, options, interrupted.signal);
    if (interrupted.signal.aborted) process.exit(EXIT_INTERRUPTED);
    if (!options.json) console.log(`\n${tableOf(scenario, report.lines, SUBJECT, options.scale)}`);
    reports.push(report);
  }
  const result = { machine: machine(), load, scale: options.scale, runs: options.runs, versions, reports };
  if (options.json) console.log(JSON.stringify(result, undefined, 2));
  keep(result);
}

/**
 * Runs go round robin, so that a busy minute of the machine hits all alike. A target that was given up is not tried
 * again: it would take all of its time in each round, to say the same.
 */
async function runScenario(
  scenario: Scenario,
  targets: readonly Target[],
  { runs, scale, progress }: BenchOptions,
  signal: AbortSignal,
): Promise<ScenarioReport> {
  const series: Series[] = targets.map(({ name }) => ({ target: name, outcomes: [] }));
  for (let round = 0; round < runs && !signal.aborted; round++) {
    for (const [i, target] of targets.entries()) {
      const before = series[i];
      if (before === undefined || before.outcomes.some(gaveUp)) continue;
      const outcome = await measure(scenario, target, scale, { signal });
      if (signal.aborted) break;
      series[i] = { ...before, outcomes: [...before.outcomes, outcome] };
      if (progress) console.error(`  (${scenario.name}) ${target.name}: ${inShort(outcome)}`);
    }
  }
  const lines = series.map(lineOf);
  const verdict = verdictOf(scenario, lines, SUBJECT);
  return { scenario: scenario.name, title: scenario.title, lines, verdict };
}

function gaveUp(outcome: Outcome): boolean {
  return !outcome.ok && outcome.gaveUpAfterSeconds !== undefined;
}

function inShort(outcome: Outcome): string {
  if (!outcome.ok) return outcome.reason;
  const { seconds, cpuSeconds, peakBytes, stallMs } = outcome.measured;
  const stall = stallMs === undefined ? '' : `, stall ${stallMs.toFixed(0)} ms`;
  return `${seconds.toFixed(2)} s, CPU ${cpuSeconds.toFixed(2)} s, ${(peakBytes / 2 ** 20).toFixed(0)} MiB${stall}`;
}

async function versionsOf({ targets }: BenchOptions): Promise<Readonly<Record<string, string>>> {
  const versions: Record<string, string> = {};
  for (const target of targets) {
    const version = await target.version();
    if (version === undefined)
      console.error(
        `${target.name} is not installed and is left out; to have it: apt-get install ${target.debian}`,
      );
    else versions[target.name] = version;
  }
  return versions;
}

function machine(): Readonly<Record<string, string | number>> {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    linux: release(),
    node: process.version,
  };
}

/** For comparisons later; the folder is not committed. */
function keep(result: object): void {
  const folder = join(import.meta.dirname, 'results');
  mkdirSync(folder, { recursive: true });
  const name = `bgp-${new Date().toISOString().replaceAll(':', '-')}.json`;
  writeFileSync(join(folder, name), `${JSON.stringify(result, undefined, 2)}\n`);
}

try {
  await main();
} catch (error) {
  const text = error instanceof PoplinError ? error.problems.map(formatProblem).join('\n') : String(error);
  console.error(`bench: ${text}`);
  process.exit(1);
}
