/** Makes the lab the one that `poplin` talks to, and `poplin` a word that the shell knows. */
import { lstatSync, mkdirSync, readlinkSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { LabState } from './state.ts';
import { COMMAND_LINK, CONTEXT_FILE, REPOSITORY, labPaths } from './paths.ts';

export function writeContext(lab: string): void {
  const { state, datastore } = labPaths(lab);
  mkdirSync(dirname(CONTEXT_FILE), { recursive: true });
  writeFileSync(`${CONTEXT_FILE}.new`, `${JSON.stringify({ lab, datastore, state })}\n`, { mode: 0o644 });
  renameSync(`${CONTEXT_FILE}.new`, CONTEXT_FILE);
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
