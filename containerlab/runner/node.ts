/** One node's life: start its init, run commands in it, stop it. The namespace outlives all of these. */
import { type StdioOptions, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PoplinError } from '../../api/problem.ts';
import { type ProcessIdentity, isAlive, processIdentity } from '../../daemon/process.ts';
import { type RunResult, namespacePath, run } from '../../net/kernel/index.ts';
import { type LabNode, namespaceName } from '../topology/topology.ts';
import { endMembers, pause } from './members.ts';
import { prepareMounts } from './mounts.ts';
import { nodeLabDir } from './paths.ts';
import { ROLES, environmentOf } from './roles.ts';
import { PATIENCE } from './patience.ts';

const READY_MS = 10_000 * PATIENCE;

/**
 * Starts the node's init and returns once its folders are in place, with its program just started.
 * @throws PoplinError NODE_START_FAILED, with the end of its log
 */
export async function startNode(lab: string, node: LabNode): Promise<ProcessIdentity> {
  const mounts = prepareMounts(lab, node);
  const command = node.command ?? ROLES[node.role].command?.(lab, node) ?? [];
  writeFileSync(join(dirname(mounts), 'command'), command.map(quote).join(' '));
  const log = openSync(join(nodeLabDir(lab, node.name), 'log'), 'a');
  const script = openSync(join(import.meta.dirname, 'init.sh'), 'r');
  // nsenter and unshare replace themselves, so the pid is init's. `slave`: names of network namespaces that the
  // machine makes later (a runtime's, for a pod) appear in the node; nothing of the node appears outside.
  const child = spawn(
    'nsenter',
    [
      `--net=${namespacePath(namespaceName(lab, node.name))}`,
      'unshare',
      '--mount',
      '--uts',
      '--propagation=slave',
      '/bin/sh',
      '-s',
      node.name,
    ],
    {
      detached: true,
      stdio: [script, log, log],
      env: { ...environmentOf(lab, node), INIT_FOLDER: dirname(mounts) },
      cwd: '/',
    },
  );
  closeSync(script);
  closeSync(log);
  child.unref();
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new PoplinError([startFailed(lab, node.name)])));
  });
  failed.catch(() => undefined);
  const identity = child.pid === undefined ? undefined : processIdentity(child.pid);
  await Promise.race([ready(`${mounts}.done`, lab, node.name), failed]);
  if (identity === undefined) throw new PoplinError([startFailed(lab, node.name)]);
  return identity;
}

/** One word for a POSIX shell. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

async function ready(file: string, lab: string, node: string): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (!existsSync(file)) {
    if (performance.now() > deadline) throw new PoplinError([startFailed(lab, node)]);
    await pause(5);
  }
}

function startFailed(lab: string, node: string) {
  const log = join(nodeLabDir(lab, node), 'log');
  return {
    code: 'NODE_START_FAILED',
    resource: node,
    what: `the node "${node}" did not start`,
    remedy: `see ${log}`,
  };
}

/** Ends everything on the node; its interfaces stay. */
export async function stopNode(lab: string, node: string): Promise<void> {
  await endMembers([namespaceName(lab, node)]);
}

/** The arguments that make `nsenter` run a program on the node as its own init would. */
export function enter(init: ProcessIdentity): readonly string[] {
  return [`--target=${init.pid}`, '--mount', '--uts', '--net', '--'];
}

export interface OnNode {
  readonly lab: string;
  readonly node: LabNode;
  readonly init: ProcessIdentity;
}

/** Runs a program on the node to its end. */
export function runOn(
  { lab, node, init }: OnNode,
  command: readonly string[],
  options: {
    readonly stdin?: string;
    readonly env?: NodeJS.ProcessEnv;
    readonly deadlineMs?: number;
    readonly signal?: AbortSignal;
  } = {},
): Promise<RunResult> {
  if (!isAlive(init)) return Promise.reject(new PoplinError([notRunning(node.name)]));
  return run('nsenter', [...enter(init), ...command], {
    ...options,
    env: { ...environmentOf(lab, node), ...options.env },
  });
}

export interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

const CAPTURE_MS = 60_000 * PATIENCE;

/** As {@link runOn}, for programs whose failure is an answer and not an error: the exit code is a value. */
export function captureOn(
  { lab, node, init }: OnNode,
  command: readonly string[],
  options: { readonly stdin: string; readonly env: NodeJS.ProcessEnv },
): Promise<Ended> {
  if (!isAlive(init)) return Promise.reject(new PoplinError([notRunning(node.name)]));
  return new Promise((resolve, reject) => {
    const child = spawn('nsenter', [...enter(init), ...command], {
      env: { ...environmentOf(lab, node), ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: CAPTURE_MS,
    });
    const output = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream].setEncoding('utf8').on('data', (chunk: string) => {
        output[stream] += chunk;
      });
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode: exitCode ?? 1, ...output }));
    // A program that ends without reading its input is judged by its exit code.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.stdin);
  });
}

/** Runs a program on the node with our own terminal. @returns its exit code */
export function attachTo(
  { lab, node, init }: OnNode,
  command: readonly string[],
  stdio: StdioOptions = 'inherit',
) {
  if (!isAlive(init)) return Promise.reject(new PoplinError([notRunning(node.name)]));
  return attach(['nsenter', ...enter(init), ...command], environmentOf(lab, node), stdio);
}

function ignore(): void {}

export function attach(
  command: readonly string[],
  env: NodeJS.ProcessEnv,
  stdio: StdioOptions,
): Promise<number> {
  const [program = '', ...args] = command;
  // Ctrl-C reaches the program by way of the terminal; we stay to hand on its exit code.
  process.on('SIGINT', ignore);
  return new Promise<number>((resolve, reject) => {
    const child = spawn(program, args, { stdio, env });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
  }).finally(() => process.off('SIGINT', ignore));
}

export function notRunning(node: string) {
  return {
    code: 'NODE_NOT_RUNNING',
    resource: node,
    what: `nothing runs on the node "${node}"`,
    remedy: 'start what is missing with: poplin lab up',
  };
}
