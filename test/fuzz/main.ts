/**
 * `npm run fuzz -- bgp [--seconds N] [--seed S] [--case N]`: mutated sessions against a whole speaker. Ends with 1 and a
 * hexadecimal reproduction when something is wrong.
 */
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { campaign } from './campaign.ts';
import { report } from './report.ts';

const USAGE = 'usage: npm run fuzz -- bgp [--seconds N] [--seed S] [--case N]\n';

/** Growth of the heap over a run that is put down to caches and to the engine's own affairs. */
const HEAP_SLACK = 32 * 1024 * 1024;

function main(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      case: { type: 'string' },
    },
  });
  const [seconds, seed, only] = [values.seconds, values.seed, values.case ?? '0'].map(Number);
  if (positionals.join() !== 'bgp' || ![seconds, seed, only].every(Number.isSafeInteger)) {
    process.stderr.write(USAGE);
    return 2;
  }
  const from = Number(only);
  const single = values.case !== undefined;
  const end = performance.now() + 1000 * Number(seconds);
  // What the first cases load and compile stays, so the heap is measured from then on.
  if (!single) campaign(Number(seed), (cases) => cases < 300);
  const before = heap();
  const outcome = campaign(Number(seed), (cases) => (single ? cases === 0 : performance.now() < end), from);
  if (outcome.failure !== undefined) {
    process.stdout.write(report(outcome.failure));
    return 1;
  }
  const grown = heap() - before;
  process.stdout.write(
    `${outcome.cases} cases from seed ${seed}: nothing wrong; the heap grew by ${(grown / 1024).toFixed(0)} KiB\n`,
  );
  return grown > HEAP_SLACK ? 1 : 0;
}

function heap(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  return process.memoryUsage().heapUsed;
}

process.exitCode = main();
