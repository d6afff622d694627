/** One command at a time changes a lab. The lock names its owner, so a dead owner's lock is no lock. */
import { mkdirSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Result, fail, ok } from '../../api/problem.ts';
import { processIdentity, readPidFile } from '../../daemon/process.ts';
import { DURABLE_LABS, LABS, labPaths } from './paths.ts';

export interface Lock {
  release(): void;
}

export function lockLab(lab: string): Result<Lock> {
  const { lock } = labPaths(lab);
  mkdirSync(dirname(lock), { recursive: true });
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      writeFileSync(lock, JSON.stringify(processIdentity(process.pid)), { flag: 'wx', mode: 0o600 });
      return ok({ release: () => release(lock) });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
    const owner = readPidFile(lock);
    if (owner !== undefined)
      return fail({
        code: 'LAB_BUSY',
        value: owner.pid,
        what: `another command (process ${owner.pid}) is changing the lab "${lab}"`,
        remedy: 'wait for it, or end it with Ctrl-C in its own terminal',
      });
    rmSync(lock, { force: true });
  }
  return fail({
    code: 'LAB_BUSY',
    what: `several commands are fighting for the lab "${lab}"`,
    remedy: 'run one at a time',
  });
}

/** The last lab also takes the folders in which labs live, if nobody else has put anything there. */
function release(lock: string): void {
  rmSync(lock, { force: true });
  for (const folder of [LABS, dirname(LABS), DURABLE_LABS, dirname(DURABLE_LABS)]) {
    try {
      rmdirSync(folder);
    } catch {
      // Not empty, or not there: both are fine.
    }
  }
}
