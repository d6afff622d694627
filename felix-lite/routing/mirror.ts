/**
 * The kernel's links, addresses, routes, neighbours and forwarding entries as this process knows them: read in full once, and kept
 * by what the kernel tells. In a cluster of 5,000 nodes a full read takes longer than all that is to be done; it is taken at
 * the start, when events were lost, where an event does not fit what we know, and when somebody says so
 * ({@link KernelMirror.forget}).
 *
 * The kernel puts events into the socket before it answers whoever caused them, so a question here is answered with all that
 * we have written ourselves.
 */
import {
  type ForwardingEntry,
  type KernelEvent,
  type Link,
  type LinkAddress,
  type Neighbour,
  type Netlink,
  type NextHop,
  PROTOCOL_KERNEL,
  type Route,
  type RouteFilter,
  routeKey,
  sameRoute,
  type Subscription,
} from '../../net/kernel/index.ts';

/** What a pass reads. {@link Netlink} answers the same from the kernel itself. */
export type KernelReads = Pick<
  Netlink,
  'listLinks' | 'listAddresses' | 'listRoutes' | 'listNeighbours' | 'listForwarding'
>;

/**
 * A table of routes must be named, and neighbours and entries must be asked for by the index of their device. Of neighbours only the
 * permanent ones are sure to be there: the kernel does not tell of those that it makes for multicast.
 */
export class KernelMirror implements KernelReads {
  readonly #netlink: Netlink;
  readonly #subscription: Subscription;
  #links: Map<number, Link> | undefined;
  #addresses: Map<string, LinkAddress> | undefined;
  /** By number of the table; see {@link keyOf}. */
  readonly #tables = new Map<number, Map<string, Route>>();
  /** By device, then by address. */
  readonly #neighbours = new Map<number, Map<string, Neighbour>>();
  /** By device, then by MAC address. */
  readonly #forwarding = new Map<number, Map<string, ForwardingEntry>>();
  /** What happens while something is read in full, to be told after. */
  #meanwhile: KernelEvent[] | undefined;
  #reading: Promise<unknown> = Promise.resolve();
  #reads = 0;

  /** @param listener  gets every event, as it comes */
  constructor(netlink: Netlink, listener: (event: KernelEvent) => void) {
    this.#netlink = netlink;
    this.#subscription = netlink.follow(['link', 'address', 'route', 'neighbour', 'rule'], (event) => {
      if (this.#meanwhile === undefined) this.#apply(event);
      else this.#meanwhile.push(event);
      listener(event);
    });
  }

  /** Full reads so far, of a kind of object each. */
  get reads(): number {
    return this.#reads;
  }

  close(): void {
    this.#subscription.cancel();
  }

  /** The next questions are answered by the kernel itself. */
  forget(): void {
    this.#links = this.#addresses = undefined;
    this.#tables.clear();
    this.#neighbours.clear();
    this.#forwarding.clear();
  }

  async listLinks(): Promise<Link[]> {
    await this.#subscription.catchUp();
    return [...(await this.#allLinks()).values()];
  }

  async listAddresses(link?: string | number): Promise<LinkAddress[]> {
    await this.#subscription.catchUp();
    const index = typeof link === 'string' ? await this.#indexOf(link) : link;
    const all = [...(this.#addresses ?? (await this.#readAddresses())).values()];
    return index === undefined ? all : all.filter((address) => address.link === index);
  }

  async listRoutes({ table, version, protocol }: RouteFilter): Promise<Route[]> {
    if (table === undefined) throw new TypeError('only the routes of one table are kept');
    await this.#subscription.catchUp();
    await this.#allLinks();
    const all = this.#tables.get(table) ?? (await this.#readTable(table));
    const found: Route[] = [];
    for (const route of all.values())
      if (
        (protocol === undefined || route.protocol === protocol) &&
        (version === undefined || route.destination.version === version)
      )
        found.push(route);
    return found;
  }

  async listNeighbours(link?: string | number): Promise<Neighbour[]> {
    if (typeof link !== 'number') throw new TypeError('only the neighbours of one device are kept');
    await this.#subscription.catchUp();
    return [...(this.#neighbours.get(link) ?? (await this.#readNeighbours(link))).values()];
  }

  async listForwarding(link: number): Promise<ForwardingEntry[]> {
    await this.#subscription.catchUp();
    return [...(this.#forwarding.get(link) ?? (await this.#readForwarding(link))).values()];
  }

  async #indexOf(name: string): Promise<number> {
    return [...(await this.#allLinks()).values()].find((link) => link.name === name)?.index ?? 0;
  }

  async #allLinks(): Promise<Map<number, Link>> {
    return (
      this.#links ??
      this.#read(
        async () => new Map((await this.#netlink.listLinks()).map((link) => [link.index, link])),
        (links) => {
          this.#links = links;
        },
      )
    );
  }

  #readAddresses(): Promise<Map<string, LinkAddress>> {
    return this.#read(
      async () => new Map((await this.#netlink.listAddresses()).map((each) => [addressKey(each), each])),
      (addresses) => {
        this.#addresses = addresses;
      },
    );
  }

  #readTable(table: number): Promise<Map<string, Route>> {
    return this.#read(
      async () => byKey(await this.#netlink.listRoutes({ table })),
      (routes) => {
        this.#tables.set(table, routes);
      },
    );
  }

  #readNeighbours(link: number): Promise<Map<string, Neighbour>> {
    return this.#read(
      async () =>
        new Map((await this.#netlink.listNeighbours(link)).map((each) => [each.address.toString(), each])),
      (neighbours) => {
        this.#neighbours.set(link, neighbours);
      },
    );
  }

  #readForwarding(link: number): Promise<Map<string, ForwardingEntry>> {
    return this.#read(
      async () => new Map((await this.#netlink.listForwarding(link)).map((each) => [each.mac, each])),
      (entries) => {
        this.#forwarding.set(link, entries);
      },
    );
  }

  /** One at a time: what happens meanwhile is told to what has been read by then. */
  #read<T>(read: () => Promise<T>, keep: (found: T) => void): Promise<T> {
    const result = this.#reading.then(async () => {
      this.#reads++;
      const meanwhile: KernelEvent[] = [];
      this.#meanwhile = meanwhile;
      try {
        const found = await read();
        keep(found);
        return found;
      } finally {
        this.#meanwhile = undefined;
        // In the list already, or newer than it: to be told again changes nothing.
        for (const event of meanwhile) this.#apply(event);
      }
    });
    this.#reading = result.catch(() => undefined);
    return result;
  }

  #apply(event: KernelEvent): void {
    switch (event.type) {
      case 'resync':
        return this.forget();
      case 'link':
        return this.#applyLink(event.change, event.link);
      case 'address':
        return this.#applyAddress(event.change, event.address);
      case 'route':
        return this.#applyRoute(event.change, event.route, event.replaces === true);
      case 'neighbour': {
        const { neighbour, change } = event;
        const known = this.#neighbours.get(neighbour.link);
        if (change === 'new') known?.set(neighbour.address.toString(), neighbour);
        else known?.delete(neighbour.address.toString());
        return undefined;
      }
      case 'forwarding': {
        const { entry, change } = event;
        const known = this.#forwarding.get(entry.link);
        if (change === 'new') known?.set(entry.mac, entry);
        else known?.delete(entry.mac);
        return undefined;
      }
      case 'rule':
        return undefined;
    }
  }

  #applyLink(change: 'new' | 'deleted', link: Link): void {
    const before = this.#links?.get(link.index);
    if (change === 'new') this.#links?.set(link.index, link);
    else this.#links?.delete(link.index);
    // Routes carry the names of their links.
    if (before !== undefined && before.name !== link.name) this.#tables.clear();
    if (change === 'new' && link.up) return;
    this.#loseRoutesOver(before ?? link);
    if (change === 'new') return;
    this.#neighbours.delete(link.index);
    this.#forwarding.delete(link.index);
    for (const [key, address] of this.#addresses ?? [])
      if (address.link === link.index) this.#addresses?.delete(key);
  }

  /** The kernel takes routes along with their link, those of IPv4 without a word. */
  #loseRoutesOver({ name, index }: Link): void {
    const isOver = (hop: NextHop): boolean => hop.interface === name || hop.interface === index;
    for (const [table, routes] of this.#tables)
      for (const [key, { nextHops }] of routes) {
        if (!nextHops.some(isOver)) continue;
        if (nextHops.length === 1) routes.delete(key);
        else this.#tables.delete(table);
      }
  }

  #applyAddress(change: 'new' | 'deleted', address: LinkAddress): void {
    if (change === 'new') {
      this.#addresses?.set(addressKey(address), address);
      return;
    }
    this.#addresses?.delete(addressKey(address));
    // Routes that have it as their source go with it without a word; all over the link do when it was the last.
    if (address.address.version === 4) this.#tables.clear();
  }

  #applyRoute(change: 'new' | 'deleted', told: Route, replaces: boolean): void {
    const routes = this.#tables.get(told.table);
    if (routes === undefined) return;
    const route = { ...told, nextHops: told.nextHops.map((hop) => this.#named(hop)) };
    const key = keyOf(route);
    const known = routes.get(key);
    if (routes.has(another(key)) || (known !== undefined && !isClear(change, known, route, replaces)))
      this.#tables.delete(told.table);
    else if (change === 'new') routes.set(key, route);
    else routes.delete(key);
  }

  #named(hop: NextHop): NextHop {
    if (typeof hop.interface !== 'number') return hop;
    const name = this.#links?.get(hop.interface)?.name;
    return name === undefined ? hop : { ...hop, interface: name };
  }
}

/**
 * What is told takes the place of what is known, or is that which goes. Otherwise there are several on the same prefix, or it is
 * about one next hop of several: the kernel knows which are left.
 */
function isClear(change: 'new' | 'deleted', known: Route, told: Route, replaces: boolean): boolean {
  if (change === 'new' && !replaces) return sameRoute(told, known);
  const one = known.nextHops.length <= 1 && told.nextHops.length <= 1;
  const sameWay = change === 'new' || sameRoute(told, known);
  return one && sameWay && known.protocol === told.protocol && known.type === told.type;
}

/** IPv6 keeps routes of different types beside each other, and those that the kernel makes for each link. */
function keyOf(route: Route): string {
  if (route.destination.version === 4) return routeKey(route);
  const links = route.protocol === PROTOCOL_KERNEL ? route.nextHops.map((hop) => hop.interface).join() : '';
  return `${routeKey(route)} ${route.type} ${links}`;
}

/** Where the second of two of the same key is kept: IPv4 can have them, appended. */
const another = (key: string): string => `${key} again`;

function byKey(routes: readonly Route[]): Map<string, Route> {
  const all = new Map<string, Route>();
  for (const route of routes) {
    const key = keyOf(route);
    // The kernel asks the first.
    all.set(all.has(key) ? another(key) : key, route);
  }
  return all;
}

function addressKey({ link, address, prefixLength }: LinkAddress): string {
  return `${link} ${address.toString()}/${prefixLength}`;
}
