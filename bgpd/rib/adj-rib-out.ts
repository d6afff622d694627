/**
 * Adj-RIB-Out of one update group and family (RFC 4271 §3.2): what its members have been told, per prefix, in the form
 * in which it left (attributes after export, next hop). It answers one question: given what shall be told now, which
 * routes have to go on the wire?
 *
 * Kept per source of the route, because a member is never told its own routes (split horizon): so a message holds routes
 * of one source only, and the member that is the source is left out.
 */
import type { NextHop, PathAttributes } from '../wire/types.ts';
import { sameNextHop } from './adj-rib-in.ts';
import type { AttributePool, AttributeSet } from './attributes.ts';
import type { PrefixIndex } from './prefix-index.ts';

/** One route as the group's members see it. */
export interface OutRoute {
  /** Id of the {@link Source} it came from. */
  readonly source: number;
  readonly attributes: AttributeSet;
  readonly nextHop: NextHop;
}

/** What a change asks for. Both may be needed: a new source has to be told nothing where it was told something before. */
export interface OutChange {
  /** Tell everyone but this route's own source. */
  readonly announce?: OutRoute;
  /** Take the prefix back. */
  readonly withdraw?: OutWithdraw;
}

/** From everyone but `except`, or only from `only`: ids of sources. */
export type OutWithdraw = { readonly except: number } | { readonly only: number };

export class AdjRibOut {
  readonly #index: PrefixIndex;
  readonly #pool: AttributePool;
  readonly #routes = new Map<number, OutRoute>();

  constructor(index: PrefixIndex, pool: AttributePool) {
    this.#index = index;
    this.#pool = pool;
  }

  get size(): number {
    return this.#routes.size;
  }

  get(id: number): OutRoute | undefined {
    return this.#routes.get(id);
  }

  entries(): IterableIterator<[number, OutRoute]> {
    return this.#routes.entries();
  }

  ids(): IterableIterator<number> {
    return this.#routes.keys();
  }

  /** Notes what the group shall be told; undefined where it has been told exactly that. */
  announce(id: number, source: number, attributes: PathAttributes, nextHop: NextHop): OutChange | undefined {
    const route: OutRoute = { source, attributes: this.#pool.intern(attributes), nextHop };
    const old = this.#routes.get(id);
    if (old === undefined) {
      this.#routes.set(this.#index.retain(id), route);
      return { announce: route };
    }
    this.#pool.release(old.attributes);
    this.#routes.set(id, route);
    if (old.source !== source) return { announce: route, withdraw: { only: source } };
    const same = old.attributes === route.attributes && sameNextHop(old.nextHop, nextHop);
    return same ? undefined : { announce: route };
  }

  /** The prefix has nothing for this group any more; undefined where it had nothing before. Call {@link release} after. */
  withdraw(id: number): OutChange | undefined {
    const old = this.#routes.get(id);
    if (old === undefined) return undefined;
    this.#routes.delete(id);
    this.#pool.release(old.attributes);
    return { withdraw: { except: old.source } };
  }

  /** Gives up the prefix id of a withdrawn route, once its prefix has been read. */
  release(id: number): void {
    this.#index.release(id);
  }

  clear(): void {
    for (const [id, route] of this.#routes) {
      this.#pool.release(route.attributes);
      this.#index.release(id);
    }
    this.#routes.clear();
  }
}
