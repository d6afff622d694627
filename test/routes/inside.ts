/** Runs inside the user-mode kernel: each scenario in order, one line of JSON for each; ends at the first that fails. */
import { Fabric } from './fabric.ts';
import { SCENARIOS } from './ipip.scenarios.ts';

const fabric = new Fabric({ pauseMs: 300, withinMs: 120_000, pings: 1 });
for (const { title, run } of SCENARIOS) {
  const began = performance.now();
  let error: string | undefined;
  try {
    await run(fabric);
  } catch (thrown) {
    error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  }
  const ms = Math.round(performance.now() - began);
  process.stdout.write(`POPLIN-SCENARIO ${JSON.stringify({ title, error, ms })}\n`);
  if (error !== undefined) break;
}
process.exit(0);
