/**
 * Peers that are told the same, told once. An update group follows the Loc-RIB through the journal, applies the common
 * export policy, keeps one Adj-RIB-Out and encodes each UPDATE once for all members.
 *
 * Prefixes of equal attributes share messages; withdrawals go first, so that a peer's table never holds more than it
 * must (RFC 4271 asks for no order). A group never waits for a member: what becomes of a batch is the business of
 * whoever delivers it. A member that is new is given the table, in {@link slice}s that all who come share; one that has
 * missed something is given just that, by {@link tell}.
 */
import type { Prefix } from '../../net/addr/index.ts';
import { UpdatePacker } from '../wire/update-packer.ts';
import type { Family } from '../wire/types.ts';
import { AdjRibOut, NO_PREFIX } from './adj-rib-out.ts';
import { ExportCache, type ExportOptions } from './export-cache.ts';
import { ExportedSets, NO_SET } from './exported-sets.ts';
import { Follower } from './follower.ts';
import type { LocRib } from './loc-rib.ts';
import { BatchBuilder, type OutBatch } from './out-batch.ts';

export interface UpdateGroupOptions extends ExportOptions {
  readonly locRib: LocRib;
}

/** A place in the table: behind a prefix (by id; -1: before the first) of those that are told with a set. */
export interface TablePosition {
  readonly set: number;
  readonly behind: number;
}

export const TABLE_START: TablePosition = { set: 0, behind: NO_PREFIX };

/** A stretch of the table, for members that do not know it yet. */
export interface TableSlice {
  readonly batch: OutBatch;
  /** Where the next slice starts; undefined: this was the last. */
  readonly next: TablePosition | undefined;
}

/**
 * Takes a batch and the ids of the prefixes it speaks of, valid during the call.
 *
 * @param only  id of the one source it concerns, if it is a member; undefined: all members
 */
export type Deliver = (batch: OutBatch, ids: readonly number[], only: number | undefined) => void;

/** Id of no source. */
const NOBODY = -1;

/** Prefixes looked at between two looks at the clock: some tenths of a millisecond where each is exported by itself. */
const STRETCH = 256;
/** A slice of the table ends behind the set with which it reaches this many octets, or this many sets. */
const SLICE_OCTETS = 65_536;
const SLICE_SETS = 1024;
/** Likewise, in the middle of a set that very many prefixes have. */
const SLICE_PREFIXES = 16_384;
/** Octets of slices that are kept for the next who comes. */
const KEPT_OCTETS = 8 * 1024 * 1024;

interface KeptSlice {
  readonly batch: OutBatch;
  /** When it was encoded, as the Adj-RIB-Out counts. */
  readonly serial: number;
  /** The last set in it, maybe not with all its prefixes. */
  readonly last: number;
  readonly end: TablePosition;
}

/** Ids of a slice of work. */
interface Work {
  readonly told: number[];
  readonly withdrawn: number[];
  /** Routes that now come from another source: had that one been told them, it must hear that they are gone. */
  readonly ownNow: Map<number, number[]>;
}

export class UpdateGroup {
  readonly family: Family;
  readonly adjRibOut: AdjRibOut;
  readonly #locRib: LocRib;
  readonly #sets = new ExportedSets();
  readonly #cache: ExportCache;
  readonly #follower: Follower;
  readonly #builder: BatchBuilder;
  readonly #kept = new Map<string, KeptSlice>();
  #keptOctets = 0;
  /** The table has been walked once; before, there is nobody to tell. */
  #begun = false;

  constructor(options: UpdateGroupOptions) {
    this.family = options.family;
    this.#locRib = options.locRib;
    const { index } = options.locRib;
    this.adjRibOut = new AdjRibOut(index, this.#sets);
    this.#cache = new ExportCache(options, this.#sets, (id) => options.locRib.prefix(id) as Prefix);
    this.#follower = new Follower(options.locRib, () => this.adjRibOut.ids());
    this.#builder = new BatchBuilder(
      index,
      new UpdatePacker(options.family, options.session),
      this.adjRibOut,
    );
  }

  /** The Adj-RIB-Out stands on the whole table: the moment for first dumps and End-of-RIB (RFC 4724 §2). */
  get fed(): boolean {
    return this.#follower.fed;
  }

  /** Nothing waits to be looked at. */
  get settled(): boolean {
    return this.#follower.settled;
  }

  /** Looks at up to `limit` prefixes, fewer where it gets late, and hands over what comes out. Call until {@link settled}. */
  advance(limit: number, deliver: Deliver, isLate: () => boolean = () => false): void {
    const work: Work = { told: [], withdrawn: [], ownNow: new Map() };
    let left = limit;
    do {
      for (const id of this.#follower.next(Math.min(left, STRETCH))) this.#consider(id, work);
      left -= STRETCH;
    } while (left > 0 && !this.#follower.settled && !isLate());
    if (this.#begun && work.told.length > 0) deliver(this.#builder.build(), work.told, undefined);
    if (this.#begun)
      for (const [source, ids] of work.ownNow) {
        for (const id of ids) this.#builder.withdraw(id, NOBODY);
        deliver(this.#builder.build(), ids, source);
      }
    for (const id of work.withdrawn) this.#locRib.index.release(id);
    if (this.adjRibOut.size === 0) this.#cache.clear();
    if (this.#follower.fed) this.#begun = true;
  }

  /**
   * A stretch of what the group has told, for whoever is new or asks again; kept for the next one as long as nothing
   * in it changes.
   *
   * @param from  {@link TABLE_START}, then what the slice before said
   */
  slice(from: TablePosition): TableSlice {
    const kept = this.#kept.get(keyOf(from));
    const { batch, end } = kept !== undefined && this.#isFresh(from, kept) ? kept : this.#encodeSlice(from);
    return { batch, next: end.set < this.#sets.limit ? end : undefined };
  }

  /** What is told from now on and is new to the group comes in slices from here on. */
  get tableEnd(): number {
    return this.#sets.limit;
  }

  /** Nobody is being given the table: what was kept may go, unless it is little. */
  rest(): void {
    if (this.#keptOctets <= KEPT_OCTETS / 8) return;
    this.#kept.clear();
    this.#keptOctets = 0;
  }

  /**
   * What one member is to know about these prefixes now.
   *
   * @param withdrawOnly  it gets the table too: say only what it must not hold any more
   */
  tell(ids: readonly number[], member: number, withdrawOnly: boolean): OutBatch {
    for (const id of ids) {
      if (!this.adjRibOut.tells(id, member)) this.#builder.withdraw(id, NOBODY);
      else if (!withdrawOnly) this.#builder.announce(id, this.adjRibOut.get(id));
    }
    return this.#builder.build();
  }

  /** Nobody is told anything any more. What it owns it gives back by {@link retire}. */
  close(): void {
    this.#cache.clear();
    this.#kept.clear();
    this.#follower.close();
  }

  /** After {@link close}: forgets up to `limit` prefixes; true while it holds others. */
  retire(limit: number): boolean {
    return this.adjRibOut.drain(limit);
  }

  #consider(id: number, work: Work): void {
    const best = this.#locRib.best(id);
    const set = best === undefined ? NO_SET : this.#cache.setOf(best, id);
    const old = this.adjRibOut.get(id);
    if (set === old) return;
    const oldSource = old === NO_SET ? NOBODY : this.#sets.source(old);
    this.adjRibOut.put(id, set);
    if (set === NO_SET) work.withdrawn.push(id);
    if (!this.#begun) return;
    work.told.push(id);
    if (set === NO_SET) this.#builder.withdraw(id, oldSource);
    else {
      this.#builder.announce(id, set);
      const source = this.#sets.source(set);
      if (old !== NO_SET && oldSource !== source) listUnder(work.ownNow, source, id);
    }
  }

  #encodeSlice(from: TablePosition): KeptSlice {
    const { limit } = this.#sets;
    let { set } = from;
    // Another set by now: its prefixes are told in another place, so those of this one are told from the first.
    let behind =
      from.behind !== NO_PREFIX && this.adjRibOut.get(from.behind) === set ? from.behind : NO_PREFIX;
    let last = set;
    while (set < limit && set - from.set < SLICE_SETS && this.#builder.length < SLICE_OCTETS) {
      last = set;
      behind = this.#builder.announceRow(set, behind, SLICE_PREFIXES);
      if (behind !== NO_PREFIX) break;
      set++;
    }
    const slice = {
      batch: this.#builder.build(),
      last,
      end: { set, behind },
      serial: this.adjRibOut.serial,
    };
    this.#keep(keyOf(from), slice);
    return slice;
  }

  #isFresh(from: TablePosition, { last, serial }: KeptSlice): boolean {
    for (let { set } = from; set <= last; set++) if (this.adjRibOut.changedAt(set) > serial) return false;
    return true;
  }

  #keep(from: string, slice: KeptSlice): void {
    this.#keptOctets += slice.batch.all.length - (this.#kept.get(from)?.batch.all.length ?? 0);
    this.#kept.delete(from);
    this.#kept.set(from, slice);
    for (const [oldest, { batch }] of this.#kept) {
      if (this.#keptOctets <= KEPT_OCTETS) break;
      this.#kept.delete(oldest);
      this.#keptOctets -= batch.all.length;
    }
  }
}

function keyOf({ set, behind }: TablePosition): string {
  return `${set} ${behind}`;
}

function listUnder(lists: Map<number, number[]>, key: number, id: number): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [id]);
  else list.push(id);
}
