/**
 * How packets get to a BGP next hop. One on a connected subnet is its own gateway; one further away is reached by the
 * gateway of the longest matching route (RFC 4271 §5.1.3, §9.1.2.1; BIRD's `gateway recursive`): of those that others
 * have put into the kernel (static, from an IGP, the default route included) and of those that we learned by BGP. None is
 * resolved over itself, however long the circle.
 */
import type { Address, Prefix } from '../../net/addr/index.ts';
import type { ForwardingEntry } from '../speaker/ports.ts';
import type { Learned } from './learned.ts';
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

/** Routes over routes over routes. */
const DEEPEST = 8;

export class Ways {
  readonly #ways: readonly Way[];
  readonly #learned: Learned | undefined;
  /** Next hops asked for so far. */
  readonly #resolved = new Map<
    string,
    { readonly nextHop: Address; readonly gateways: readonly Address[] }
  >();
  /** Of those, what is on no connected subnet. */
  readonly #distant: Address[] = [];
  #inOrder = true;

  /** Links asked for so far. */
  readonly #links = new Map<string, { readonly address: Address; readonly link: string | undefined }>();

  constructor(ways: readonly Way[], learned?: Learned) {
    this.#ways = ways;
    this.#learned = learned;
  }

  /**
   * What to write for an entry. A next hop without a way stays as it is: the kernel will refuse it, in its own words. One
   * behind a tunnel is not resolved: where the outer packet goes is decided when it is sent.
   *
   * @param tunnelTo  name of the tunnel device that leads to a next hop
   */
  resolve(entry: ForwardingEntry, tunnelTo: (nextHop: Address) => string | undefined): TableEntry {
    if (entry.type !== 'unicast') return entry;
    const gateways = new Map<string, Address>();
    const tunnelled: Address[] = [];
    let device: string | undefined;
    for (const nextHop of entry.gateways) {
      const tunnel = tunnelTo(nextHop);
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

  /** A next hop that has been asked for may be reached another way when a route of ours to this prefix comes or goes. */
  mayLeadBy(prefix: Prefix): boolean {
    if (this.#distant.length === 0) return false;
    if (!this.#inOrder) this.#distant.sort((a, b) => a.compare(b));
    this.#inOrder = true;
    // The first one that is not below the prefix is in it, or none is.
    let [from, to] = [0, this.#distant.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((this.#distant[middle]?.compare(prefix.address) ?? 0) < 0) from = middle + 1;
      else to = middle;
    }
    const first = this.#distant[from];
    return first !== undefined && prefix.contains(first);
  }

  /** Next hops are looked for anew. */
  forget(): void {
    this.#resolved.clear();
    this.#distant.length = 0;
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
    const gateways = this.#find(nextHop, []);
    this.#resolved.set(key, { nextHop, gateways });
    if (!this.#isConnected(nextHop)) {
      this.#distant.push(nextHop);
      this.#inOrder = false;
    }
    return gateways;
  }

  /** @param over  prefixes of ours that the search came by */
  #find(nextHop: Address, over: readonly Prefix[]): readonly Address[] {
    const way = this.#lookup(nextHop);
    if (way !== undefined && way.gateways.length === 0) return [nextHop];
    if (over.length < DEEPEST)
      for (const { prefix, gateways } of this.#learned?.covering(nextHop, way?.prefix.length ?? -1) ?? []) {
        if (over.some((each) => each.equals(prefix))) continue;
        const found = gateways
          .filter((gateway) => !gateway.equals(nextHop) && !over.some((each) => each.contains(gateway)))
          .flatMap((gateway) => this.#find(gateway, [...over, prefix]))
          .filter((gateway) => this.#isConnected(gateway));
        if (found.length > 0) return distinct(found);
      }
    return way === undefined ? [nextHop] : way.gateways;
  }

  #isConnected(address: Address): boolean {
    return this.#lookup(address)?.gateways.length === 0;
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

function distinct(addresses: readonly Address[]): readonly Address[] {
  return [...new Map(addresses.map((address) => [address.toString(), address])).values()];
}

function isBetter(a: Way, b: Way): boolean {
  return a.prefix.length > b.prefix.length || (a.prefix.length === b.prefix.length && a.metric < b.metric);
}
