/**
 * Adj-RIB-In of one peer and family (RFC 4271 §3.2): every path the peer advertises, as it came, with what our import
 * policy made of it. Rejected paths stay, so that a changed policy needs no route refresh.
 *
 * Marks for graceful restart live here (RFC 4724 §4.2): `markStale` when the peer goes, `sweepStale` when it has sent
 * everything again or its time is up.
 */
import type { Prefix } from '../../net/addr/index.ts';
import type { NextHop, PathAttributes } from '../wire/types.ts';
import type { AttributePool, AttributeSet } from './attributes.ts';
import type { Path, Source } from './path.ts';
import type { PrefixIndex } from './prefix-index.ts';

/** What import policy sees of a path. */
export interface Candidate {
  readonly prefix: Prefix;
  readonly source: Source;
  readonly nextHop: NextHop | undefined;
  readonly attributes: PathAttributes;
}

/** What it answers: the attributes to go on with (the same object where nothing changed), or why not. */
export type Imported =
  | { readonly accepted: true; readonly attributes: PathAttributes }
  | { readonly accepted: false; readonly reason: string };

export type Importer = (candidate: Candidate) => Imported;

/** A change for the Loc-RIB: the path that now stands under the id, the one that no longer does, or both. */
export interface PathChange {
  readonly id: number;
  readonly before: Path | undefined;
  readonly after: Path | undefined;
}

export class AdjRibIn {
  readonly #index: PrefixIndex;
  readonly #pool: AttributePool;
  #import: Importer;
  /** Prefix id -> paths; more than one only with ADD-PATH. */
  readonly #paths = new Map<number, Path[]>();
  #count = 0;
  #accepted = 0;
  #stale = 0;
  #staleAccepted = 0;

  constructor(index: PrefixIndex, pool: AttributePool, importer: Importer) {
    this.#index = index;
    this.#pool = pool;
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

  /** What the session that stands has said so far: without what is only kept from the one before it. */
  get fresh(): { readonly received: number; readonly accepted: number } {
    return { received: this.#count - this.#stale, accepted: this.#accepted - this.#staleAccepted };
  }

  /**
   * Takes the place of what the peer said before about the same prefix and path id (RFC 4271 §3.1).
   * @returns undefined where the peer only repeated itself, which takes a stale mark off and changes nothing
   */
  advertise(
    prefix: Prefix,
    pathId: number,
    source: Source,
    nextHop: NextHop,
    received: AttributeSet,
  ): PathChange | undefined {
    const known = this.#index.find(prefix);
    const before = known === undefined ? undefined : this.#find(known, pathId);
    if (before !== undefined && saysTheSame(before, source, nextHop, received)) {
      this.#refresh(before);
      return undefined;
    }
    const after = this.#evaluate(prefix, { source, pathId, nextHop, received });
    const id = known !== undefined && before !== undefined ? known : this.#index.acquire(prefix);
    this.#place(id, before, after);
    return { id, before, after };
  }

  /** Undefined where the peer withdrew what it never had. */
  withdraw(prefix: Prefix, pathId: number): PathChange | undefined {
    const id = this.#index.find(prefix);
    const before = id === undefined ? undefined : this.#find(id, pathId);
    return id === undefined || before === undefined ? undefined : this.#takeOut(id, before);
  }

  /** The session is gone but its routes are kept. A path that was kept already ends here (RFC 4724 §4.2). */
  markStale(): PathChange[] {
    const ended = this.sweepStale();
    for (const paths of this.#paths.values()) for (const path of paths) path.stale = true;
    this.#stale = this.#count;
    this.#staleAccepted = this.#accepted;
    return ended;
  }

  /** Removes what the peer has not sent again. */
  sweepStale(): PathChange[] {
    return this.#takeOutAll((path) => path.stale);
  }

  clear(): PathChange[] {
    return this.#takeOutAll(() => true);
  }

  /** Applies another import policy to everything held (soft reconfiguration); returns what came out differently. */
  reimport(importer: Importer): PathChange[] {
    this.#import = importer;
    const changes: PathChange[] = [];
    for (const [id, paths] of this.#paths) {
      const prefix = this.#index.prefix(id) as Prefix;
      for (const before of paths.slice()) {
        const after = this.#evaluate(prefix, before);
        if (after.attributes === before.attributes && after.rejected === before.rejected) this.#disown(after);
        else {
          this.#place(id, before, after);
          changes.push({ id, before, after });
        }
      }
    }
    return changes;
  }

  get(prefix: Prefix): readonly Path[] {
    const id = this.#index.find(prefix);
    return id === undefined ? [] : (this.#paths.get(id) ?? []);
  }

  *entries(): IterableIterator<{ readonly id: number; readonly path: Path }> {
    for (const [id, paths] of this.#paths) for (const path of paths) yield { id, path };
  }

  get stale(): number {
    return this.#stale;
  }

  #find(id: number, pathId: number): Path | undefined {
    return this.#paths.get(id)?.find((path) => path.pathId === pathId);
  }

  #evaluate(
    prefix: Prefix,
    of: Pick<Path, 'source' | 'pathId' | 'nextHop' | 'received'> & { stale?: boolean },
  ): Path {
    const { source, pathId, nextHop, received } = of;
    const result = this.#import({ prefix, source, nextHop, attributes: received.attributes });
    const changed = result.accepted && result.attributes !== received.attributes;
    return {
      source,
      pathId,
      nextHop,
      received: this.#pool.retain(received),
      attributes: changed ? this.#pool.intern(result.attributes) : this.#pool.retain(received),
      rejected: result.accepted ? undefined : result.reason,
      stale: of.stale ?? false,
      reachable: true,
      interiorCost: 0,
    };
  }

  #place(id: number, before: Path | undefined, after: Path): void {
    let paths = this.#paths.get(id);
    if (paths === undefined) {
      paths = [];
      this.#paths.set(id, paths);
    }
    if (before === undefined) {
      paths.push(after);
      this.#count++;
    } else {
      paths[paths.indexOf(before)] = after;
      this.#leave(before);
    }
    if (after.rejected === undefined) this.#accepted++;
    if (after.stale) this.#countStale(after, 1);
  }

  #takeOut(id: number, before: Path): PathChange {
    const left = (this.#paths.get(id) ?? []).filter((path) => path !== before);
    if (left.length === 0) this.#paths.delete(id);
    else this.#paths.set(id, left);
    this.#count--;
    this.#leave(before);
    this.#index.release(id);
    return { id, before, after: undefined };
  }

  #takeOutAll(condemned: (path: Path) => boolean): PathChange[] {
    const victims = [...this.entries()].filter(({ path }) => condemned(path));
    return victims.map(({ id, path }) => this.#takeOut(id, path));
  }

  #refresh(path: Path): void {
    if (path.stale) this.#countStale(path, -1);
    path.stale = false;
  }

  #countStale(path: Path, by: 1 | -1): void {
    this.#stale += by;
    if (path.rejected === undefined) this.#staleAccepted += by;
  }

  #leave(path: Path): void {
    if (path.rejected === undefined) this.#accepted--;
    if (path.stale) this.#countStale(path, -1);
    this.#disown(path);
  }

  #disown(path: Path): void {
    this.#pool.release(path.attributes);
    this.#pool.release(path.received);
  }
}

function saysTheSame(path: Path, source: Source, nextHop: NextHop, received: AttributeSet): boolean {
  return path.source === source && path.received === received && sameNextHop(path.nextHop, nextHop);
}

export function sameNextHop(a: NextHop | undefined, b: NextHop | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (!a.address.equals(b.address)) return false;
  if (a.linkLocal === undefined || b.linkLocal === undefined) return a.linkLocal === b.linkLocal;
  return a.linkLocal.equals(b.linkLocal);
}
