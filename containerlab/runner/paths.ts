/** Where a lab keeps its things. All of it below two folders, so that `down` can take all of it away. */
import { join, resolve } from 'node:path';

export const REPOSITORY = resolve(import.meta.dirname, '..', '..');
/** What the command line reads to find the lab's datastore without being told. */
export const CONTEXT_FILE = '/run/poplin/context.json';
export const COMMAND_LINK = '/usr/local/bin/poplin';
export const LABS = '/run/poplin/lab';
export const DURABLE_LABS = '/var/lib/poplin/lab';

export interface LabPaths {
  /** Gone after a reboot, like the namespaces that it describes. */
  readonly state: string;
  readonly stateFile: string;
  /** Held by the command that is changing the lab. */
  readonly lock: string;
  /** Survives a reboot. */
  readonly durable: string;
  readonly datastore: string;
}

export function labPaths(lab: string): LabPaths {
  const state = join(LABS, lab);
  const durable = join(DURABLE_LABS, lab);
  return {
    state,
    stateFile: join(state, 'state.json'),
    lock: join(LABS, `${lab}.lock`),
    durable,
    datastore: join(durable, 'datastore.db'),
  };
}

/** Run directory of a Poplin node: control sockets, pid files, endpoint status. */
export function nodeRunDir(lab: string, node: string): string {
  return join(labPaths(lab).state, 'nodes', node);
}

/** What the runner keeps for any node: its mounts, its log, its private folders. */
export function nodeLabDir(lab: string, node: string): string {
  return join(labPaths(lab).state, 'inits', node);
}

export function workloadDir(lab: string, workload: string): string {
  return join(labPaths(lab).state, 'workloads', workload);
}
