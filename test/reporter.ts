/** Mocha's `spec`, with a word for each second try, and behind it one line that any script can read. */
import mocha from 'mocha';

export default class Reporter extends mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    runner.on('retry', (test: Mocha.Test, error: Error) => {
      process.stdout.write(`    SECOND TRY of ${test.title}: ${error.message.split('\n')[0]}\n`);
    });
  }

  override epilogue(): void {
    super.epilogue();
    const { passes, failures, pending } = this.stats;
    process.stdout.write(`${passes} passed, ${failures} failed, ${pending} skipped\n`);
  }
}
