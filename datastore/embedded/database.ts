/**
 * Opens the database file: durability settings, and the tables.
 *
 * Durability: with `journal_mode=WAL` and `synchronous=FULL` SQLite syncs the write-ahead log in every
 * commit before it returns, so a commit survives the process, the kernel and the power supply
 * (https://sqlite.org/pragma.html#pragma_synchronous; NORMAL would sync at checkpoints only and may lose the
 * last commits when the power fails). The folder entries of a new database are synced here.
 */
import { closeSync, constants, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PoplinError } from '../../api/problem.ts';

/** "Popl": how a stranger (or `file`) recognises the file, and we a stranger's. */
const APPLICATION_ID = 0x506f706c;
/** Grows when the tables change. */
const FORMAT = 1;

/**
 * SQLite sleeps inside the call while another process commits, and the event loop with it: so briefly that no
 * keepalive is late. Longer waits are slept outside, by whoever calls.
 */
const BUSY_TIMEOUT_MS = 4;

/**
 * `object` is the present. `history` is an undo log: each change with what it replaced, so that a watch knows
 * the previous value, a list at an old revision is today's minus what came later, and compaction is one DELETE.
 */
const TABLES = `
  CREATE TABLE position (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL,
    compacted INTEGER NOT NULL
  ) STRICT;
  INSERT INTO position VALUES (1, 0, 0);
  CREATE TABLE object (
    kind TEXT NOT NULL, scope TEXT NOT NULL, name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, scope, name)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE history (
    revision INTEGER NOT NULL, ordinal INTEGER NOT NULL,
    kind TEXT NOT NULL, scope TEXT NOT NULL, name TEXT NOT NULL,
    value TEXT,
    previous_revision INTEGER, previous_value TEXT,
    PRIMARY KEY (revision, ordinal)
  ) STRICT, WITHOUT ROWID;
`;

/**
 * Opens the database at `path`, creating it and its folder when missing. Safe while other processes do the same.
 *
 * @throws whatever `node:sqlite` and `node:fs` throw (see `errors.ts`), "busy" included: then call again
 * @throws PoplinError when the file belongs to another program or to a newer release
 */
export function openDatabase(path: string): DatabaseSync {
  const created = create(path);
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    // Before anything is written: a stranger's file stays as it is.
    refuseForeign(db, path);
    db.exec('PRAGMA journal_mode = WAL');
    db.exec('PRAGMA synchronous = FULL');
    db.exec('PRAGMA journal_size_limit = 16777216');
    migrate(db, path);
  } catch (error) {
    db.close();
    throw error;
  }
  if (created) syncFolder(dirname(path));
  return db;
}

function migrate(db: DatabaseSync, path: string): void {
  if (pragma(db, 'user_version') === FORMAT && pragma(db, 'application_id') === APPLICATION_ID) return;
  db.exec('BEGIN IMMEDIATE');
  try {
    // Asked again under the lock: another process may have created the tables in between.
    const format = pragma(db, 'user_version');
    if (format > FORMAT) throw newer(path, format);
    if (format === 0) {
      db.exec(TABLES);
      db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
      db.exec(`PRAGMA user_version = ${FORMAT}`);
    }
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** In one transaction, so that tables which another process of ours is creating are seen with our mark or not at all. */
function refuseForeign(db: DatabaseSync, path: string): void {
  db.exec('BEGIN');
  try {
    const id = pragma(db, 'application_id');
    if (id === APPLICATION_ID) return;
    if (id !== 0) throw foreign(path, `application id ${id}`);
    if (db.prepare('SELECT 1 FROM sqlite_schema').get() !== undefined)
      throw foreign(path, 'tables of its own');
  } finally {
    if (db.isTransaction) db.exec('ROLLBACK');
  }
}

function pragma(db: DatabaseSync, name: 'application_id' | 'user_version'): number {
  return Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0] as number;
}

/**
 * Creates the file readable by its owner only, as it may come to hold secrets; SQLite gives the same mode to the
 * log beside it. Only O_EXCL will do: closing any descriptor of a database that this process has open would drop
 * SQLite's POSIX locks on it (https://sqlite.org/howtocorrupt.html §2.2).
 */
function create(path: string): boolean {
  makeFolder(dirname(path));
  try {
    closeSync(openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR, 0o600));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Not `mkdir` with `recursive`: that never returns where a folder cannot be made, as in `/proc` (Node 26.10). */
function makeFolder(folder: string): void {
  const parent = dirname(folder);
  try {
    mkdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || existsSync(parent)) throw error;
    makeFolder(parent);
    makeFolder(folder);
    return;
  }
  syncFolder(parent);
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function foreign(path: string, sign: string): PoplinError {
  return new PoplinError([
    {
      code: 'STORE_CORRUPT',
      what: `${path} is a database of another program (${sign})`,
      remedy: 'name another file for the datastore',
    },
  ]);
}

function newer(path: string, format: number): PoplinError {
  return new PoplinError([
    {
      code: 'STORE_UNAVAILABLE',
      what: `the datastore ${path} has format ${format}, and this release of Poplin knows up to ${FORMAT}`,
      remedy: 'use the release that wrote it, or a newer one',
    },
  ]);
}
