/**
 * The kernel's main routing table, as the Fib sees it, over netlink.
 *
 * Whose is it? Protocol 80 in the main table is bgpd's, all of it (the agent's /32s of local workloads are protocol 3).
 * Only routes that stand where ours would (same prefix, and the metric that the kernel gives a route without one)
 * compete with us; others of the same prefix are no concern of ours.
 */
import type { Cancel } from '../../clock/clock.ts';
import { IPIP_DEVICE } from '../../api/encapsulation.ts';
import type { Prefix } from '../../net/addr/index.ts';
import {
  formatRoute,
  hasDefaultMetric,
  type KernelError,
  type KernelEvent,
  type Netlink,
  type Route,
  RouteBatch,
  type RouteSending,
  RouteTemplate,
  TABLE_MAIN,
} from '../../net/kernel/index.ts';
import type {
  RouteOwner,
  RouteTable,
  TableBatch,
  TableContents,
  TableOperation,
  TableRefusal,
  TableRoute,
} from '../fib/route-table.ts';
import type { TableEntry } from '../fib/table-entry.ts';
import type { Way } from '../fib/ways.ts';
import type { PrefixWords } from '../rib/prefix-index.ts';
import { PROTOCOL_BGPD, RouteMessages, routeOf } from './route-messages.ts';

export { PROTOCOL_BGPD };
/** Routes that come from the datastore instead of BGP; `felix-lite/routing/` writes them. */
const PROTOCOL_FELIX = 81;

type RouteSocket = Pick<Netlink, 'listRoutes' | 'sendRoutes' | 'getLink' | 'subscribe'>;

export interface TableWatcher {
  observe(prefix: Prefix, owner: RouteOwner, change: 'new' | 'deleted'): void;
  disturbed(): void;
}

export class KernelTable implements RouteTable {
  readonly #netlink: RouteSocket;
  readonly #messages = new RouteMessages();
  /** To be filled again. */
  readonly #spare: RouteBatch[] = [];

  constructor(netlink: RouteSocket) {
    this.#netlink = netlink;
  }

  async list(): Promise<TableContents> {
    const routes = await this.#netlink.listRoutes({ table: TABLE_MAIN });
    this.#messages.tunnelIs((await this.#netlink.getLink(IPIP_DEVICE))?.index);
    return { routes: routes.filter(inOurPlace).map(tableRoute), ways: routes.flatMap(wayOf) };
  }

  begin(): TableBatch {
    return new KernelBatch(this.#netlink, this.#messages, this.#spare);
  }

  /** Tells the watcher what others do to the table, until cancelled. */
  watch(watcher: TableWatcher): Cancel {
    return this.#netlink.subscribe(['route', 'link', 'address'], (event) => tell(watcher, event));
  }
}

class KernelBatch implements TableBatch {
  readonly #netlink: RouteSocket;
  readonly #messages: RouteMessages;
  readonly #spare: RouteBatch[];
  readonly #batch: RouteBatch;
  readonly #ops: TableOperation[] = [];
  readonly #entries: TableEntry[] = [];
  /** What no message could be made of, by place. */
  readonly #refused = new Map<number, KernelError>();
  #sending: RouteSending<KernelError> | undefined;
  #refusals: readonly TableRefusal[] | undefined;

  constructor(netlink: RouteSocket, messages: RouteMessages, spare: RouteBatch[]) {
    this.#netlink = netlink;
    this.#messages = messages;
    this.#spare = spare;
    this.#batch = spare.pop() ?? new RouteBatch();
  }

  add(op: TableOperation, prefix: PrefixWords, entry: TableEntry): void {
    const template = this.#messages.templateFor(op, prefix.version, entry);
    if (template instanceof RouteTemplate) {
      this.#batch.add(template, prefix);
      this.#ops.push(op);
      this.#entries.push(entry);
    } else this.#refused.set(this.#ops.length + this.#refused.size, template);
  }

  async send(): Promise<readonly TableRefusal[]> {
    this.#sending = this.#netlink.sendRoutes(this.#batch, (index) => this.#inWords(index));
    return this.#answered(await this.#sending.outcome);
  }

  poll(): readonly TableRefusal[] | undefined {
    const failures = this.#sending?.poll();
    return failures === undefined ? undefined : this.#answered(failures);
  }

  #answered(failures: ReadonlyMap<number, KernelError>): readonly TableRefusal[] {
    if (this.#refusals !== undefined) return this.#refusals;
    this.#batch.clear();
    this.#spare.push(this.#batch);
    const all = this.#refused.size === 0 ? failures : this.#withRefused(failures);
    this.#refusals = [...all].map(refusalOf).sort((a, b) => a.index - b.index);
    return this.#refusals;
  }

  #inWords(index: number): string {
    const [op, entry] = [this.#ops[index] as TableOperation, this.#entries[index] as TableEntry];
    return `route ${op} ${formatRoute({ ...routeOf(op, entry), destination: this.#batch.destination(index) })}`;
  }

  #withRefused(failures: ReadonlyMap<number, KernelError>): ReadonlyMap<number, KernelError> {
    const all = new Map(this.#refused);
    for (let message = 0, place = 0; message < this.#ops.length; place++) {
      if (this.#refused.has(place)) continue;
      const failure = failures.get(message++);
      if (failure !== undefined) all.set(place, failure);
    }
    return all;
  }
}

function tell(watcher: TableWatcher, event: KernelEvent): void {
  // IPv4 routes that go with their link or source address go without an event of their own.
  if (event.type !== 'route') return watcher.disturbed();
  const { route, change } = event;
  if (route.table !== TABLE_MAIN) return;
  // Others' routes of any metric matter: next hops are reached over them.
  if (ownerOf(route) !== 'ours' || inOurPlace(route))
    watcher.observe(route.destination, ownerOf(route), change);
}

/** Most are ours, and nobody asks for their text. */
function tableRoute(route: Route): TableRoute {
  return {
    prefix: route.destination,
    owner: ownerOf(route),
    entry: entryOf(route),
    get text() {
      return formatRoute(route);
    },
  };
}

const inOurPlace = hasDefaultMetric;

function ownerOf(route: Route): RouteOwner {
  if (route.protocol === PROTOCOL_BGPD) return 'ours';
  return route.protocol === PROTOCOL_FELIX ? 'kin' : 'other';
}

function entryOf(route: Route): TableEntry | undefined {
  if (route.type === 'blackhole') return { type: 'blackhole' };
  const plain = route.type === 'unicast' && route.nextHops.every(({ gateway }) => gateway !== undefined);
  if (!plain || route.nextHops.length === 0) return undefined;
  const through = route.nextHops.filter((hop) => hop.interface === IPIP_DEVICE);
  const bare = route.nextHops.filter((hop) => hop.interface !== IPIP_DEVICE);
  return {
    type: 'unicast',
    gateways: bare.flatMap(({ gateway }) => gateway ?? []),
    ...(through.length === 0
      ? {}
      : { tunnel: { device: IPIP_DEVICE, gateways: through.flatMap(({ gateway }) => gateway ?? []) } }),
  };
}

/** A route that may lead to a next hop: a stranger's, that does not reject. */
function wayOf(route: Route): Way[] {
  if (route.type !== 'unicast' || ownerOf(route) !== 'other') return [];
  const alive = route.nextHops.filter(({ down }) => down !== true);
  if (alive.length === 0) return [];
  const gateways = alive.flatMap(({ gateway }) => gateway ?? []);
  // Listed routes name their links; see net/kernel.
  const [link] = alive.flatMap((hop) => (typeof hop.interface === 'string' ? [hop.interface] : []));
  return [{ prefix: route.destination, gateways, metric: route.metric, link }];
}

function refusalOf([index, error]: readonly [number, KernelError]): TableRefusal {
  return { index, cause: causeOf(error), reason: error.problems[0]?.what ?? 'the kernel gave no reason' };
}

function causeOf({ code }: KernelError): TableRefusal['cause'] {
  if (code === 'EEXIST') return 'exists';
  return code === 'ESRCH' || code === 'ENOENT' ? 'absent' : 'refused';
}
