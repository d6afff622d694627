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

  /** Why the route is not bgpd's to write; undefined where it is. */
  leftTo(prefix: Prefix): string | undefined {
    const routing = routingFor(this.#config.pools, prefix);
    if (routing === undefined || routing.writer === 'bgpd') return undefined;
    return routing.writer === 'felix'
      ? `routes of IPPool ${routing.pool} are felix-lite's to write`
      : `programClusterRoutes leaves routes of IPPool ${routing.pool} to nobody`;
  }

  /** It lies in a pool. */
  concerns(prefix: Prefix): boolean {
    return routingFor(this.#config.pools, prefix) !== undefined;
  }

  /** Name of the tunnel device that leads to the next hop; undefined: none is needed. */
  tunnelTo(prefix: Prefix, nextHop: Address): string | undefined {
    const routing = routingFor(this.#config.pools, prefix);
    if (routing === undefined || nextHop.version !== 4) return undefined;
    return encapsulationTo(routing, this.#config.subnet, nextHop) === 'ipip' ? IPIP_DEVICE : undefined;
  }

  equals(other: Carriage): boolean {
    return JSON.stringify(this.#config) === JSON.stringify(other.#config);
  }
}
