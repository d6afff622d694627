/**
 * Commits of the embedded store. Those that wait at the same time share one SQLite transaction and so one disk
 * sync, yet each keeps its own revision and its own yes or no.
 */
import type { DatabaseSync } from 'node:sqlite';
import { parseJson, stringifyJson } from '../json.ts';
import { type Commit, type Entry, keyText, type Operation } from '../store.ts';
import type { StoredText, Tables } from './tables.ts';

/** One commit with its values already in text, so that later changes by the caller do not reach it. */
export interface PreparedCommit {
  readonly operations: readonly Operation[];
  /** By operation; undefined for all but puts. */
  readonly texts: readonly (string | undefined)[];
}

/** @throws Error on a key named twice, TypeError on a value without JSON form: both are bugs of the caller */
export function prepareCommit(operations: readonly Operation[]): PreparedCommit {
  const seen = new Set<string>();
  for (const { key } of operations) {
    const id = JSON.stringify([key.kind, key.scope, key.name]);
    if (seen.has(id)) throw new Error(`${keyText(key)} appears twice in one commit`);
    seen.add(id);
  }
  return {
    operations: [...operations],
    texts: operations.map((operation) =>
      operation.type === 'put' ? stringifyJson(operation.value) : undefined,
    ),
  };
}

/**
 * Runs the commits in order in one transaction.
 *
 * @param keepRevisions  history beyond this many revisions is forgotten, in portions of an eighth
 * @returns one answer per commit, all durable
 * @throws whatever SQLite throws; then none was written, except that a failed disk sync may leave them written after all
 */
export function runCommits(
  db: DatabaseSync,
  tables: Tables,
  commits: readonly PreparedCommit[],
  keepRevisions: number,
): Commit[] {
  db.exec('BEGIN IMMEDIATE');
  try {
    const before = tables.position();
    let revision = before.revision;
    const answers = commits.map((commit) => {
      const answer = runCommit(tables, commit, revision);
      if (answer.ok) revision = Number(answer.revision);
      return answer;
    });
    if (revision !== before.revision) tables.advance(revision);
    if (revision - before.compacted > keepRevisions + keepRevisions / 8)
      tables.compact(revision - keepRevisions);
    db.exec('COMMIT');
    return answers;
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function runCommit(tables: Tables, { operations, texts }: PreparedCommit, revision: number): Commit {
  const found = operations.map(({ key }) => tables.get(key));
  for (const [i, operation] of operations.entries()) {
    if (!holds(operation, found[i])) {
      return { ok: false, failed: operation, current: tables.entry(operation.key) };
    }
  }
  const next = revision + 1;
  const entries: Entry[] = [];
  let written = 0;
  for (const [i, { type, key }] of operations.entries()) {
    if (type === 'check' || (type === 'delete' && found[i] === undefined)) continue;
    const text = texts[i];
    tables.write(key, text, found[i], next, written++);
    if (text !== undefined) entries.push({ key, value: parseJson(text), revision: String(next) });
  }
  return { ok: true, revision: String(written === 0 ? revision : next), entries };
}

function holds({ expect }: Operation, found: StoredText | undefined): boolean {
  switch (expect) {
    case 'any':
      return true;
    case 'present':
      return found !== undefined;
    case 'absent':
      return found === undefined;
    default:
      return found !== undefined && String(found.revision) === expect.revision;
  }
}
