/**
 * One consumer's way through a Loc-RIB: first every prefix in the table, then what the journal says has changed, and
 * the table again should it fall too far behind. It yields ids; the consumer looks up the present state of each.
 */
import type { Cursor } from './journal.ts';
import type { LocRib } from './loc-rib.ts';

export class Follower {
  readonly #locRib: LocRib;
  readonly #cursor: Cursor;
  /** Ids under which the consumer itself keeps state; they may be gone from the table when it has to start over. */
  readonly #held: () => Iterable<number>;
  #feed: Iterator<number> | undefined;

  constructor(locRib: LocRib, held: () => Iterable<number>) {
    this.#locRib = locRib;
    this.#held = held;
    this.#cursor = locRib.journal.open();
    this.#feed = locRib.ids();
  }

  /** The consumer has walked the whole table once; what it does not know yet is news. */
  get fed(): boolean {
    return this.#feed === undefined && !this.#cursor.lost;
  }

  /** The consumer has seen all there is. */
  get settled(): boolean {
    return this.#feed === undefined && !this.#locRib.journal.hasMore(this.#cursor);
  }

  /** Up to `limit` ids to look at; none does not mean settled while a feed runs dry. */
  next(limit: number): number[] {
    if (this.#cursor.lost) this.#startOver();
    if (this.#feed === undefined) return this.#locRib.journal.read(this.#cursor, limit);
    const ids: number[] = [];
    while (ids.length < limit) {
      const next = this.#feed.next();
      if (next.done === true) {
        this.#feed = undefined;
        break;
      }
      ids.push(next.value);
    }
    return ids;
  }

  close(): void {
    this.#locRib.journal.close(this.#cursor);
  }

  #startOver(): void {
    this.#locRib.journal.restart(this.#cursor);
    this.#feed = bothOf(this.#held(), this.#locRib.ids());
  }
}

function* bothOf(a: Iterable<number>, b: Iterable<number>): Generator<number, undefined> {
  yield* a;
  yield* b;
  return undefined;
}
