/**
 * Files of others' folders, put there whole or not at all: a runtime that reads a half-written configuration fails every
 * pod, and one that starts a half-written plugin does too. Written beside, synced, renamed, and read back.
 */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** @returns false when the file says this already. @throws the file system's error; the file is then as it was */
export function place(path: string, content: Buffer, mode: number): boolean {
  if (isAs(path, content, mode)) return false;
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  // No suffix that a runtime takes for a configuration. The old file may be running: it is replaced, never written to.
  const fresh = join(folder, `.poplin-install-${process.pid}`);
  try {
    const file = openSync(fresh, 'w', mode);
    try {
      for (let at = 0; at < content.length; ) at += writeSync(file, content, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    // Whatever the umask says.
    chmodSync(fresh, mode);
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
  sync(folder);
  if (!isAs(path, content, mode))
    throw new Error(`${path} does not read as it was written; is its disk sound?`);
  return true;
}

/** @returns false when there was none, or `isOurs` says that it is another's */
export function takeAway(path: string, isOurs: (content: Buffer) => boolean): boolean {
  const content = readIfThere(path);
  if (content === undefined || !isOurs(content)) return false;
  rmSync(path);
  sync(dirname(path));
  return true;
}

function isAs(path: string, content: Buffer, mode: number): boolean {
  return readIfThere(path)?.equals(content) === true && (statSync(path).mode & 0o777) === mode;
}

export function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A rename is durable only when its folder is. */
function sync(folder: string): void {
  const file = openSync(folder, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
