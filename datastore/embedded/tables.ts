/**
 * The statements of the embedded store: rows in, entries out. Synchronous; runs inside whatever transaction the
 * caller has opened.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { parseJson } from '../json.ts';
import type { Entry, Key, Selection, WatchBatch, WatchEvent } from '../store.ts';

/** `revision` is the newest; history up to and including `compacted` is gone. */
export interface StorePosition {
  readonly revision: number;
  readonly compacted: number;
}

interface ObjectRow {
  readonly kind: string;
  readonly scope: string;
  readonly name: string;
  readonly revision: number;
  readonly value: string;
}

interface HistoryRow {
  readonly revision: number;
  readonly kind: string;
  readonly scope: string;
  readonly name: string;
  readonly value: string | null;
  readonly previous_revision: number | null;
  readonly previous_value: string | null;
}

export interface StoredText {
  readonly revision: number;
  readonly value: string;
}

export class Tables {
  readonly #db: DatabaseSync;
  readonly #position: StatementSync;
  readonly #advance: StatementSync;
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #record: StatementSync;
  readonly #forget: StatementSync;
  readonly #compacted: StatementSync;
  /** By their text, which depends on how many selections there are and whether they name a scope: a handful in all. */
  readonly #others = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#position = db.prepare('SELECT revision, compacted FROM position');
    this.#advance = db.prepare('UPDATE position SET revision = ?');
    this.#get = db.prepare('SELECT revision, value FROM object WHERE kind = ? AND scope = ? AND name = ?');
    this.#put = db.prepare(
      'INSERT OR REPLACE INTO object (kind, scope, name, revision, value) VALUES (?, ?, ?, ?, ?)',
    );
    this.#delete = db.prepare('DELETE FROM object WHERE kind = ? AND scope = ? AND name = ?');
    this.#record = db.prepare('INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
    this.#forget = db.prepare('DELETE FROM history WHERE revision <= ?');
    this.#compacted = db.prepare('UPDATE position SET compacted = ?');
  }

  position(): StorePosition {
    return this.#position.get() as unknown as StorePosition;
  }

  advance(revision: number): void {
    this.#advance.run(revision);
  }

  get(key: Key): StoredText | undefined {
    return this.#get.get(key.kind, key.scope, key.name) as StoredText | undefined;
  }

  entry(key: Key): Entry | undefined {
    const stored = this.get(key);
    return stored && entry(key, stored.revision, stored.value);
  }

  /** Writes `value`, or deletes when it is undefined, and records what was there. */
  write(
    key: Key,
    value: string | undefined,
    previous: StoredText | undefined,
    revision: number,
    ordinal: number,
  ): void {
    const { kind, scope, name } = key;
    if (value === undefined) this.#delete.run(kind, scope, name);
    else this.#put.run(kind, scope, name, revision, value);
    const before = [previous?.revision ?? null, previous?.value ?? null] as const;
    this.#record.run(revision, ordinal, kind, scope, name, value ?? null, ...before);
  }

  compact(through: number): void {
    this.#forget.run(through);
    this.#compacted.run(through);
  }

  list(selection: Selection): Entry[] {
    const where = condition([selection]);
    const rows = this.#prepared(`SELECT * FROM object WHERE ${where.sql} ORDER BY kind, scope, name`).all(
      ...where.values,
    ) as unknown as ObjectRow[];
    return rows.map((row) => entry(row, row.revision, row.value));
  }

  names(selection: Selection): Key[] {
    const where = condition([selection]);
    return this.#db
      .prepare(`SELECT kind, scope, name FROM object WHERE ${where.sql}`)
      .all(...where.values) as unknown as Key[];
  }

  kinds(): { readonly kind: string; readonly count: number }[] {
    return this.#db
      .prepare('SELECT kind, count(*) AS count FROM object GROUP BY kind ORDER BY kind')
      .all() as unknown as { kind: string; count: number }[];
  }

  /** As it was at `at`: what has not changed since, and of what has, the value before its first later change. */
  listAt(selection: Selection, at: number): Entry[] {
    const where = condition([selection]);
    const rows = this.#db
      .prepare(
        `SELECT kind, scope, name, revision, value FROM object WHERE revision <= ? AND ${where.sql}
         UNION ALL
         SELECT kind, scope, name, previous_revision, previous_value FROM (
           SELECT *, min(revision) FROM history WHERE revision > ? AND ${where.sql} GROUP BY kind, scope, name
         ) WHERE previous_revision IS NOT NULL
         ORDER BY kind, scope, name`,
      )
      .all(at, ...where.values, at, ...where.values) as unknown as ObjectRow[];
    return rows.map((row) => entry(row, row.revision, row.value));
  }

  /** The selected changes after `from`, up to and including `through`, one batch per commit. */
  changes(selections: readonly Selection[], from: number, through: number): WatchBatch[] {
    const where = condition(selections);
    const rows = this.#prepared(
      `SELECT * FROM history WHERE revision > ? AND revision <= ? AND (${where.sql}) ORDER BY revision, ordinal`,
    ).all(from, through, ...where.values) as unknown as HistoryRow[];
    const batches: { readonly revision: string; readonly events: WatchEvent[] }[] = [];
    for (const row of rows) {
      const revision = String(row.revision);
      let batch = batches.at(-1);
      if (batch?.revision !== revision) batches.push((batch = { revision, events: [] }));
      batch.events.push(event(row));
    }
    return batches;
  }

  /** Every commit has each watch ask: to compile the question takes longer than to answer it. */
  #prepared(sql: string): StatementSync {
    let statement = this.#others.get(sql);
    if (statement === undefined) this.#others.set(sql, (statement = this.#db.prepare(sql)));
    return statement;
  }
}

function condition(selections: readonly Selection[]): {
  readonly sql: string;
  readonly values: SQLInputValue[];
} {
  if (selections.length === 0) return { sql: 'FALSE', values: [] };
  const terms = selections.map(({ scope }) =>
    scope === undefined ? 'kind = ?' : '(kind = ? AND scope = ?)',
  );
  const values = selections.flatMap(({ kind, scope }) => (scope === undefined ? [kind] : [kind, scope]));
  return { sql: terms.join(' OR '), values };
}

function entry(row: Key, revision: number, value: string): Entry {
  const key = { kind: row.kind, scope: row.scope, name: row.name };
  return { key, value: parseJson(value), revision: String(revision) };
}

function event(row: HistoryRow): WatchEvent {
  const previous =
    row.previous_revision === null || row.previous_value === null
      ? undefined
      : entry(row, row.previous_revision, row.previous_value);
  if (row.value !== null) return { type: 'put', entry: entry(row, row.revision, row.value), previous };
  if (previous === undefined)
    throw new Error(`history row ${row.revision} deletes an object that was not there`);
  return { type: 'delete', previous, revision: String(row.revision) };
}
