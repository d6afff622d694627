/**
 * What a lab has made, on disk before it is made: whoever comes next, even after a crash in mid-start,
 * reads here what there is to heal or to take away.
 */
import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ProcessIdentity } from '../../daemon/process.ts';
import { DURABLE_LABS, LABS, labPaths } from './paths.ts';

export interface LabState {
  readonly version: 1;
  readonly lab: string;
  readonly topologyFile: string;
  /** SHA-256 of the topology's text: a running lab cannot turn into another one. */
  readonly topologyDigest: string;
  /** `starting` on disk without a living owner of the lock means that the start was cut off. */
  phase: 'starting' | 'up' | 'stopping';
  nodes: Record<string, NodeState>;
  workloads: Record<string, WorkloadState>;
  /** The lab put a link named poplin on the PATH. */
  linkedCommand: boolean;
}

export interface NodeState {
  readonly namespace: string;
  /** The process that stands in for PID 1; absent when the node is stopped. */
  init?: ProcessIdentity;
}

export interface WorkloadState {
  readonly namespace: string;
  readonly node: string;
  readonly containerId: string;
  addresses: { readonly ipv4?: string; readonly ipv6?: string };
  process?: ProcessIdentity;
}

export function readState(lab: string): LabState | undefined {
  try {
    const value = JSON.parse(readFileSync(labPaths(lab).stateFile, 'utf8')) as LabState;
    return value.version === 1 ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Atomic: a reader, or a start after a crash, sees the old state or the new one. */
export function writeState(state: LabState): void {
  const { stateFile } = labPaths(state.lab);
  mkdirSync(dirname(stateFile), { recursive: true });
  writeFileSync(`${stateFile}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${stateFile}.new`, stateFile);
}

/** Labs with a folder on this machine: running, cut off, or left over from before a reboot. */
export function knownLabs(): string[] {
  return [...new Set([LABS, DURABLE_LABS].flatMap(foldersIn))].sort();
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}
