/** Makes the lab the one that `poplin` talks to, and `poplin` a word that the shell knows. */
import {
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type LabState, readState } from './state.ts';
import { COMMAND_LINK, CONTEXT_FILE, REPOSITORY, labPaths } from './paths.ts';

/** A second lab does not take the place of one that runs: whoever talks to that one goes on talking to it. */
export function writeContext(lab: string): void {
  const current = contextLab();
  if (current !== undefined && current !== lab && readState(current)?.phase === 'up') return;
  const { state, datastore } = labPaths(lab);
  mkdirSync(dirname(CONTEXT_FILE), { recursive: true });
  writeFileSync(`${CONTEXT_FILE}.new`, `${JSON.stringify({ lab, datastore, state })}\n`, { mode: 0o644 });
  renameSync(`${CONTEXT_FILE}.new`, CONTEXT_FILE);
}

/** The lab that `poplin` talks to when it is told nothing else. */
export function contextLab(): string | undefined {
  try {
    const { lab } = JSON.parse(readFileSync(CONTEXT_FILE, 'utf8')) as { lab?: unknown };
    return typeof lab === 'string' ? lab : undefined;
  } catch {
    return undefined;
  }
}

export function removeContext(lab: string): void {
  if (contextLab() === lab) rmSync(CONTEXT_FILE, { force: true });
}

/** Links the command into the PATH unless something is there; a link of ours that outlived a reboot is ours again. */
export function linkCommand(state: LabState): void {
  const target = join(REPOSITORY, 'bin', 'poplin');
  try {
    lstatSync(COMMAND_LINK);
    state.linkedCommand = isOurs(target);
  } catch {
    mkdirSync(dirname(COMMAND_LINK), { recursive: true });
    symlinkSync(target, COMMAND_LINK);
    state.linkedCommand = true;
  }
}

function isOurs(target: string): boolean {
  try {
    return readlinkSync(COMMAND_LINK) === target;
  } catch {
    return false;
  }
}

/** Only our own link: somebody may have put a command of that name there since. */
export function unlinkCommand(): void {
  if (isOurs(join(REPOSITORY, 'bin', 'poplin'))) rmSync(COMMAND_LINK, { force: true });
}
