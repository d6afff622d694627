/** SQLite's result codes, told as one sentence to the person who runs the machine. */
import { PoplinError } from '../../api/problem.ts';
import type { StoreProblem } from '../store.ts';

/** Primary result codes, https://sqlite.org/rescode.html. An extended code carries its primary in the low octet. */
export const SQLITE = {
  PERM: 3,
  BUSY: 5,
  LOCKED: 6,
  READONLY: 8,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  PROTOCOL: 15,
  NOTADB: 26,
} as const;

/** The primary result code of an error from `node:sqlite`; undefined for any other error. */
export function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number')
    return undefined;
  return error.errcode & 0xff;
}

/** Another connection is in the way for a moment: the same call may succeed when repeated. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === SQLITE.BUSY || code === SQLITE.LOCKED || code === SQLITE.PROTOCOL;
}

const RESTORE =
  'restore it from a backup, or move it away with its -wal and -shm files to begin an empty one';

function unavailable(what: string, remedy: string): StoreProblem {
  return { code: 'STORE_UNAVAILABLE', what, remedy };
}

function describe(path: string, code: number | undefined, detail: string): StoreProblem {
  switch (code) {
    case SQLITE.NOTADB:
      return {
        code: 'STORE_CORRUPT',
        what: `${path} is not a Poplin datastore (${detail})`,
        remedy: 'name another file, or restore it from a backup if it was one',
      };
    case SQLITE.CORRUPT:
      return { code: 'STORE_CORRUPT', what: `the datastore ${path} is damaged (${detail})`, remedy: RESTORE };
    case SQLITE.READONLY:
    case SQLITE.PERM:
      return unavailable(
        `the datastore ${path} cannot be written (${detail})`,
        'run as its owner (usually root) and check that it lies on a writable file system',
      );
    case SQLITE.CANTOPEN:
      return unavailable(
        `the datastore ${path} cannot be opened (${detail})`,
        'check that its folder exists and that this user may read and write it',
      );
    case SQLITE.FULL:
      return unavailable(`no space is left for the datastore ${path}`, 'free space on its file system');
    case SQLITE.IOERR:
      return unavailable(
        `reading or writing the datastore ${path} failed (${detail})`,
        'check the disk and the kernel log',
      );
    case SQLITE.BUSY:
    case SQLITE.LOCKED:
    case SQLITE.PROTOCOL:
      return unavailable(
        `another process has kept the datastore ${path} locked for too long`,
        `find it with: fuser ${path}`,
      );
    default:
      return unavailable(
        `the datastore ${path} failed (${detail})`,
        'see the cause, and report it if it persists',
      );
  }
}

/** The error as this project tells it; anything that did not come from SQLite or the file system is a bug and stays as it is. */
export function toStoreError(path: string, error: unknown): unknown {
  if (error instanceof PoplinError || !(error instanceof Error)) return error;
  const code = resultCode(error);
  if (code !== undefined) return new PoplinError([describe(path, code, error.message)], { cause: error });
  const system = error as NodeJS.ErrnoException;
  if (system.syscall === undefined) return error;
  return new PoplinError([describe(path, SYSTEM[system.code ?? ''], error.message)], { cause: error });
}

const SYSTEM: Readonly<Record<string, number>> = {
  EACCES: SQLITE.READONLY,
  EPERM: SQLITE.READONLY,
  EROFS: SQLITE.READONLY,
  ENOENT: SQLITE.CANTOPEN,
  ENOTDIR: SQLITE.CANTOPEN,
  EISDIR: SQLITE.CANTOPEN,
  EEXIST: SQLITE.CANTOPEN,
  ENOSPC: SQLITE.FULL,
  EDQUOT: SQLITE.FULL,
  EIO: SQLITE.IOERR,
};
