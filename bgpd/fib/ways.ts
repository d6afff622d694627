/**
 * How packets get to a BGP next hop: over the routes that others than we have put into the kernel (connected, static,
 * from an IGP). A next hop on a connected subnet is its own gateway; one further away is reached by the gateway of the
 * longest matching route, the default route included (RFC 4271 §5.1.3, §9.1.2.1; BIRD's `gateway recursive`). Routes we
 * learned by BGP never count: a next hop resolved over itself would circle.
 */
import type { Address, Prefix } from '../../net/addr/index.ts';
import type { ForwardingEntry } from '../speaker/ports.ts';
import type { Carriage } from './carriage.ts';
import type { TableEntry } from './table-entry.ts';

export interface Way {
  readonly prefix: Prefix;
  /** None: the prefix is on the link. */
  readonly gateways: readonly Address[];
  /** Lower wins among equal prefixes. */
  readonly metric: number;
  /** Name of the link that packets leave by; of several, the first. */
  readonly link?: string | undefined;
}

export class Ways {
  readonly #ways: readonly Way[];
  /** Next hops asked for so far. */
  readonly #resolved = new Map<
    string,
    { readonly nextHop: Address; readonly gateways: readonly Address[] }
  >();

  /** Links asked for so far. */
  readonly #links = new Map<string, { readonly address: Address; readonly link: string | undefined }>();

  constructor(ways: readonly Way[]) {
    this.#ways = ways;
  }

  /**
   * What to write for an entry. A next hop without a way stays as it is: the kernel will refuse it, in its own words. One
   * behind a tunnel is not resolved: where the outer packet goes is decided when it is sent.
   */
  resolve(prefix: Prefix, entry: ForwardingEntry | undefined, carriage: Carriage): TableEntry | undefined {
    if (entry?.type !== 'unicast') return entry;
    const [only] = entry.gateways;
    // Nearly all routes; asked thrice for each (bench routes).
    if (only !== undefined && entry.gateways.length === 1 && carriage.tunnelTo(prefix, only) === undefined) {
      const gateways = this.#gatewaysTo(only);
      return gateways[0] === only && gateways.length === 1 ? entry : { type: 'unicast', gateways };
    }
    const gateways = new Map<string, Address>();
    const tunnelled: Address[] = [];
    let device: string | undefined;
    for (const nextHop of entry.gateways) {
      const tunnel = carriage.tunnelTo(prefix, nextHop);
      if (tunnel === undefined)
        for (const gateway of this.#gatewaysTo(nextHop)) gateways.set(gateway.toString(), gateway);
      else {
        device = tunnel;
        tunnelled.push(nextHop);
      }
    }
    return {
      type: 'unicast',
      gateways: [...gateways.values()],
      ...(device === undefined ? {} : { tunnel: { device, gateways: tunnelled } }),
    };
  }

  /** A change of a route to this prefix may change what has been resolved. */
  concerns(prefix: Prefix): boolean {
    for (const { nextHop } of this.#resolved.values()) if (prefix.contains(nextHop)) return true;
    for (const { address } of this.#links.values()) if (prefix.contains(address)) return true;
    return false;
  }

  /** Over which link packets to the address go. */
  linkTo(address: Address): string | undefined {
    const key = address.toString();
    let known = this.#links.get(key);
    if (known === undefined) {
      known = { address, link: this.#lookup(address)?.link };
      this.#links.set(key, known);
    }
    return known.link;
  }

  /** The other gives the same answer to every {@link linkTo} that was asked here; it is then asked as much. */
  leadsAlike(other: Ways): boolean {
    let alike = true;
    for (const { address, link } of this.#links.values()) alike = other.linkTo(address) === link && alike;
    return alike;
  }

  #gatewaysTo(nextHop: Address): readonly Address[] {
    const key = nextHop.toString();
    const known = this.#resolved.get(key);
    if (known !== undefined) return known.gateways;
    const way = this.#lookup(nextHop);
    const gateways = way === undefined || way.gateways.length === 0 ? [nextHop] : way.gateways;
    this.#resolved.set(key, { nextHop, gateways });
    return gateways;
  }

  #lookup(nextHop: Address): Way | undefined {
    let best: Way | undefined;
    for (const way of this.#ways) {
      if (!way.prefix.contains(nextHop)) continue;
      if (best === undefined || isBetter(way, best)) best = way;
    }
    return best;
  }
}

function isBetter(a: Way, b: Way): boolean {
  return a.prefix.length > b.prefix.length || (a.prefix.length === b.prefix.length && a.metric < b.metric);
}
