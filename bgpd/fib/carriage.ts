/** What becomes of a route inside a pool: bare, through a tunnel, or left to felix-lite. Pure. */
import { type PoolRouting, encapsulationTo, IPIP_DEVICE, routingFor } from '../../api/encapsulation.ts';
import type { Address, Prefix } from '../../net/addr/index.ts';

export interface CarriageConfig {
  readonly pools: readonly PoolRouting[];
  /** That this node's own address is in, which CrossSubnet compares with. */
  readonly subnet: Prefix | undefined;
}

export class Carriage {
  readonly #config: CarriageConfig;

  constructor(config: CarriageConfig = { pools: [], subnet: undefined }) {
    this.#config = config;
  }

  /** How the pool that the prefix lies in is routed; undefined: it lies in none. */
  poolOf(prefix: Prefix): PoolRouting | undefined {
    return routingFor(this.#config.pools, prefix);
  }

  /** There are no pools to lie in. */
  get isPlain(): boolean {
    return this.#config.pools.length === 0;
  }

  /** Name of the tunnel device that leads to the next hop; undefined: none is needed. */
  tunnelTo(pool: PoolRouting | undefined, nextHop: Address): string | undefined {
    if (pool === undefined || nextHop.version !== 4) return undefined;
    return encapsulationTo(pool, this.#config.subnet, nextHop) === 'ipip' ? IPIP_DEVICE : undefined;
  }

  equals(other: Carriage): boolean {
    return JSON.stringify(this.#config) === JSON.stringify(other.#config);
  }
}

/** Why a route in the pool is not bgpd's to write; undefined where it is. */
export function leftTo(pool: PoolRouting | undefined): string | undefined {
  if (pool === undefined || pool.writer === 'bgpd') return undefined;
  return pool.writer === 'felix'
    ? `routes of IPPool ${pool.pool} are felix-lite's to write`
    : `programClusterRoutes leaves routes of IPPool ${pool.pool} to nobody`;
}
