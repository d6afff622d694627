/**
 * Changes on their way to the kernel, a batch at a time. While the kernel carries out one, the next is planned and put into
 * octets, so that its time and ours overlap (guarded by `npm run bench -- routes`). A slot is in one batch at most.
 */
import type { RouteTable, TableChange, TableOutcome } from './route-table.ts';
import type { Slot } from './slot.ts';

interface Batch {
  readonly slots: readonly Slot[];
  readonly changes: readonly TableChange[];
  readonly outcomes: Promise<readonly TableOutcome[]>;
}

export class Batches {
  readonly #table: RouteTable;
  readonly #underWay: Batch[] = [];

  constructor(table: RouteTable) {
    this.#table = table;
  }

  /** @param slots  whose each change is */
  send(slots: readonly Slot[], changes: readonly TableChange[]): void {
    for (const slot of slots) slot.underWay = true;
    const outcomes = this.#table.apply(changes);
    // Whoever waits for it hears of a failure; until then it is nobody's.
    outcomes.catch(() => undefined);
    this.#underWay.push({ slots, changes, outcomes });
  }

  /**
   * Until no more than so many are under way.
   *
   * @param record  gets each outcome, in the order of the changes
   * @param done  gets each slot after all of its outcomes
   * @throws when the table cannot be reached; see {@link abandon}
   */
  async settle(
    left: number,
    record: (slot: Slot, change: TableChange, outcome: TableOutcome) => void,
    done: (slot: Slot) => void,
  ): Promise<void> {
    while (this.#underWay.length > left) {
      const [{ slots, changes, outcomes }] = this.#underWay as [Batch];
      const told = await outcomes;
      this.#underWay.shift();
      for (const [i, change] of changes.entries()) record(slots[i] as Slot, change, told[i] as TableOutcome);
      for (const slot of slots) {
        slot.underWay = false;
        done(slot);
      }
    }
  }

  /** Waits for what is under way without asking what became of it: who calls reads the table again. */
  async abandon(): Promise<void> {
    const batches = this.#underWay.splice(0);
    await Promise.allSettled(batches.map(({ outcomes }) => outcomes));
    for (const { slots } of batches) for (const slot of slots) slot.underWay = false;
  }
}
