/**
 * Mocha's `spec`, with a word for each second try, and behind it the files that took longest and one line that any script
 * can read.
 */
import mocha from 'mocha';
import { relative } from 'node:path';

const ROOT = new URL('..', import.meta.url).pathname;
const SLOWEST_SHOWN = 15;
/** Files quicker than this, in ms, are not worth a line. */
const WORTH_A_LINE_MS = 3000;

export default class Reporter extends mocha.reporters.Spec {
  /** Time in tests and hooks by file, in ms. */
  readonly #spent = new Map<string, number>();

  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    runner.on('retry', (test: Mocha.Test, error: Error) => {
      process.stdout.write(`    SECOND TRY of ${test.title}: ${error.message.split('\n')[0]}\n`);
    });
    const spend = ({ file, duration }: Mocha.Runnable): void => {
      if (file !== undefined) this.#spent.set(file, (this.#spent.get(file) ?? 0) + (duration ?? 0));
    };
    runner.on('test end', spend);
    runner.on('hook end', spend);
  }

  override epilogue(): void {
    super.epilogue();
    const slowest = [...this.#spent]
      .filter(([, ms]) => ms >= WORTH_A_LINE_MS)
      .sort(([, a], [, b]) => b - a)
      .slice(0, SLOWEST_SHOWN);
    for (const [file, ms] of slowest)
      process.stdout.write(`${(ms / 1000).toFixed(1).padStart(8)} s  ${relative(ROOT, file)}\n`);
    const { passes, failures, pending } = this.stats;
    process.stdout.write(`${passes} passed, ${failures} failed, ${pending} skipped\n`);
  }
}
