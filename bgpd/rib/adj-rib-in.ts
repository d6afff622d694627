/**
 * Adj-RIB-In of one peer and family (RFC 4271 §3.2): every path the peer advertises, as it came, with what our import
 * policy made of it. Rejected paths stay, so that a changed policy needs no route refresh.
 *
 * Hot (bench/micro/bgp-inbound.ts). A route is one number in a column by prefix id: its path (`path-table.ts`), shared
 * by all prefixes announced alike, and whether it is stale. Policy is asked once for all prefixes of an UPDATE, unless
 * it looks at the prefix.
 *
 * Marks for graceful restart live here (RFC 4724 §4.2): `markStale` when the peer goes, `sweepStale` when it has sent
 * everything again or its time is up.
 */
import type { Prefix } from '../../net/addr/index.ts';
import type { NextHop, PathAttributes } from '../wire/types.ts';
import type { AttributePool, AttributeSet } from './attributes.ts';
import { Column } from './column.ts';
import type { Path, PathIdentity, Source } from './path.ts';
import type { PathTable } from './path-table.ts';
import type { PrefixIndex, PrefixWords } from './prefix-index.ts';

export { sameNextHop } from './path.ts';

/** What import policy sees of a path. */
export interface Candidate {
  readonly prefix: Prefix;
  readonly source: Source;
  readonly nextHop: NextHop | undefined;
  readonly attributes: PathAttributes;
}

/** What it answers: the attributes to go on with (the same object where nothing changed), or why not. */
export type Imported =
  | {
      readonly accepted: true;
      readonly attributes: PathAttributes;
      /** In place of the one that came. */
      readonly setNextHop?: NextHop;
    }
  | { readonly accepted: false; readonly reason: string };

export interface Importer {
  judge(candidate: Candidate): Imported;
  /** True only where `judge` would accept the path as it is; for those who can tell without decoding it. */
  passesUnread?(received: AttributeSet, nextHop: NextHop | undefined): boolean;
  /** False: a verdict holds for every prefix that comes with the same attributes and next hop. */
  readonly looksAtPrefix: boolean;
}

/** The prefixes of an UPDATE, one after another, without an object for each: `next` moves on, false at the end. */
export interface NlriSource extends PrefixWords {
  readonly pathId: number;
  next(): boolean;
}

/** Told of each change: the path that now stands under the id, the one that no longer does, or both. */
export interface ChangeSink {
  changed(id: number, before: Path | undefined, after: Path | undefined): void;
}

/** The same as a value. */
export interface PathChange {
  readonly id: number;
  readonly before: Path | undefined;
  readonly after: Path | undefined;
}

/** What an UPDATE says of all its prefixes. */
export interface Announcement {
  readonly source: Source;
  readonly nextHop: NextHop;
  readonly received: AttributeSet;
}

/** In the column of routes: there is a list. Else a route is (number of the path + 1) * 2, + 1 while stale; 0 = none. */
const SEVERAL = 0xffffffff;
const STALE = 1;

export class AdjRibIn {
  readonly #index: PrefixIndex;
  readonly #pool: AttributePool;
  readonly #table: PathTable;
  #import: Importer;
  readonly #routes = new Column();
  /** The routes of prefixes with several; only with ADD-PATH. */
  readonly #lists = new Map<number, number[]>();
  #count = 0;
  #accepted = 0;
  #stale = 0;
  #staleAccepted = 0;
  /** Where {@link sweepSome} goes on. */
  #sweepAt = 0;
  /** Where {@link judgeSome} goes on. */
  #judgeAt: number | undefined;

  constructor(index: PrefixIndex, table: PathTable, importer: Importer) {
    this.#index = index;
    this.#pool = table.pool;
    this.#table = table;
    this.#import = importer;
  }

  /** Paths held, rejected and stale ones included. */
  get size(): number {
    return this.#count;
  }

  /** Paths that take part in the decision. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Paths kept for a peer that is restarting. */
  get stale(): number {
    return this.#stale;
  }

  /** What the session that stands has said so far: without what is only kept from the one before it. */
  get fresh(): { readonly received: number; readonly accepted: number; readonly judging: boolean } {
    const { judging } = this;
    return {
      received: this.#count - this.#stale,
      accepted: this.#accepted - this.#staleAccepted,
      judging,
    };
  }

  /**
   * Each prefix takes the place of what the peer said before about it and its path id (RFC 4271 §3.1). What it only
   * repeats loses its stale mark and is no change.
   */
  announce(nlri: NlriSource, announcement: Announcement, sink: ChangeSink): void {
    const { source, nextHop, received } = announcement;
    let path: Path | undefined;
    while (nlri.next()) {
      const id = this.#index.acquire(nlri);
      if (path === undefined || this.#import.looksAtPrefix || path.pathId !== nlri.pathId) {
        if (path !== undefined) this.#table.release(path.number);
        path = this.#judge({ source, nextHop, received, pathId: nlri.pathId }, id);
      }
      this.#place(id, path, sink);
    }
    if (path !== undefined) this.#table.release(path.number);
  }

  /** What the peer never had is passed over. */
  withdrawAll(nlri: NlriSource, sink: ChangeSink): void {
    while (nlri.next()) {
      const id = this.#index.find(nlri);
      const route = id === undefined ? 0 : this.#find(id, nlri.pathId);
      if (id !== undefined && route !== 0) this.#takeOut(id, route, sink);
    }
  }

  /** {@link announce} for one prefix; undefined where the peer only repeated itself. */
  advertise(
    prefix: Prefix,
    pathId: number,
    source: Source,
    nextHop: NextHop,
    received: AttributeSet,
  ): PathChange | undefined {
    const last = new LastChange();
    this.announce(new NlriList([{ prefix, pathId }]), { source, nextHop, received }, last);
    return last.change;
  }

  /** {@link withdrawAll} for one prefix; undefined where the peer withdrew what it never had. */
  withdraw(prefix: Prefix, pathId: number): PathChange | undefined {
    const last = new LastChange();
    this.withdrawAll(new NlriList([{ prefix, pathId }]), last);
    return last.change;
  }

  /** The session is gone but its routes are kept. A path that was kept already ends here (RFC 4724 §4.2). */
  markStale(sink: ChangeSink): void {
    this.sweepStale(sink);
    this.#markAll();
  }

  /** The session is gone with all it said: {@link sweepSome} takes it out, unless the next one says it again before. */
  condemn(): void {
    this.#markAll();
  }

  /** Takes out up to `limit` stale routes, so that a million end over several turns; true while more may be there. */
  sweepSome(limit: number, sink: ChangeSink): boolean {
    for (let done = 0; done < limit && this.#stale > 0; done++) {
      const id = this.#routes.next(this.#sweepAt);
      if (id === undefined) return false;
      this.#sweepAt = id + 1;
      for (const route of this.#routesAt(id)) if ((route & STALE) !== 0) this.#takeOut(id, route, sink);
    }
    return this.#stale > 0;
  }

  /** Routes may have become stale behind the place where {@link sweepSome} has come to. */
  sweepFromStart(): void {
    this.#sweepAt = 0;
  }

  #markAll(): void {
    this.#sweepAt = 0;
    // Not `ids()`: a generator takes three times as long, and there may be a million.
    for (let id = this.#routes.next(0); id !== undefined; id = this.#routes.next(id + 1)) {
      const route = this.#routes.get(id);
      const list = this.#lists.get(id);
      if (list === undefined) this.#routes.set(id, route | STALE);
      else for (let i = 0; i < list.length; i++) list[i] = (list[i] ?? 0) | STALE;
    }
    this.#stale = this.#count;
    this.#staleAccepted = this.#accepted;
  }

  /** Removes what the peer has not sent again. */
  sweepStale(sink: ChangeSink): void {
    if (this.#stale > 0) this.#takeOutAll(sink, (route) => (route & STALE) !== 0);
  }

  clear(sink: ChangeSink): void {
    this.#takeOutAll(sink, () => true);
    this.#routes.clear();
  }

  /**
   * Another import policy (soft reconfiguration): what comes is judged by it from now on, what is held by
   * {@link judgeSome}, so that a million routes are judged over several turns.
   */
  reimport(importer: Importer): void {
    this.#import = importer;
    this.#judgeAt = this.#count === 0 ? undefined : 0;
  }

  /** Some of what is held has been judged by an earlier policy. */
  get judging(): boolean {
    return this.#judgeAt !== undefined;
  }

  /** Judges the routes of up to `limit` prefixes again, and tells what came out differently; true while more wait. */
  judgeSome(limit: number, sink: ChangeSink): boolean {
    /** Path before -> path after, where policy does not look at the prefix. */
    const judged = new Map<Path, Path>();
    for (let done = 0; done < limit && this.#judgeAt !== undefined; done++) {
      const id = this.#routes.next(this.#judgeAt);
      this.#judgeAt = id === undefined ? undefined : id + 1;
      if (id !== undefined) for (const route of this.#routesAt(id)) this.#judgeAgain(id, route, judged, sink);
    }
    for (const path of judged.values()) this.#table.release(path.number);
    return this.judging;
  }

  #judgeAgain(id: number, route: number, judged: Map<Path, Path>, sink: ChangeSink): void {
    const { looksAtPrefix } = this.#import;
    const before = this.#pathOf(route);
    const after = judged.get(before) ?? this.#judge(before, id);
    if (!looksAtPrefix) judged.set(before, after);
    if (after !== before) {
      this.#index.retain(id);
      this.#replace(id, route, routeTo(after) | (route & STALE), sink);
    }
    if (looksAtPrefix) this.#table.release(after.number);
  }

  get(prefix: Prefix): readonly Path[] {
    const id = this.#index.find(prefix);
    return id === undefined ? [] : this.#routesAt(id).map((route) => this.#pathOf(route));
  }

  /** Whether the session that stands has announced the prefix, and not taken it back. */
  holds(prefix: Prefix, pathId: number): boolean {
    const id = this.#index.find(prefix);
    const route = id === undefined ? 0 : this.#find(id, pathId);
    return route !== 0 && (route & STALE) === 0;
  }

  /** Whether the route of this prefix and path is kept for a peer that is restarting. */
  isStale(id: number, path: Path): boolean {
    return (this.#find(id, path.pathId) & STALE) !== 0;
  }

  *entries(): Generator<{ readonly id: number; readonly path: Path; readonly stale: boolean }, undefined> {
    for (const { id, route } of this.#all())
      yield { id, path: this.#pathOf(route), stale: (route & STALE) !== 0 };
    return undefined;
  }

  *#all(): Generator<{ readonly id: number; readonly route: number }, undefined> {
    for (const id of this.#routes.ids()) for (const route of this.#routesAt(id)) yield { id, route };
    return undefined;
  }

  /** A copy: it may change while it is walked. */
  #routesAt(id: number): readonly number[] {
    const slot = this.#routes.get(id);
    if (slot === 0) return [];
    return slot === SEVERAL ? [...(this.#lists.get(id) ?? [])] : [slot];
  }

  #pathOf(route: number): Path {
    return this.#table.at((route >>> 1) - 1);
  }

  /** The route with this path id; 0 = none. */
  #find(id: number, pathId: number): number {
    const slot = this.#routes.get(id);
    if (slot === 0) return 0;
    if (slot !== SEVERAL) return this.#pathOf(slot).pathId === pathId ? slot : 0;
    return this.#lists.get(id)?.find((route) => this.#pathOf(route).pathId === pathId) ?? 0;
  }

  /** The path that import makes of an announcement; the caller owns one reference. */
  #judge(of: Omit<PathIdentity, 'attributes' | 'rejected'>, id: number): Path {
    const { received, source } = of;
    const nextHop = of.announcedNextHop ?? of.nextHop;
    if (this.#import.passesUnread?.(received, nextHop) === true)
      return this.#intern(of, nextHop, received, undefined);
    const { attributes } = received;
    const prefix = this.#index.prefix(id) as Prefix;
    const result = this.#import.judge({ prefix, source, nextHop, attributes });
    if (!result.accepted) return this.#intern(of, nextHop, received, result.reason);
    const { setNextHop } = result;
    if (result.attributes === attributes) return this.#intern(of, nextHop, received, undefined, setNextHop);
    const changed = this.#pool.intern(result.attributes);
    const path = this.#intern(of, nextHop, changed, undefined, setNextHop);
    this.#pool.release(changed);
    return path;
  }

  #intern(
    { source, pathId, received }: Omit<PathIdentity, 'attributes' | 'rejected'>,
    announced: NextHop | undefined,
    attributes: AttributeSet,
    rejected: string | undefined,
    setNextHop?: NextHop,
  ): Path {
    const nextHop = setNextHop ?? announced;
    const announcedNextHop = setNextHop === undefined ? undefined : announced;
    return this.#table.intern({ source, pathId, nextHop, announcedNextHop, received, attributes, rejected });
  }

  /** Takes over the caller's reference to the id. */
  #place(id: number, path: Path, sink: ChangeSink): void {
    const route = routeTo(path);
    const slot = this.#routes.get(id);
    if (slot === route) this.#index.release(id);
    else if (slot === 0) this.#add(id, path, sink);
    else this.#placeAt(id, this.#find(id, path.pathId), path, sink);
  }

  #placeAt(id: number, before: number, path: Path, sink: ChangeSink): void {
    if (before === 0) this.#add(id, path, sink);
    else if ((before & ~STALE) === routeTo(path)) {
      this.#index.release(id);
      this.#store(id, before, before & ~STALE);
      this.#tally(before, -1);
      this.#tally(before & ~STALE, 1);
    } else this.#replace(id, before, routeTo(path), sink);
  }

  #add(id: number, path: Path, sink: ChangeSink): void {
    this.#table.retain(path.number);
    this.#store(id, 0, routeTo(path));
    this.#tally(routeTo(path), 1);
    sink.changed(id, undefined, path);
  }

  /** Takes over the caller's reference to the id. */
  #replace(id: number, before: number, after: number, sink: ChangeSink): void {
    const [old, path] = [this.#pathOf(before), this.#pathOf(after)];
    this.#table.retain(path.number);
    this.#index.release(id);
    this.#store(id, before, after);
    this.#tally(before, -1);
    this.#tally(after, 1);
    sink.changed(id, old, path);
    this.#table.release(old.number);
  }

  #takeOut(id: number, route: number, sink: ChangeSink): void {
    const old = this.#pathOf(route);
    this.#store(id, route, 0);
    this.#tally(route, -1);
    sink.changed(id, old, undefined);
    this.#table.release(old.number);
    this.#index.release(id);
  }

  #takeOutAll(sink: ChangeSink, condemned: (route: number) => boolean): void {
    for (const { id, route } of this.#all()) if (condemned(route)) this.#takeOut(id, route, sink);
  }

  #tally(route: number, by: 1 | -1): void {
    const stale = (route & STALE) !== 0;
    this.#count += by;
    if (stale) this.#stale += by;
    if (this.#pathOf(route).rejected !== undefined) return;
    this.#accepted += by;
    if (stale) this.#staleAccepted += by;
  }

  /** Puts one route in the place of another of the same prefix; 0 stands for none. */
  #store(id: number, before: number, after: number): void {
    const slot = this.#routes.get(id);
    if (slot === before) this.#routes.set(id, after);
    else if (slot !== SEVERAL) {
      this.#routes.set(id, SEVERAL);
      this.#lists.set(id, [slot, after]);
    } else this.#storeBeside(id, before, after);
  }

  #storeBeside(id: number, before: number, after: number): void {
    const list = this.#lists.get(id) ?? [];
    if (before === 0) list.push(after);
    else if (after !== 0) list[list.indexOf(before)] = after;
    else list.splice(list.indexOf(before), 1);
    const [only] = list;
    if (list.length !== 1 || only === undefined) return;
    this.#lists.delete(id);
    this.#routes.set(id, only);
  }
}

function routeTo(path: Path): number {
  return (path.number + 1) * 2;
}

class LastChange implements ChangeSink {
  change: PathChange | undefined;

  changed(id: number, before: Path | undefined, after: Path | undefined): void {
    this.change = { id, before, after };
  }
}

/** Prefixes that are values already. */
export class NlriList implements NlriSource {
  readonly #list: readonly { readonly prefix: Prefix; readonly pathId?: number }[];
  #next = 0;
  version: 4 | 6 = 4;
  length = 0;
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;
  pathId = 0;

  constructor(list: readonly { readonly prefix: Prefix; readonly pathId?: number }[]) {
    this.#list = list;
  }

  next(): boolean {
    const nlri = this.#list[this.#next++];
    if (nlri === undefined) return false;
    const { prefix } = nlri;
    this.pathId = nlri.pathId ?? 0;
    this.version = prefix.version;
    this.length = prefix.length;
    this.w0 = prefix.w0 | 0;
    this.w1 = prefix.w1 | 0;
    this.w2 = prefix.w2 | 0;
    this.w3 = prefix.w3 | 0;
    return true;
  }
}
