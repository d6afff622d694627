/**
 * Runs a program to its end: arguments as a list, never a shell, with limits on time and output.
 *
 * What is started here is also ended here: a program past its deadline is killed by its own pid.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Problem, PoplinError } from '../../api/problem.ts';
import type { Millis } from '../../clock/clock.ts';

export interface RunOptions {
  /**
   * Written to the program's standard input, which is then closed. Without it, input is empty. What comes in pieces is
   * asked for as fast as the program reads; where that throws, the program is stopped, and {@link run} throws the same.
   */
  readonly stdin?: string | Uint8Array | AsyncIterable<string>;
  /** Path of a network namespace to run in, e.g. `/run/netns/a1`. The program is started by `nsenter`. */
  readonly netns?: string | undefined;
  /** The whole environment; default: ours. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly cwd?: string;
  /** The program is killed when it takes longer. Default 30 seconds. */
  readonly deadlineMs?: Millis;
  /** The program is killed when it writes more than this to either stream. Default 256 MiB. */
  readonly maxOutputBytes?: number;
  /** Told the program's process id once it has been started. */
  readonly onStart?: ((pid: number) => void) | undefined;
  /** Aborting it stops the program. */
  readonly signal?: AbortSignal | undefined;
}

export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that could not be started, failed, or had to be stopped. */
export class CommandError extends PoplinError {
  /** What was asked for, without `nsenter`. */
  readonly command: readonly string[];
  /** Undefined when it did not end by itself. */
  readonly exitCode: number | undefined;
  readonly stderr: string;
  /** The program is not installed (or not on PATH). */
  readonly notFound: boolean;

  constructor(
    problem: Problem,
    command: readonly string[],
    ending: { readonly exitCode?: number | undefined; readonly stderr?: string; readonly notFound?: boolean },
  ) {
    super([problem]);
    this.command = command;
    this.exitCode = ending.exitCode;
    this.stderr = ending.stderr ?? '';
    this.notFound = ending.notFound ?? false;
  }
}

const DEFAULT_DEADLINE: Millis = 30_000;
const DEFAULT_MAX_OUTPUT = 256 * 1024 * 1024;
/** How long a program may ignore SIGTERM. */
const TERM_GRACE: Millis = 2_000;

/**
 * Runs `file` with `args` and returns what it wrote.
 *
 * @throws CommandError unless it exits 0 within its limits
 */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const command = [file, ...args];
  const { promise, resolve, reject } = Promise.withResolvers<RunResult>();
  // nsenter execs: the pid we hold is the program's own.
  const [executable, ...rest] =
    options.netns === undefined ? command : ['nsenter', `--net=${options.netns}`, '--', ...command];
  const child = spawn(executable ?? file, rest, {
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });

  if (child.pid !== undefined) options.onStart?.(child.pid);

  let stopped: Problem | undefined;
  const timers: NodeJS.Timeout[] = [];
  const stop = (problem: Problem) => {
    if (stopped !== undefined) return;
    stopped = problem;
    child.kill('SIGTERM');
    timers.push(
      setTimeout(() => {
        child.kill('SIGKILL');
        // What it started may still hold the pipes; we no longer wait for that.
        child.stdout.destroy();
        child.stderr.destroy();
      }, TERM_GRACE),
    );
  };

  const deadline = options.deadlineMs ?? DEFAULT_DEADLINE;
  timers.push(setTimeout(() => stop(tooSlow(command, deadline)), deadline));

  const abort = () => stop(aborted(command));
  if (options.signal?.aborted === true) abort();
  options.signal?.addEventListener('abort', abort, { once: true });

  const limit = options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT;
  const stdout = collect(child.stdout, limit, () => stop(tooMuch(command, limit)));
  const stderr = collect(child.stderr, limit, () => stop(tooMuch(command, limit)));

  // A program that ends without reading all of its input is judged by its exit code, not by our EPIPE.
  child.stdin.on('error', () => undefined);
  const { stdin } = options;
  let unfed: { readonly error: unknown } | undefined;
  if (isPiecewise(stdin))
    feed(child.stdin, stdin, (error) => {
      unfed = { error };
      stop(aborted(command));
    });
  else child.stdin.end(stdin);

  const settle = () => {
    for (const timer of timers) clearTimeout(timer);
    options.signal?.removeEventListener('abort', abort);
  };
  child.on('error', (error: NodeJS.ErrnoException) => {
    settle();
    reject(startFailed(command, executable ?? file, error));
  });
  child.on('close', (exitCode, signal) => {
    settle();
    const ending = { exitCode: exitCode ?? undefined, stderr: stderr() };
    if (unfed !== undefined) reject(unfed.error);
    else if (stopped !== undefined) reject(new CommandError(stopped, command, { stderr: stderr() }));
    else if (exitCode === 0) resolve({ stdout: stdout(), stderr: stderr() });
    else if (options.netns !== undefined && exitCode === 127 && /^nsenter: failed to execute/m.test(stderr()))
      reject(new CommandError(notInstalled(file), command, { ...ending, notFound: true }));
    else reject(new CommandError(failed(command, exitCode, signal, stderr()), command, ending));
  });
  return promise;
}

function isPiecewise(stdin: RunOptions['stdin']): stdin is AsyncIterable<string> {
  return typeof stdin === 'object' && Symbol.asyncIterator in stdin;
}

/** @param failed  told when there is no more because `pieces` threw, before the program can take that for the end */
function feed(stdin: Writable, pieces: AsyncIterable<string>, failed: (error: unknown) => void): void {
  const watched = async function* (): AsyncGenerator<string> {
    try {
      yield* pieces;
    } catch (error) {
      failed(error);
      throw error;
    }
  };
  pipeline(watched(), stdin).catch(() => undefined);
}

function collect(stream: NodeJS.ReadableStream, limit: number, exceeded: () => void): () => string {
  const chunks: Buffer[] = [];
  let length = 0;
  stream.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > limit) exceeded();
    else chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString();
}

/** Whether {@link run} would find the program on our PATH. */
export function isInstalled(file: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, file), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** `iptables-restore --noflush` as one would type it. */
export function formatCommand(command: readonly string[]): string {
  return command
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}

function failed(
  command: readonly string[],
  exitCode: number | null,
  signal: NodeJS.Signals | null,
  stderr: string,
): Problem {
  const how = exitCode === null ? `was ended by ${signal ?? 'a signal'}` : `exited with ${exitCode}`;
  const said = stderr.trim();
  return {
    code: 'COMMAND_FAILED',
    what: `\`${formatCommand(command)}\` ${how}${said === '' ? ' and wrote nothing to stderr' : `: ${said}`}`,
    remedy: 'run the command by hand to see more',
    value: exitCode ?? signal,
  };
}

function startFailed(
  command: readonly string[],
  executable: string,
  error: NodeJS.ErrnoException,
): CommandError {
  if (error.code === 'ENOENT') return new CommandError(notInstalled(executable), command, { notFound: true });
  return new CommandError(
    {
      code: 'COMMAND_NOT_STARTED',
      what: `\`${formatCommand(command)}\` could not be started: ${error.message}`,
      remedy: 'check that the file is executable and that the machine has memory and processes left',
    },
    command,
    {},
  );
}

function notInstalled(executable: string): Problem {
  return {
    code: 'COMMAND_NOT_FOUND',
    what: `the program "${executable}" is not on this machine's PATH`,
    remedy: 'install it (npm run setup installs what Poplin needs)',
    value: executable,
  };
}

function tooSlow(command: readonly string[], deadline: Millis): Problem {
  return {
    code: 'COMMAND_TIMEOUT',
    what: `\`${formatCommand(command)}\` did not end within ${deadline / 1000} s and was stopped`,
    remedy: 'look for a lock that another process holds, or for an overloaded machine',
    value: deadline,
  };
}

function aborted(command: readonly string[]): Problem {
  return {
    code: 'COMMAND_ABORTED',
    what: `\`${formatCommand(command)}\` was stopped, as nobody waits for it any more`,
    remedy: 'start again whenever you like',
  };
}

function tooMuch(command: readonly string[], limit: number): Problem {
  return {
    code: 'COMMAND_OUTPUT_LIMIT',
    what: `\`${formatCommand(command)}\` wrote more than ${limit} bytes and was stopped`,
    remedy: 'raise maxOutputBytes if that much is expected',
    value: limit,
  };
}
