/**
 * Knowing a process for certain: a pid alone can be reused, a pid with its start time cannot.
 * Pid files written here let a restarted parent find the children it left behind.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks since boot when the process started (proc(5)). */
  readonly startTicks: string;
}

/** Undefined when no such process lives (a zombie counts as dead). */
export function processIdentity(pid: number): ProcessIdentity | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The command name may hold spaces and parentheses; the fields begin after the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTicks] = [fields[0], fields[19]];
  return state === 'Z' || state === 'X' || startTicks === undefined ? undefined : { pid, startTicks };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return processIdentity(identity.pid)?.startTicks === identity.startTicks;
}

/** Sends the signal only if the process is still the one that was meant. */
export function signal(identity: ProcessIdentity, name: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, name);
    return true;
  } catch {
    return false;
  }
}

/** Asks to end, waits, then insists. Resolves when the process is gone. */
export async function terminate(identity: ProcessIdentity, graceMs = 3000): Promise<void> {
  signal(identity, 'SIGTERM');
  if (await gone(identity, graceMs)) return;
  signal(identity, 'SIGKILL');
  await gone(identity, 2000);
}

async function gone(identity: ProcessIdentity, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (isAlive(identity)) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}

/** Atomic: a reader sees the old file or the new one, never half of it. */
export function writePidFile(path: string, identity: ProcessIdentity): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(identity)}\n`, { mode: 0o644 });
  renameSync(`${path}.new`, path);
}

/** The process a pid file names, if it is still that process and alive. */
export function readPidFile(path: string): ProcessIdentity | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof value !== 'object' || value === null || !('pid' in value) || !('startTicks' in value))
      return undefined;
    const { pid, startTicks } = value;
    if (typeof pid !== 'number' || typeof startTicks !== 'string') return undefined;
    return isAlive({ pid, startTicks }) ? { pid, startTicks } : undefined;
  } catch {
    return undefined;
  }
}

export function removePidFile(path: string): void {
  rmSync(path, { force: true });
}

/**
 * Runs `stop` once on SIGTERM or SIGINT, then ends the process; a second signal or `limitMs` ends it at once.
 */
export function onShutdown(stop: (signal: NodeJS.Signals) => Promise<void> | void, limitMs = 5000): void {
  let stopping = false;
  const handle = (name: NodeJS.Signals): void => {
    if (stopping) process.exit(1);
    stopping = true;
    setTimeout(() => process.exit(1), limitMs).unref();
    void Promise.resolve(stop(name)).then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', handle);
  process.on('SIGINT', handle);
}
