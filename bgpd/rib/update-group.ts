/**
 * Peers that are told the same, told once. An update group follows the Loc-RIB through the journal, applies the common
 * export policy, keeps one Adj-RIB-Out and encodes each UPDATE once for all members.
 *
 * Prefixes of equal attributes share messages; withdrawals go first, so that a peer's table never holds more than it
 * must (RFC 4271 asks for no order). A group never waits for a member: what becomes of a message is the business of
 * whoever delivers it, and a member that lost messages is brought up to date from the Adj-RIB-Out.
 */
import type { Prefix } from '../../net/addr/index.ts';
import type { Family, NextHop, Nlri, PathAttributes, UpdateMessage } from '../wire/types.ts';
import { AdjRibOut, type OutRoute, type OutWithdraw } from './adj-rib-out.ts';
import type { AttributePool, AttributeSet } from './attributes.ts';
import { Follower } from './follower.ts';
import type { LocRib } from './loc-rib.ts';
import type { Path } from './path.ts';

/** An encoded run of UPDATEs and whom it concerns. Who it withdraws from is told by prefix, for members that miss it. */
export interface OutMessage {
  readonly bytes: readonly Uint8Array[];
  /** Source ids; undefined = everybody. */
  readonly except?: number;
  readonly only?: number;
  readonly withdrawn: readonly Prefix[];
}

export interface UpdateGroupOptions {
  readonly family: Family;
  readonly locRib: LocRib;
  readonly pool: AttributePool;
  /** What this group is told of a path; undefined = nothing. */
  readonly export: (
    prefix: Prefix,
    path: Path,
  ) => { readonly attributes: PathAttributes; readonly nextHop: NextHop } | undefined;
  readonly encode: (update: UpdateMessage) => Uint8Array[];
}

interface Bucket {
  readonly source: number;
  readonly attributes: AttributeSet;
  readonly nextHop: NextHop;
  readonly nlri: Nlri[];
}

/** What one slice of work came to, sorted for the wire. */
class Batch {
  readonly #announced = new Map<string, Bucket>();
  readonly #withdrawn = new Map<string, { readonly from: OutWithdraw; readonly prefixes: Prefix[] }>();

  announce(prefix: Prefix, route: OutRoute): void {
    const key = `${route.source}|${route.nextHop.address.toString()}|${route.attributes.key}`;
    let bucket = this.#announced.get(key);
    if (bucket === undefined) {
      bucket = { source: route.source, attributes: route.attributes, nextHop: route.nextHop, nlri: [] };
      this.#announced.set(key, bucket);
    }
    bucket.nlri.push({ prefix });
  }

  withdraw(prefix: Prefix, from: OutWithdraw): void {
    const key = 'only' in from ? `only ${from.only}` : `except ${from.except}`;
    const bucket = this.#withdrawn.get(key);
    if (bucket === undefined) this.#withdrawn.set(key, { from, prefixes: [prefix] });
    else bucket.prefixes.push(prefix);
  }

  messages(family: Family, encode: UpdateGroupOptions['encode']): OutMessage[] {
    const messages: OutMessage[] = [];
    for (const { from, prefixes } of this.#withdrawn.values())
      messages.push({ bytes: encode(withdrawal(family, prefixes)), ...from, withdrawn: prefixes });
    for (const bucket of this.#announced.values())
      messages.push({ bytes: encode(announcement(family, bucket)), except: bucket.source, withdrawn: [] });
    return messages;
  }
}

export class UpdateGroup {
  readonly family: Family;
  readonly adjRibOut: AdjRibOut;
  readonly #options: UpdateGroupOptions;
  readonly #follower: Follower;

  constructor(options: UpdateGroupOptions) {
    this.family = options.family;
    this.#options = options;
    this.adjRibOut = new AdjRibOut(options.locRib.index, options.pool);
    this.#follower = new Follower(options.locRib, () => this.adjRibOut.ids());
  }

  /** The Adj-RIB-Out stands on the whole table: the moment for first dumps and End-of-RIB (RFC 4724 §2). */
  get fed(): boolean {
    return this.#follower.fed;
  }

  /** Nothing waits to be looked at. */
  get settled(): boolean {
    return this.#follower.settled;
  }

  /** Looks at up to `limit` prefixes; what comes out concerns all members. Call until {@link settled}. */
  advance(limit: number): OutMessage[] {
    const batch = new Batch();
    for (const id of this.#follower.next(limit)) this.#consider(id, batch);
    return batch.messages(this.family, this.#options.encode);
  }

  /** Everything told so far, for a member that is new, asked for a refresh, or lost messages; in slices. */
  *dump(slice: number): Generator<OutMessage[], void> {
    let batch = new Batch();
    let count = 0;
    for (const [id, route] of this.adjRibOut.entries()) {
      batch.announce(this.prefix(id), route);
      if (++count % slice !== 0) continue;
      yield batch.messages(this.family, this.#options.encode);
      batch = new Batch();
    }
    yield batch.messages(this.family, this.#options.encode);
  }

  /** Withdrawals for one member of what it may still hold though the group does not tell it (any more). */
  withdrawals(prefixes: Iterable<Prefix>, member: number): OutMessage[] {
    const batch = new Batch();
    for (const prefix of prefixes) if (!this.tells(prefix, member)) batch.withdraw(prefix, { only: member });
    return batch.messages(this.family, this.#options.encode);
  }

  tells(prefix: Prefix, member: number): boolean {
    const id = this.#options.locRib.index.find(prefix);
    const route = id === undefined ? undefined : this.adjRibOut.get(id);
    return route !== undefined && route.source !== member;
  }

  /** @throws never for an id of the Adj-RIB-Out, which owns it */
  prefix(id: number): Prefix {
    return this.#options.locRib.prefix(id) as Prefix;
  }

  close(): void {
    this.adjRibOut.clear();
    this.#follower.close();
  }

  #consider(id: number, batch: Batch): void {
    const prefix = this.#options.locRib.prefix(id);
    if (prefix === undefined) return;
    const best = this.#options.locRib.best(id);
    const told = best === undefined ? undefined : this.#options.export(prefix, best);
    const change =
      best === undefined || told === undefined
        ? this.adjRibOut.withdraw(id)
        : this.adjRibOut.announce(id, best.source.id, told.attributes, told.nextHop);
    if (change?.withdraw !== undefined) batch.withdraw(prefix, change.withdraw);
    if (change?.announce !== undefined) batch.announce(prefix, change.announce);
    else if (change !== undefined) this.adjRibOut.release(id);
  }
}

function withdrawal(family: Family, prefixes: readonly Prefix[]): UpdateMessage {
  return {
    type: 'update',
    unreach: [{ family, nlri: prefixes.map((prefix) => ({ prefix })) }],
    reach: [],
    attributes: undefined,
  };
}

function announcement(family: Family, bucket: Bucket): UpdateMessage {
  return {
    type: 'update',
    unreach: [],
    reach: [{ family, nextHop: bucket.nextHop, nlri: bucket.nlri }],
    attributes: bucket.attributes.attributes,
  };
}
