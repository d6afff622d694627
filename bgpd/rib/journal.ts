/**
 * What changed, for whom it may concern. The Loc-RIB writes the id of each prefix whose outcome changed; every
 * consumer (the kernel, each update group, a watcher) holds a cursor and reads at its own pace, then looks up the
 * present state. So a slow consumer costs one number, several changes of a prefix collapse into the last, and nobody
 * waits for anybody. The same idea as BIRD 3's lfjour.
 *
 * One that falls further behind than the table is large is told to start again from the table, so the journal never
 * outgrows it by more than a constant.
 */
import { Column } from './column.ts';

const SLACK = 4096;
/** Entries are kept in blocks, so that forgetting the oldest moves none of the others, however far a reader is behind. */
const BLOCK = 4096;
/** Entries after which a journal that everybody has read forgets which was the latest of each prefix; a rehearsal has more. */
const FORGET_AFTER = 8192;

export interface Cursor {
  /** Sequence number of the next entry to read. */
  next: number;
  /** The journal has dropped entries this consumer had not read: it must walk the whole table. */
  lost: boolean;
}

export class Journal {
  /** Block n holds the entries with sequence numbers `#base + n * BLOCK` and on. */
  readonly #blocks: Uint32Array[] = [];
  #base = 0;
  /** Sequence numbers of the oldest entry that is kept, and of the next one to come. */
  #first = 0;
  #end = 0;
  /** Sequence number (its lower 32 bits) of the latest entry per prefix id: an older entry of the same id says nothing. */
  readonly #latest = new Column();
  /** Entries since {@link #latest} was last empty. */
  #noted = 0;
  readonly #cursors = new Set<Cursor>();

  /** A consumer that starts now: it sees what changes from here on. */
  open(): Cursor {
    const cursor = { next: this.#end, lost: false };
    this.#cursors.add(cursor);
    return cursor;
  }

  close(cursor: Cursor): void {
    this.#cursors.delete(cursor);
    this.#trim();
  }

  /** @param tableSize  prefixes in the table: a journal longer than that is dearer to read than the table itself */
  append(id: number, tableSize: number): void {
    if (this.#cursors.size === 0) return;
    this.#latest.set(id, this.#end >>> 0);
    this.#noted++;
    const at = this.#end++ - this.#base;
    if (at === this.#blocks.length * BLOCK) this.#blocks.push(new Uint32Array(BLOCK));
    (this.#blocks[Math.floor(at / BLOCK)] as Uint32Array)[at % BLOCK] = id;
    if (this.length > tableSize + SLACK) this.#shed(tableSize);
  }

  hasMore(cursor: Cursor): boolean {
    return cursor.lost || cursor.next < this.#end;
  }

  /** Up to `limit` prefix ids that changed since the cursor, each once, oldest change first; moves the cursor. */
  read(cursor: Cursor, limit: number): number[] {
    const ids: number[] = [];
    while (cursor.next < this.#end && ids.length < limit) {
      const id = this.#at(cursor.next);
      if (this.#latest.get(id) === cursor.next >>> 0) ids.push(id);
      cursor.next++;
    }
    this.#trim();
    return ids;
  }

  /** The consumer has begun to walk the table: changes from now on reach it through the journal again. */
  restart(cursor: Cursor): void {
    cursor.next = this.#end;
    cursor.lost = false;
  }

  get length(): number {
    return this.#end - this.#first;
  }

  #at(sequence: number): number {
    const at = sequence - this.#base;
    return (this.#blocks[Math.floor(at / BLOCK)] as Uint32Array)[at % BLOCK] as number;
  }

  /** Forgets what every cursor has read. */
  #trim(): void {
    let oldest = this.#end;
    for (const cursor of this.#cursors) oldest = Math.min(oldest, cursor.next);
    this.#drop(Math.max(oldest, this.#first));
    if (oldest === this.#end && this.#noted > FORGET_AFTER) this.#forget();
  }

  /** No entry is left that could be an older one: four octets for each prefix that ever changed are not worth keeping. */
  #forget(): void {
    this.#latest.clear();
    this.#noted = 0;
  }

  #shed(keep: number): void {
    this.#drop(this.#end - keep);
    for (const cursor of this.#cursors) {
      if (cursor.next >= this.#first) continue;
      cursor.next = this.#end;
      cursor.lost = true;
    }
  }

  /** All before this sequence number. The last block stays: one prefix that comes and goes should cost none each time. */
  #drop(to: number): void {
    this.#first = to;
    while (this.#blocks.length > 1 && this.#first - this.#base >= BLOCK) {
      this.#blocks.shift();
      this.#base += BLOCK;
    }
  }
}
