/** Which datastore and which node a command means: what was said, else the environment, else the running lab, else this machine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_DATASTORE, DEFAULT_RUN_DIR } from '../daemon/options.ts';
import { UsageError } from './command.ts';
import type { Terminal } from './terminal.ts';

/** Written by `lab up`, removed by `lab down`. */
const CONTEXT_FILE = '/run/poplin/context.json';

export interface LabContext {
  readonly lab: string;
  readonly datastore: string;
  /** State folder of the lab; the run directories of its nodes are under `nodes/`. */
  readonly state: string;
}

/** The running lab, if there is one. A file that does not read as a context counts as none: it only chooses defaults. */
export function labContext(env: Terminal['env']): LabContext | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(env['POPLIN_CONTEXT'] ?? CONTEXT_FILE, 'utf8'));
    if (typeof value !== 'object' || value === null) return undefined;
    const { lab, datastore, state } = value as Partial<LabContext>;
    if (typeof lab !== 'string' || typeof datastore !== 'string' || typeof state !== 'string')
      return undefined;
    return { lab, datastore, state };
  } catch {
    return undefined;
  }
}

export function chooseDatastore(option: string | undefined, env: Terminal['env']): string {
  return option ?? present(env['POPLIN_DATASTORE']) ?? labContext(env)?.datastore ?? DEFAULT_DATASTORE;
}

export interface NodeRunDir {
  /** Undefined where only the folder is known: the agent there knows its name. */
  readonly node: string | undefined;
  readonly runDir: string;
}

/** Run directories to ask: the one that was said, or each node of the lab, or this machine's. */
export function chooseRunDirs(
  option: string | undefined,
  nodes: readonly string[],
  env: Terminal['env'],
  listNodes: (folder: string) => string[],
): NodeRunDir[] {
  const said = option ?? present(env['POPLIN_RUN_DIR']);
  const lab = said === undefined ? labContext(env) : undefined;
  if (lab === undefined) return [{ node: nodes[0], runDir: said ?? DEFAULT_RUN_DIR }];
  const folder = join(lab.state, 'nodes');
  const known = listNodes(folder);
  const unknown = nodes.find((node) => !known.includes(node));
  if (unknown !== undefined) {
    throw new UsageError(
      `the lab "${lab.lab}" has no Poplin node ${JSON.stringify(unknown)}; it has ${known.join(', ')}`,
    );
  }
  const chosen = nodes.length > 0 ? nodes : known;
  return chosen.map((node) => ({ node, runDir: join(folder, node) }));
}

function present(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
