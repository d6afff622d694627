/**
 * IPIP between nodes, in a user-mode kernel, since many machines' own has none: boots it once, runs the scenarios inside
 * with the real bgpd and the routing of felix-lite, and holds each to its outcome.
 */
import { expect } from 'chai';
import { dirname, join } from 'node:path';
import { unwrap } from '../../api/index.ts';
import { runInUml, umlPresent } from '../../containerlab/uml/uml.ts';
import { SCENARIOS } from './ipip.scenarios.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const WITHIN_MS = 400_000;
const SAID = 'POPLIN-SCENARIO ';

interface Outcome {
  readonly title: string;
  readonly error?: string;
}

const present = umlPresent();
if (!present)
  process.stderr.write('SKIPPED: IPIP in a user-mode kernel: user-mode-linux or kmod is not installed\n');

(present ? describe : describe.skip)('IPIP, in a user-mode kernel', function () {
  this.timeout(WITHIN_MS + 10_000);
  const outcomes = new Map<string, Outcome>();
  let all: readonly string[] = [];

  before(async () => {
    const script = [
      `export PATH=${dirname(process.execPath)}:$PATH`,
      // What is compiled once, here or there, need not be compiled again.
      `export NODE_COMPILE_CACHE=${join(ROOT, 'node_modules', '.cache', 'poplin-uml')}`,
      `cd ${ROOT}`,
      'node --disable-warning=ExperimentalWarning test/routes/inside.ts',
    ];
    const { lines } = unwrap(await runInUml({ script: script.join('\n'), withinMs: WITHIN_MS }));
    all = lines;
    for (const line of lines) {
      if (!line.startsWith(SAID)) continue;
      const outcome = JSON.parse(line.slice(SAID.length)) as Outcome;
      outcomes.set(outcome.title, outcome);
    }
  });

  for (const { title } of SCENARIOS)
    it(title, () => {
      const outcome = outcomes.get(title);
      if (outcome === undefined)
        expect.fail(`was not come to; the last words of the machine: ${all.slice(-12).join('\n')}`);
      expect(outcome.error).to.equal(undefined);
    });
});
