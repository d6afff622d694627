/**
 * What to aim at for each route: what is wanted of it, over the gateways of the moment, in the way that the pool it lies in is
 * carried, less what the kernel has refused. Pure.
 */
import type { PoolRouting } from '../../api/encapsulation.ts';
import type { Address, Prefix } from '../../net/addr/index.ts';
import { Carriage, type CarriageConfig, leftTo } from './carriage.ts';
import { Learned } from './learned.ts';
import { goalOf } from './plan.ts';
import type { Routes } from './routes.ts';
import type { TableEntry } from './table-entry.ts';
import { goalIn } from './wants.ts';
import { type Way, Ways } from './ways.ts';

export class Goals {
  readonly #routes: Routes;
  readonly learned: Learned;
  #ways: Ways;
  #carriage = new Carriage();
  /** Changes with what goals depend on beside what is wanted. */
  #epoch = 0;

  constructor(routes: Routes) {
    this.#routes = routes;
    this.learned = new Learned((prefix) => {
      // Inside a pool, what leads through a tunnel or is another's is no way to a next hop.
      const id = this.#carriage.poolOf(prefix) === undefined ? routes.find(prefix) : undefined;
      return id === undefined ? undefined : routes.want(id)?.entry;
    });
    this.#ways = new Ways([], this.learned);
  }

  /** Hot: asked thrice for each route. The same object as before where it says the same. */
  of(id: number): TableEntry | undefined {
    const want = this.#routes.want(id);
    if (want === undefined) return undefined;
    const pool = this.#poolOf(id);
    const goal = goalIn(this.#epoch, want, pool, (entry) =>
      leftTo(pool) === undefined
        ? this.#ways.resolve(entry, (nextHop) => this.#carriage.tunnelTo(pool, nextHop))
        : undefined,
    );
    const refusals = this.#routes.trouble(id)?.refusals ?? 0;
    return refusals === 0 ? goal : goalOf(goal, refusals);
  }

  /** Why a route to the prefix is not bgpd's to write; undefined where it is. */
  leftTo(prefix: Prefix): string | undefined {
    return leftTo(this.#carriage.poolOf(prefix));
  }

  /** It is wanted, and another's to write: what stands stays until that one has taken its place. */
  isHandedOver(id: number): boolean {
    return this.#routes.want(id)?.entry.type === 'unicast' && leftTo(this.#poolOf(id)) !== undefined;
  }

  /** @returns whether anything is different */
  carry(config: CarriageConfig): boolean {
    const carriage = new Carriage(config);
    if (carriage.equals(this.#carriage)) return false;
    this.#carriage = carriage;
    this.resolveAnew();
    return true;
  }

  /** @returns whether every link that was asked for is the same */
  setWays(ways: readonly Way[]): boolean {
    const before = this.#ways;
    this.#ways = new Ways(ways, this.learned);
    this.#epoch++;
    return before.leadsAlike(this.#ways);
  }

  /** Next hops are looked for anew. */
  resolveAnew(): void {
    this.#ways.forget();
    this.#epoch++;
  }

  /** See {@link Ways}. */
  mayLeadBy(prefix: Prefix): boolean {
    return this.#ways.mayLeadBy(prefix);
  }

  /** See {@link Ways}. */
  concerns(prefix: Prefix): boolean {
    return this.#ways.concerns(prefix);
  }

  linkTo(address: Address): string | undefined {
    return this.#ways.linkTo(address);
  }

  #poolOf(id: number): PoolRouting | undefined {
    return this.#carriage.isPlain ? undefined : this.#carriage.poolOf(this.#routes.prefix(id));
  }
}
