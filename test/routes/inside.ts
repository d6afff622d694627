/**
 * Runs inside the user-mode kernel: each scenario in order, one line of JSON for each; ends at the first that fails.
 * usage: inside.ts FILE-OF-SCENARIOS
 */
import { Fabric } from './fabric.ts';
import { type Outcome, SAID, type Scenario } from './scenario.ts';

const [file = ''] = process.argv.slice(2);
const { SCENARIOS } = (await import(`./${file}`)) as { SCENARIOS: readonly Scenario[] };
const fabric = new Fabric({ pauseMs: 300, withinMs: 120_000, pings: 1 });
for (const { title, run } of SCENARIOS) {
  let error: string | undefined;
  try {
    await run(fabric);
  } catch (thrown) {
    error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  }
  process.stdout.write(`${SAID}${JSON.stringify({ title, error } satisfies Outcome)}\n`);
  if (error !== undefined) break;
}
process.exit(0);
