/**
 * Changes on their way to the kernel, a batch at a time. While the kernel carries out one, the next is filled, and it is sent
 * the moment the kernel is seen to have answered, before anybody looks at the answer: so the kernel is never without work, and
 * our time is not added to its (guarded by `npm run bench -- routes`).
 */
import type { RouteTable, TableBatch, TableOperation, TableRefusal } from './route-table.ts';
import type { Routes } from './routes.ts';
import type { TableEntry } from './table-entry.ts';

export interface Outcomes {
  /** One change is done. */
  done(id: number, op: TableOperation, entry: TableEntry): void;
  refused(id: number, op: TableOperation, entry: TableEntry, refusal: TableRefusal): void;
  /** All outcomes of a route are told. */
  settled(id: number): void;
  /** All outcomes of a batch are told, and the next one is on its way already where there was one. */
  answered(): void;
  /** The table cannot be reached: the fate of what was sent is unknown, and what waited is given up. */
  failed(error: unknown): void;
}

class Batch {
  readonly table: TableBatch;
  readonly ids: number[] = [];
  readonly ops: TableOperation[] = [];
  readonly entries: TableEntry[] = [];

  constructor(table: TableBatch) {
    this.table = table;
  }
}

export class Batches {
  readonly #table: RouteTable;
  readonly #routes: Routes;
  readonly #outcomes: Outcomes;
  /** In the kernel. */
  #sent: Batch | undefined;
  #next: Batch | undefined;

  constructor(table: RouteTable, routes: Routes, outcomes: Outcomes) {
    this.#table = table;
    this.#routes = routes;
    this.#outcomes = outcomes;
  }

  /** The kernel is at work. */
  get busy(): boolean {
    return this.#sent !== undefined;
  }

  /** Changes that wait for the kernel. */
  get waiting(): number {
    return this.#next?.ids.length ?? 0;
  }

  /** The route is under way from here on. */
  add(id: number, op: TableOperation, entry: TableEntry): void {
    this.#next ??= new Batch(this.#table.begin());
    const { table, ids, ops, entries } = this.#next;
    table.add(op, this.#routes.words(id), entry);
    this.#routes.send(id);
    ids.push(id);
    ops.push(op);
    entries.push(entry);
  }

  /** Sends what waits, unless the kernel is {@link busy}. */
  go(): void {
    const batch = this.#next;
    if (batch === undefined || this.#sent !== undefined) return;
    this.#sent = batch;
    this.#next = undefined;
    batch.table.send().then(
      (refusals) => this.#answered(batch, refusals),
      (error: unknown) => this.#failed(batch, error),
    );
  }

  /** Sees whether the kernel has answered, in the middle of a turn of the event loop that would tell only after it. */
  look(): void {
    const batch = this.#sent;
    const refusals = batch?.table.poll();
    if (batch !== undefined && refusals !== undefined) this.#answered(batch, refusals);
  }

  /** What waits will not be sent. */
  giveUp(): void {
    for (const id of this.#next?.ids ?? []) this.#routes.back(id);
    this.#next = undefined;
  }

  #answered(batch: Batch, refusals: readonly TableRefusal[]): void {
    // It has been seen before.
    if (this.#sent !== batch) return;
    const { ids, ops, entries } = batch;
    this.#sent = undefined;
    this.go();
    let at = 0;
    for (let i = 0; i < ids.length; i++) {
      const [id, op, entry] = [ids[i] as number, ops[i] as TableOperation, entries[i] as TableEntry];
      const refusal = refusals[at];
      if (refusal?.index === i) {
        at++;
        this.#outcomes.refused(id, op, entry, refusal);
      } else this.#outcomes.done(id, op, entry);
    }
    for (const id of ids) {
      this.#routes.back(id);
      this.#outcomes.settled(id);
    }
    this.#outcomes.answered();
  }

  #failed({ ids }: Batch, error: unknown): void {
    this.#sent = undefined;
    for (const id of ids) this.#routes.back(id);
    this.giveUp();
    this.#outcomes.failed(error);
  }
}
