import { expect } from 'chai';
import { CommandError, formatCommand, run } from './process.ts';

async function failure(promise: Promise<unknown>): Promise<CommandError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  }
  throw new Error('expected a CommandError');
}

async function* thousandLines(): AsyncGenerator<string> {
  for (let i = 0; i < 1000; i++) yield `${i} ${'x'.repeat(1000)}\n`;
}

async function* endless(): AsyncGenerator<string> {
  for (;;) {
    yield 'x'.repeat(100_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('run', () => {
  it('hands over arguments untouched by any shell, and standard input', async () => {
    const { stdout } = await run('sh', ['-c', 'printf "%s|" "$@"; cat', 'sh', '$HOME', 'a b', "it's"], {
      stdin: 'in',
    });
    expect(stdout).to.equal("$HOME|a b|it's|in");
  });

  it('takes input larger than a pipe that the program does not read', async () => {
    await run('true', [], { stdin: 'x'.repeat(1_000_000) });
  });

  it('asks for input in pieces as the program reads, and ends it behind the last', async () => {
    const { stdout } = await run('sh', ['-c', 'wc -l; echo done'], { stdin: thousandLines() });
    expect(stdout.split(/\s+/).filter((word) => word !== '')).to.deep.equal(['1000', 'done']);
  });

  it('stops a program whose input fails, and throws why once it has ended', async () => {
    const reason = new Error('no more of it');
    const pieces = async function* () {
      yield 'one\n';
      throw reason;
    };
    let pid = 0;
    const running = run('sh', ['-c', 'trap "exit 7" TERM; cat; sleep 60'], {
      stdin: pieces(),
      onStart: (started) => (pid = started),
    });
    expect(await running.catch((error: unknown) => error)).to.equal(reason);
    expect(() => process.kill(pid, 0)).to.throw('ESRCH');
  });

  it('judges a program that ends before its input by its exit code', async () => {
    await run('true', [], { stdin: endless() });
    expect((await failure(run('sh', ['-c', 'exit 3'], { stdin: endless() }))).exitCode).to.equal(3);
  });

  it('tells exit code and stderr of a failure, with the command as typed', async () => {
    const error = await failure(run('sh', ['-c', 'echo broken >&2; exit 3']));
    expect(error.exitCode).to.equal(3);
    expect(error.stderr).to.equal('broken\n');
    expect(error.message).to.contain(`sh -c 'echo broken >&2; exit 3'`).and.contain('exited with 3: broken');
  });

  it('says that a program is not installed, and how to mend it', async () => {
    const error = await failure(run('poplin-no-such-program', [], { env: { PATH: '/usr/bin:/bin' } }));
    expect(error.notFound).to.equal(true);
    expect(error.problems[0]).to.include({ code: 'COMMAND_NOT_FOUND' });
  });

  it('stops a program at its deadline, even one that ignores SIGTERM', async function () {
    this.timeout(120_000);
    const error = await failure(
      run('sh', ['-c', 'trap "" TERM; while :; do sleep 0.05; done'], { deadlineMs: 50 }),
    );
    expect(error.problems[0]).to.include({ code: 'COMMAND_TIMEOUT' });
    expect(error.exitCode).to.equal(undefined);
  });

  it('stops a program when its caller loses interest, before or after it has started', async function () {
    this.timeout(120_000);
    for (const abortAfterMs of [0, 50]) {
      const controller = new AbortController();
      if (abortAfterMs === 0) controller.abort();
      else setTimeout(() => controller.abort(), abortAfterMs);
      const began = performance.now();
      const error = await failure(run('sleep', ['60'], { signal: controller.signal }));
      expect(error.problems[0]).to.include({ code: 'COMMAND_ABORTED' });
      expect(performance.now() - began).to.be.lessThan(30_000);
    }
  });

  it('does not wait beyond the deadline for what the program left running', async () => {
    const error = await failure(run('sh', ['-c', 'sleep 6 & exit 0'], { deadlineMs: 50 }));
    expect(error.problems[0]).to.include({ code: 'COMMAND_TIMEOUT' });
  });

  it('stops a program that writes without end', async () => {
    const error = await failure(run('yes', [], { maxOutputBytes: 10_000 }));
    expect(error.problems[0]).to.include({ code: 'COMMAND_OUTPUT_LIMIT' });
  });

  it('quotes only what a shell would need quoted', () => {
    expect(formatCommand(['ip', '-6', 'route', 'a b', "it's"])).to.equal(`ip -6 route 'a b' 'it'\\''s'`);
  });
});
