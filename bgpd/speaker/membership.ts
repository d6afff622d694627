/**
 * One established peer as a member of the update group of a family: first the table and its End-of-RIB, then whatever
 * the group sends. A member whose outbox is full misses batches; it remembers of which prefixes they spoke, and once the
 * peer reads again it is told what has become of those. So a slow peer costs a bit per prefix, not memory for messages,
 * and holds nobody up.
 */
import { IdSet } from '../rib/id-set.ts';
import type { OutBatch } from '../rib/out-batch.ts';
import type { PrefixIndex } from '../rib/prefix-index.ts';
import { TABLE_START, type TablePosition, type UpdateGroup } from '../rib/update-group.ts';
import type { Outbox } from './outbox.ts';

/** Prefixes told one member alone at a time. */
const TELL_SLICE = 2048;

export interface MembershipOptions {
  /** Source id of the peer. */
  readonly member: number;
  readonly outbox: Outbox;
  readonly index: PrefixIndex;
  /** The encoded marker, where it has not been sent on this session yet. */
  readonly endOfRib: Uint8Array | undefined;
  /** In an earlier group: what that has told the peer is withdrawn unless this group tells it too. */
  readonly earlier: Membership | undefined;
}

export class Membership {
  readonly group: UpdateGroup;
  readonly #member: number;
  readonly #outbox: Outbox;
  readonly #index: PrefixIndex;
  readonly #endOfRib: Uint8Array | undefined;
  /** Where the next slice of the table starts; undefined: the peer has it all. */
  #tableAt: TablePosition | undefined = TABLE_START;
  /** What the group tells under sets from here on, it tells after the peer was given the table. */
  #tableEnd = 0;
  /** The group has the whole table, and batches reach the peer from here on. */
  #begun = false;
  #endOfRibDue: boolean;
  /** Prefixes the peer may hold though the group does not tell it them. */
  readonly #owed: IdSet;
  /** Prefixes of which batches spoke that the peer did not get. */
  readonly #missed: IdSet;

  constructor(group: UpdateGroup, { member, outbox, index, endOfRib, earlier }: MembershipOptions) {
    this.group = group;
    this.#member = member;
    this.#outbox = outbox;
    this.#index = index;
    this.#endOfRib = endOfRib;
    this.#endOfRibDue = endOfRib !== undefined;
    this.#owed = new IdSet(index);
    this.#missed = new IdSet(index);
    earlier?.addHeld(this.#owed);
  }

  get endOfRibSent(): boolean {
    return !this.#endOfRibDue;
  }

  /** The peer knows all that the group has told, or will find it in its outbox. */
  get current(): boolean {
    return this.#tableAt === undefined && this.#missed.size === 0 && !this.#endOfRibDue;
  }

  /** The peer takes what it is sent about as fast as it is sent. */
  get keepsUp(): boolean {
    return !this.#outbox.slow;
  }

  /** @param only  the batch is for this source alone */
  deliver(batch: OutBatch, ids: readonly number[], only: number | undefined): void {
    if (!this.#begun || (only !== undefined && only !== this.#member)) return;
    if (this.#outbox.full || this.#missed.size > 0) for (const id of ids) this.#missed.add(id);
    else this.#outbox.push(batch.for(this.#member));
  }

  /** The peer asks for everything again (RFC 2918 §3). */
  refresh(): void {
    this.#tableAt = TABLE_START;
  }

  /** One step of catching up, where there is room. True while more can be done right now. */
  advance(): boolean {
    if (!this.group.fed || this.#outbox.slow) return false;
    this.#begun = true;
    if (this.#owed.size > 0) this.#tell(this.#owed, true);
    else if (this.#tableAt !== undefined) this.#nextSlice(this.#tableAt);
    else if (this.#missed.size > 0) this.#tell(this.#missed, false);
    else this.#mark();
    return !this.current && !this.#outbox.slow;
  }

  /** Ids of the prefixes that the peer holds from us, for the group that takes over. */
  addHeld(into: IdSet): void {
    for (const set of [this.#owed, this.#missed]) for (const id of set.ids()) into.add(id);
    if (this.#begun) this.group.adjRibOut.addTold(this.#member, into);
  }

  /** Routes this peer has been told, give or take what still waits in its outbox. */
  advertised(): number {
    return this.#begun ? this.group.adjRibOut.size - this.group.adjRibOut.countOf(this.#member) : 0;
  }

  close(): void {
    this.#owed.clear();
    this.#missed.clear();
  }

  #nextSlice(from: TablePosition): void {
    if (from === TABLE_START) this.#tableEnd = this.group.tableEnd;
    const { batch, next } = this.group.slice(from);
    this.#outbox.push(batch.for(this.#member));
    this.#tableAt = next !== undefined && next.set < this.#tableEnd ? next : undefined;
  }

  #tell(set: IdSet, withdrawOnly: boolean): void {
    const ids = set.take(TELL_SLICE);
    this.#outbox.push(this.group.tell(ids, this.#member, withdrawOnly).all);
    for (const id of ids) this.#index.release(id);
  }

  #mark(): void {
    if (!this.#endOfRibDue || this.#endOfRib === undefined) return;
    this.#outbox.push({ pieces: [this.#endOfRib], messages: 1, length: this.#endOfRib.length });
    this.#endOfRibDue = false;
  }
}
