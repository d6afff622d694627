/**
 * What one slice of work tells the members of a group: one stream of octets that goes to all of them as it is. A member
 * that is itself the source of some of the routes is given the stream without that part (split horizon): the routes of a
 * source lie side by side, so that nothing is encoded for one member.
 */
import type { UpdatePacker } from '../wire/update-packer.ts';
import { NO_PREFIX, type AdjRibOut } from './adj-rib-out.ts';
import { IdRows } from './id-rows.ts';
import type { PrefixIndex } from './prefix-index.ts';

/** Encoded messages, whole and in order; several to a piece. Shared between members: never written to. */
export interface Octets {
  readonly pieces: readonly Uint8Array[];
  readonly messages: number;
  readonly length: number;
}

interface Range {
  readonly from: number;
  readonly to: number;
  readonly messages: number;
}

const NOTHING: Octets = { pieces: [], messages: 0, length: 0 };

export class OutBatch {
  /** For every member that is no source. */
  readonly all: Octets;
  readonly #stream: Uint8Array;
  readonly #own: ReadonlyMap<number, readonly Range[]>;

  constructor(stream: Uint8Array, messages: number, own: ReadonlyMap<number, readonly Range[]>) {
    this.#stream = stream;
    this.#own = own;
    this.all = stream.length === 0 ? NOTHING : { pieces: [stream], messages, length: stream.length };
  }

  for(member: number): Octets {
    const own = this.#own.get(member);
    if (own === undefined) return this.all;
    const pieces: Uint8Array[] = [];
    let { messages } = this.all;
    let length = 0;
    let at = 0;
    const take = (to: number): void => {
      if (to > at) pieces.push(this.#stream.subarray(at, to));
      length += to - at;
    };
    for (const range of own) {
      take(range.from);
      at = range.to;
      messages -= range.messages;
    }
    take(this.#stream.length);
    return { pieces, messages, length };
  }
}

/** Gathers what a slice of work came to, then makes one {@link OutBatch} of it. */
export class BatchBuilder {
  readonly #index: PrefixIndex;
  readonly #packer: UpdatePacker;
  readonly #out: AdjRibOut;
  /** By source. */
  readonly #withdrawn = new IdRows();
  /** By set. */
  readonly #announced = new IdRows();
  #own = new Map<number, Range[]>();

  constructor(index: PrefixIndex, packer: UpdatePacker, out: AdjRibOut) {
    this.#index = index;
    this.#packer = packer;
    this.#out = out;
  }

  /** Octets so far, of sets that went in whole. */
  get length(): number {
    return this.#packer.length;
  }

  announce(id: number, set: number): void {
    this.#announced.add(set, id);
  }

  /** @param source  whose route it was: it was never told */
  withdraw(id: number, source: number): void {
    this.#withdrawn.add(source, id);
  }

  /**
   * What is told with a set, as the Adj-RIB-Out has it. Sets of one source should follow each other.
   *
   * @param behind  the prefix to go on behind; {@link NO_PREFIX}: from the first
   * @param limit  prefixes at the most
   * @returns where to go on; {@link NO_PREFIX}: that was all
   */
  announceRow(set: number, behind: number, limit: number): number {
    let id = behind === NO_PREFIX ? this.#out.first(set) : this.#out.after(behind);
    if (id === NO_PREFIX) return NO_PREFIX;
    const { sets } = this.#out;
    const from = this.#packer.length;
    const before = this.#packer.messages;
    this.#packer.announce(sets.octets(set), sets.at(set), sets.length(set));
    let last = id;
    for (let left = limit; id !== NO_PREFIX && left > 0; left--) {
      this.#add(id);
      last = id;
      id = this.#out.after(id);
    }
    this.#packer.end();
    this.#note(sets.source(set), from, before);
    return id === NO_PREFIX ? NO_PREFIX : last;
  }

  /** Withdrawals first: a peer's table never holds more than it must. */
  build(): OutBatch {
    for (let row = 0; row < this.#withdrawn.rows; row++) this.#withdrawRow(row);
    for (const row of this.#order()) this.#announceWith(row);
    this.#withdrawn.clear();
    this.#announced.clear();
    const own = this.#own;
    this.#own = new Map();
    const { messages } = this.#packer;
    return new OutBatch(this.#packer.take(), messages, own);
  }

  /** Rows of sets, those of a source side by side. */
  #order(): readonly number[] {
    const { sets } = this.#out;
    const announced = this.#announced;
    const order: number[] = [];
    let sorted = true;
    let before = Number.NEGATIVE_INFINITY;
    for (let row = 0; row < announced.rows; row++) {
      const source = sets.source(announced.keyOf(row));
      sorted &&= source >= before;
      before = source;
      order.push(row);
    }
    if (sorted) return order;
    return order.sort((a, b) => sets.source(announced.keyOf(a)) - sets.source(announced.keyOf(b)));
  }

  #withdrawRow(row: number): void {
    const from = this.#packer.length;
    const before = this.#packer.messages;
    this.#packer.withdraw();
    this.#addAll(this.#withdrawn, row);
    this.#packer.end();
    this.#note(this.#withdrawn.keyOf(row), from, before);
  }

  #announceWith(row: number): void {
    const { sets } = this.#out;
    const set = this.#announced.keyOf(row);
    const from = this.#packer.length;
    const before = this.#packer.messages;
    this.#packer.announce(sets.octets(set), sets.at(set), sets.length(set));
    this.#addAll(this.#announced, row);
    this.#packer.end();
    this.#note(sets.source(set), from, before);
  }

  #addAll(rows: IdRows, row: number): void {
    for (let at = rows.firstOf(row); at >= 0; at = rows.behind(at)) this.#add(rows.idAt(at));
  }

  #add(id: number): void {
    const index = this.#index;
    if (index.version(id) === 4) this.#packer.add(index.length(id), index.word(id, 0), 0, 0, 0);
    else
      this.#packer.add(
        index.length(id),
        index.word(id, 0),
        index.word(id, 1),
        index.word(id, 2),
        index.word(id, 3),
      );
  }

  /** The stretch of the stream belongs to this source; one that goes on from the last stretch lengthens it. */
  #note(source: number, from: number, messagesBefore: number): void {
    const to = this.#packer.length;
    const messages = this.#packer.messages - messagesBefore;
    const ranges = this.#own.get(source);
    if (ranges === undefined) {
      this.#own.set(source, [{ from, to, messages }]);
      return;
    }
    const last = ranges.at(-1);
    if (last?.to === from)
      ranges[ranges.length - 1] = { from: last.from, to, messages: last.messages + messages };
    else ranges.push({ from, to, messages });
  }
}
