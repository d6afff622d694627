/**
 * Commits of the embedded store. Those that wait at the same time share one SQLite transaction and so one disk
 * sync, yet each keeps its own revision and its own yes or no.
 */
import type { DatabaseSync } from 'node:sqlite';
import { parseJson } from '../json.ts';
import { holds, type PreparedCommit } from '../prepare.ts';
import type { Commit, Entry } from '../store.ts';
import type { Tables } from './tables.ts';

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
    if (!holds(operation.expect, found[i] === undefined ? undefined : String(found[i].revision))) {
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
