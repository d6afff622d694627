/** The workloads of a lab: made, looked at, taken away. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { PoplinError } from '../../api/problem.ts';
import { askControl } from '../../daemon/control.ts';
import { type ProcessIdentity, isAlive, processIdentity, terminate } from '../../daemon/process.ts';
import { deleteNamespace, namespacePath } from '../../net/kernel/index.ts';
import type { Expectation, Workload } from '../expectation.ts';
import { endMembers, pause } from '../runner/members.ts';
import { REPOSITORY, workloadDir } from '../runner/paths.ts';
import type { WorkloadState } from '../runner/state.ts';
import { together } from '../runner/together.ts';
import { ensureNamespaces } from '../runner/wiring.ts';
import type { RunningLab } from '../runner/lab.ts';
import { type Attachment, addToNetwork, removeFromNetwork } from './cni.ts';
import { PATIENCE } from '../runner/patience.ts';

const READY_MS = 10_000 * PATIENCE;

/** Makes what is missing of every workload. @returns names of those that were made */
export async function ensureWorkloads(lab: RunningLab, expectation: Expectation): Promise<string[]> {
  const missing = expectation.workloads.filter((workload) => !isUp(lab.state.workloads[workload.name]));
  // One network at a time would be calmer, but a runtime calls for all pods of a node at once, and so do we.
  await together(missing.map((workload) => createWorkload(lab, workload, expectation.port)));
  return missing.map((workload) => workload.name);
}

function isUp(state: WorkloadState | undefined): boolean {
  return state?.process !== undefined && isAlive(state.process);
}

async function createWorkload(lab: RunningLab, workload: Workload, port: number): Promise<void> {
  const before = lab.state.workloads[workload.name];
  const attachment = attachmentOf(lab, workload);
  if (before !== undefined) await clear(lab, attachment);
  const state: WorkloadState = {
    namespace: attachment.namespace,
    node: workload.node,
    containerId: attachment.containerId,
    addresses: {},
  };
  lab.state.workloads[workload.name] = state;
  lab.save();
  await ensureNamespaces([attachment.namespace]);
  state.addresses = await addToNetwork(attachment);
  state.process = await startProgram(lab.topology.name, workload.name, attachment.namespace, port);
  lab.save();
}

/** A workload that lost its process is made anew, as a runtime would replace a dead sandbox. */
async function clear(lab: RunningLab, attachment: Attachment): Promise<void> {
  await endMembers([attachment.namespace]);
  await removeFromNetwork(attachment);
  deleteNamespace(attachment.namespace);
  delete lab.state.workloads[attachment.workload.name];
}

function attachmentOf(lab: RunningLab, workload: Workload): Attachment {
  return {
    workload,
    on: lab.on(workload.node),
    namespace: lab.namespace(workload.name),
    containerId: createHash('sha256').update(`${lab.topology.name}/${workload.name}`).digest('hex'),
  };
}

async function startProgram(
  lab: string,
  name: string,
  namespace: string,
  port: number,
): Promise<ProcessIdentity> {
  const folder = workloadDir(lab, name);
  mkdirSync(folder, { recursive: true });
  const log = openSync(join(folder, 'log'), 'a');
  const child = spawn(
    'nsenter',
    [
      `--net=${namespacePath(namespace)}`,
      '--',
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      join(REPOSITORY, 'containerlab', 'workload', 'main.ts'),
      name,
      String(port),
      controlSocket(lab, name),
    ],
    {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
      env: { ...process.env, NODE_COMPILE_CACHE: join(REPOSITORY, '.cache', 'compile') },
    },
  );
  closeSync(log);
  child.on('error', () => undefined);
  child.unref();
  const identity = child.pid === undefined ? undefined : processIdentity(child.pid);
  if (identity !== undefined) {
    if (await answers(identity, controlSocket(lab, name))) return identity;
    await terminate(identity);
  }
  throw new PoplinError([
    {
      code: 'WORKLOAD_START_FAILED',
      resource: name,
      what: `the program of the workload "${name}" did not start`,
      remedy: `see ${join(folder, 'log')}`,
    },
  ]);
}

async function answers(program: ProcessIdentity, socket: string): Promise<boolean> {
  const deadline = performance.now() + READY_MS;
  while (isAlive(program) && performance.now() < deadline) {
    const health = await askControl(socket, 'GET', '/health', { deadlineMs: 1000 * PATIENCE });
    if (health.ok) return true;
    await pause(50);
  }
  return false;
}

export function controlSocket(lab: string, workload: string): string {
  return join(workloadDir(lab, workload), 'control.sock');
}
