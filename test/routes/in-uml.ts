/** Scenarios inside a user-mode kernel: boots it once, runs them in order, and holds each to its outcome. */
import { expect } from 'chai';
import { dirname, join } from 'node:path';
import { unwrap } from '../../api/index.ts';
import { runInUml } from '../../containerlab/uml/uml.ts';
import { type Outcome, SAID, type Scenario } from './scenario.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const WITHIN_MS = 400_000;

/**
 * Called in the body of a suite.
 *
 * @param file  beside this one, whose `SCENARIOS` these are
 * @param first  shell commands for the machine
 */
export function tryInUml(
  suite: Mocha.Suite,
  file: string,
  scenarios: readonly Scenario[],
  first: readonly string[] = [],
): void {
  suite.timeout(WITHIN_MS + 10_000);
  const outcomes = new Map<string, Outcome>();
  let all: readonly string[] = [];

  before(async () => {
    const script = [
      ...first,
      `export PATH=${dirname(process.execPath)}:$PATH`,
      // What is compiled once, here or there, need not be compiled again.
      `export NODE_COMPILE_CACHE=${join(ROOT, 'node_modules', '.cache', 'poplin-uml')}`,
      `cd ${ROOT}`,
      `node --disable-warning=ExperimentalWarning test/routes/inside.ts ${file}`,
    ];
    const { lines } = unwrap(await runInUml({ script: script.join('\n'), withinMs: WITHIN_MS }));
    all = lines;
    for (const line of lines) {
      if (!line.startsWith(SAID)) continue;
      const outcome = JSON.parse(line.slice(SAID.length)) as Outcome;
      outcomes.set(outcome.title, outcome);
    }
  });

  for (const { title } of scenarios)
    it(title, () => {
      const outcome = outcomes.get(title);
      if (outcome === undefined)
        expect.fail(`was not come to; the last words of the machine: ${all.slice(-12).join('\n')}`);
      expect(outcome.error).to.equal(undefined);
    });
}
