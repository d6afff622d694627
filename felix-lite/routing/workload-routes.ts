/**
 * Routes to this node's workloads: each address over its interface. The agent writes them when a workload comes; here they
 * are kept, whoever plugged the workload in, and floating IPs get theirs.
 *
 * Whose is it? In the main table, a single address over an interface with a workload's name, and the protocol that
 * `deviceRouteProtocol` says (3): ours. Others over such an interface go, too, unless `removeExternalRoutes` is off; the
 * kernel's own stay. What leads elsewhere is a stranger's and stays, but for bgpd's, felix-lite's and BIRD's, which lead to
 * where the workload was before it came here.
 */
import type { DeviceRoutes, Problem } from '../../api/index.ts';
import type { Millis } from '../../clock/clock.ts';
import type { Prefix } from '../../net/addr/index.ts';
import {
  formatRoute,
  type Link,
  makeRoute,
  type Netlink,
  PROTOCOL_KERNEL,
  type Route,
  type RouteChange,
  routeKey,
  sameRoute,
  TABLE_MAIN,
} from '../../net/kernel/index.ts';
import type { EndpointFacts } from './facts.ts';
import type { KernelReads } from './mirror.ts';
import { routeRefused, stranger, told } from './refusals.ts';
import type { RoutingSettings } from './settings.ts';

/** Of one address. */
export interface WorkloadRouteWish {
  readonly prefix: Prefix;
  readonly device: string;
}

export interface WorkloadRoutesOutcome {
  readonly steps: number;
  /** That are wanted and whose interface is there. */
  readonly routes: number;
  /** Interfaces that endpoints name and that are not there, or off. */
  readonly waiting: readonly string[];
  readonly problems: readonly Problem[];
}

/** bgpd's, felix-lite's, BIRD's. */
const YIELDING: readonly number[] = [80, 81, 12];
/** Who plugs a workload in writes its routes before its endpoint: what nobody wants yet is left so long. Calico's. */
const GRACE: Millis = 10_000;

/** Pure. Of two endpoints with one address, that with the first name has it. */
export function workloadRouteWishes(
  endpoints: readonly EndpointFacts[],
  { interfacePrefixes, floatingIps }: RoutingSettings,
): readonly WorkloadRouteWish[] {
  const wishes = new Map<string, WorkloadRouteWish>();
  for (const endpoint of [...endpoints].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const { interfaceName: device, addresses, floating } = endpoint;
    if (!interfacePrefixes.some((prefix) => device.startsWith(prefix))) continue;
    for (const { prefix } of [...addresses, ...(floatingIps ? floating : [])]) {
      const key = prefix.toString();
      if (!wishes.has(key)) wishes.set(key, { prefix, device });
    }
  }
  return [...wishes.values()];
}

export class WorkloadRoutes {
  readonly #netlink: Netlink;
  readonly #known: Pick<KernelReads, 'listLinks' | 'listRoutes'>;
  /** Routes that nobody wants, and since when. */
  readonly #unwanted = new Map<string, Millis>();

  /** @param known  what the kernel has */
  constructor(netlink: Netlink, known: Pick<KernelReads, 'listLinks' | 'listRoutes'> = netlink) {
    this.#netlink = netlink;
    this.#known = known;
  }

  /** Routes are left because their time has not come. */
  get waiting(): boolean {
    return this.#unwanted.size > 0;
  }

  async apply(
    wishes: readonly WorkloadRouteWish[],
    settings: RoutingSettings,
    now: Millis,
  ): Promise<WorkloadRoutesOutcome> {
    const links = new Map((await this.#known.listLinks()).map((link) => [link.name, link]));
    const actual = await this.#known.listRoutes({ table: TABLE_MAIN });
    const there = new Map(actual.map((route) => [routeKey(route), route]));
    const standing = wishes.filter(({ device }) => links.get(device)?.up === true);
    const wanted = new Map(
      standing.map((wish) => {
        const route = workloadRoute(wish, settings.workloads);
        return [routeKey(route), route];
      }),
    );
    const isWorkloads = (name: string): boolean =>
      settings.interfacePrefixes.some((prefix) => name.startsWith(prefix));
    const problems: Problem[] = [];
    const changes = [...wanted].flatMap(([key, route]): readonly RouteChange[] => {
      const other = there.get(key);
      if (other === undefined) return [{ op: 'add', route }];
      if (sameRoute(route, other)) return [];
      if (YIELDING.includes(other.protocol) || overOne(other, isWorkloads) !== undefined)
        return other.type === 'unicast'
          ? [{ op: 'replace', route }]
          : [
              { op: 'delete', route: other },
              { op: 'add', route },
            ];
      problems.push(stranger(route, other));
      return [];
    });
    const outcomes = await this.#netlink.applyRoutes(changes);
    const refused = outcomes.filter(({ change, error }) => error !== undefined && change.op !== 'delete');
    const stale = this.#stale(actual, wanted, standing, settings, isWorkloads, now);
    await this.#netlink.applyRoutes(stale.map((route) => ({ op: 'delete', route })));
    return {
      steps: changes.length + stale.length,
      routes: wanted.size,
      waiting: waitingFor(wishes, links),
      problems: [...told(problems), ...told(refused.map(({ change, error }) => routeRefused(change, error)))],
    };
  }

  /** What goes now: of wanted addresses what has another metric, and what has been wanted by nobody for long enough. */
  #stale(
    actual: readonly Route[],
    wanted: ReadonlyMap<string, Route>,
    standing: readonly WorkloadRouteWish[],
    { workloads, removeExternal }: RoutingSettings,
    isWorkloads: (name: string) => boolean,
    now: Millis,
  ): readonly Route[] {
    const addresses = new Set(standing.map(({ prefix }) => prefix.toString()));
    const gone = new Set(this.#unwanted.keys());
    const stale = actual.filter((route) => {
      const device = overOne(route, isWorkloads);
      if (device === undefined || wanted.has(routeKey(route)) || route.protocol === PROTOCOL_KERNEL)
        return false;
      if (!removeExternal && route.protocol !== workloads.protocol) return false;
      if (addresses.has(route.destination.toString())) return true;
      const key = formatRoute(route);
      gone.delete(key);
      const since = this.#unwanted.get(key) ?? now;
      this.#unwanted.set(key, since);
      return now - since >= GRACE;
    });
    for (const key of [...gone, ...stale.map(formatRoute)]) this.#unwanted.delete(key);
    return stale;
  }
}

export function workloadRoute(
  { prefix, device }: WorkloadRouteWish,
  { protocol, metric, source }: DeviceRoutes,
): Route {
  const from = source[prefix.version];
  return makeRoute({
    destination: prefix,
    protocol,
    metric: metric[prefix.version] ?? 0,
    nextHops: [{ interface: device }],
    ...(from === undefined ? {} : { source: from }),
  });
}

/** Name of the one workload's interface that it leads over. */
function overOne({ nextHops }: Route, isWorkloads: (name: string) => boolean): string | undefined {
  const [hop] = nextHops;
  const name = nextHops.length === 1 ? hop?.interface : undefined;
  return typeof name === 'string' && isWorkloads(name) ? name : undefined;
}

function waitingFor(
  wishes: readonly WorkloadRouteWish[],
  links: ReadonlyMap<string, Link>,
): readonly string[] {
  return [...new Set(wishes.map(({ device }) => device))].filter((device) => links.get(device)?.up !== true);
}
