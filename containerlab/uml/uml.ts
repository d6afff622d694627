/**
 * Debian's user-mode kernel as a machine of its own on this machine's files: for devices that the kernel here lacks. What
 * runs inside has this machine's programs, namespaces of its own, and nothing of this machine's network.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, ok, type Problem, type Result } from '../../api/index.ts';
import type { Millis } from '../../clock/clock.ts';

export const KERNEL = '/usr/bin/linux.uml';
const INIT = join(import.meta.dirname, 'init.sh');
/** Outside /tmp, which is another inside. */
export const SCRATCH = '/var/tmp';
const ENDED = /^POPLIN-UML-ENDED (\d+)/;

export interface UmlOptions {
  /** Shell commands that the machine is for; it is switched off when they end. */
  readonly script: string;
  readonly memoryMegabytes?: number;
  /** Then it is killed. */
  readonly withinMs: Millis;
  readonly onLine?: (line: string) => void;
}

export interface UmlOutcome {
  /** Of the commands; undefined when the machine ended without saying. */
  readonly exitCode: number | undefined;
  readonly lines: readonly string[];
}

export function umlPresent(): boolean {
  return existsSync(KERNEL) && existsSync('/usr/sbin/modprobe');
}

export function umlAbsent(): Problem {
  return {
    code: 'UML_ABSENT',
    what: 'there is no user-mode kernel on this machine',
    remedy: 'install it: apt-get install user-mode-linux kmod',
  };
}

/** @param folder  for the machine's own files; its console is standard input and output */
export function kernelArguments(options: {
  readonly folder: string;
  readonly script: string;
  readonly memoryMegabytes: number;
}): readonly string[] {
  return [
    `mem=${options.memoryMegabytes}M`,
    'rootfstype=hostfs',
    'rw',
    'init=/bin/sh',
    `poplin.run=${options.script}`,
    `uml_dir=${options.folder}`,
    'con=null',
    'con0=fd:0,fd:1',
    'quiet',
    '--',
    INIT,
  ];
}

/** @returns the problem UML_ABSENT where it is not installed */
export async function runInUml(options: UmlOptions): Promise<Result<UmlOutcome>> {
  if (!umlPresent()) return fail(umlAbsent());
  const folder = mkdtempSync(join(SCRATCH, 'poplin-uml-'));
  try {
    const script = join(folder, 'run.sh');
    writeFileSync(script, options.script);
    return ok(await boot(options, script, folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function boot(options: UmlOptions, script: string, folder: string): Promise<UmlOutcome> {
  const { memoryMegabytes = 2048, withinMs, onLine } = options;
  const args = kernelArguments({ folder, script, memoryMegabytes });
  return new Promise((resolve, reject) => {
    // A group of its own: every process inside is one of ours outside.
    const child = spawn(KERNEL, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const lines: string[] = [];
    let exitCode: number | undefined;
    let rest = '';
    const killer = setTimeout(() => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, withinMs);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split(/\r?\n/);
      rest = parts.pop() ?? '';
      for (const line of parts) {
        const ended = ENDED.exec(line);
        if (ended === null) {
          lines.push(line);
          onLine?.(line);
        } else exitCode = Number(ended[1]);
      }
    });
    child.stderr.resume();
    child.once('error', reject);
    child.once('close', () => {
      clearTimeout(killer);
      resolve({ exitCode, lines });
    });
  });
}
