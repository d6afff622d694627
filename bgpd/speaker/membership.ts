/**
 * One established peer as a member of the update group of a family: the first dump and its End-of-RIB, then whatever
 * the group sends. A member whose outbox is full loses messages; it remembers which prefixes were withdrawn in the
 * meantime, and once the peer reads again those are withdrawn and everything is sent anew. So a slow peer costs memory
 * for prefixes, not for messages, and holds nobody up.
 */
import type { Prefix } from '../../net/addr/index.ts';
import type { OutMessage, UpdateGroup } from '../rib/update-group.ts';
import type { Outbox } from './outbox.ts';

const DUMP_SLICE = 1000;

export class Membership {
  readonly group: UpdateGroup;
  readonly #member: number;
  readonly #outbox: Outbox;
  readonly #endOfRib: readonly Uint8Array[];
  #dump: Generator<OutMessage[], void> | undefined;
  #endOfRibDue: boolean;
  /** Nothing can be delivered: the member is new, or has lost messages. {@link #recover} brings it up to date. */
  #lost = true;
  /** Prefixes the peer may hold though the group no longer tells it them. */
  readonly #owed = new Map<string, Prefix>();

  /**
   * @param member  source id of the peer
   * @param endOfRib  the encoded marker, where it has not been sent on this session yet
   * @param holds  what an earlier group told the peer: withdrawn unless this group tells it too
   */
  constructor(
    group: UpdateGroup,
    member: number,
    outbox: Outbox,
    endOfRib: readonly Uint8Array[] | undefined,
    holds: Iterable<Prefix>,
  ) {
    this.group = group;
    this.#member = member;
    this.#outbox = outbox;
    this.#endOfRib = endOfRib ?? [];
    this.#endOfRibDue = endOfRib !== undefined;
    for (const prefix of holds) this.#owed.set(prefix.toString(), prefix);
  }

  get endOfRibSent(): boolean {
    return !this.#endOfRibDue;
  }

  deliver(message: OutMessage): void {
    if (message.except === this.#member) return;
    if (message.only !== undefined && message.only !== this.#member) return;
    if (this.#outbox.full) this.#lose();
    if (this.#lost) for (const prefix of message.withdrawn) this.#owed.set(prefix.toString(), prefix);
    else this.#outbox.push(message.bytes);
  }

  /** The peer asks for everything again (RFC 2918 §3). */
  refresh(): void {
    if (!this.#lost) this.#dump = this.group.dump(DUMP_SLICE);
  }

  /** One step of catching up, where there is room; call once per turn. True while more is to do right now. */
  advance(): boolean {
    if (this.#lost) this.#recover();
    if (this.#dump !== undefined && !this.#outbox.full) this.#dumpSome();
    if (this.#endOfRibDue && !this.#lost && this.#dump === undefined) {
      this.#outbox.push(this.#endOfRib);
      this.#endOfRibDue = false;
    }
    return this.#dump !== undefined && !this.#outbox.full;
  }

  /** Prefixes the peer holds from us, for the group that takes over. */
  *holds(): Generator<Prefix> {
    yield* this.#owed.values();
    for (const [id, route] of this.group.adjRibOut.entries()) {
      if (route.source !== this.#member) yield this.group.prefix(id);
    }
  }

  /** Routes this peer has been told, give or take what still waits in its outbox. */
  advertised(): number {
    let count = 0;
    for (const [, route] of this.group.adjRibOut.entries()) if (route.source !== this.#member) count++;
    return count;
  }

  #lose(): void {
    this.#lost = true;
    this.#dump = undefined;
  }

  /** Waits until the group has walked the table: else a prefix it has not come to would be withdrawn and told again. */
  #recover(): void {
    if (this.#outbox.full || !this.group.fed) return;
    this.#lost = false;
    for (const message of this.group.withdrawals(this.#owed.values(), this.#member))
      this.#outbox.push(message.bytes);
    this.#owed.clear();
    this.#dump = this.group.dump(DUMP_SLICE);
  }

  #dumpSome(): void {
    const next = this.#dump?.next();
    if (next === undefined || next.done === true) this.#dump = undefined;
    else
      for (const message of next.value) if (message.except !== this.#member) this.#outbox.push(message.bytes);
  }
}
