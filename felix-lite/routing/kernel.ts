/**
 * The kernel's routes of protocol 81, and who is behind our VXLAN devices: read, diff, apply. What is new comes before what
 * is old goes, and who is behind a tunnel is told before the first route leads there.
 *
 * Whose is it? Protocol 81 in the main table is felix-lite's, all of it. A route of protocol 80 (bgpd's, or Calico's Felix's)
 * or 12 (BIRD's) in the place of one of ours is replaced in one step; any other is a stranger's, and stays.
 */
import type { Problem } from '../../api/index.ts';
import {
  makeRoute,
  type NeighbourChange,
  type Netlink,
  type Route,
  type RouteChange,
  type RouteOutcome,
  routeKey,
  sameRoute,
  TABLE_MAIN,
} from '../../net/kernel/index.ts';
import type { KernelReads } from './mirror.ts';
import type { RouteWish, RoutingPlan, Vtep } from './plan.ts';
import { routeRefused, stranger, told } from './refusals.ts';

export const PROTOCOL_FELIX = 81;
const PREDECESSORS: readonly number[] = [80, 12];

export interface RoutesOutcome {
  readonly steps: number;
  readonly routes: number;
  /** Of another mode, until bgpd has taken their place. */
  readonly kept: number;
  /** That the kernel or somebody else's route keeps out. */
  readonly missing: number;
  readonly problems: readonly Problem[];
}

/** @param known  what the kernel has */
export async function applyRoutes(
  netlink: Netlink,
  plan: RoutingPlan,
  known: Pick<KernelReads, 'listRoutes'> = netlink,
): Promise<RoutesOutcome> {
  const wanted = new Map(plan.routes.map((wish) => keyed(routeOf(wish))));
  const actual = await known.listRoutes({ table: TABLE_MAIN, protocol: PROTOCOL_FELIX });
  const there = new Map(actual.map(keyed));
  const problems: Problem[] = [];
  const changes = [...wanted].flatMap(([key, route]) => changeTo(route, there.get(key)));
  const gone = actual.filter((route) => !wanted.has(routeKey(route)));
  const kept = gone.filter(
    ({ type, destination }) => type === 'unicast' && plan.handedOver.has(destination.toString()),
  );
  const refused = await aroundItself(netlink, await netlink.applyRoutes(changes), there);
  const inTheWay = refused.flatMap(({ change, error }) => (error?.code === 'EEXIST' ? [change.route] : []));
  const rest = refused.filter(({ error }) => error !== undefined && error.code !== 'EEXIST');
  const taken = inTheWay.length > 0 ? await takeOver(netlink, known, inTheWay) : { missing: 0, problems: [] };
  problems.push(...taken.problems);
  problems.push(...told(rest.map(({ change, error }) => routeRefused(change, error))));
  const removals = gone.filter((route) => !kept.includes(route));
  await netlink.applyRoutes(removals.map((route) => ({ op: 'delete', route })));
  return {
    steps: changes.length + removals.length,
    routes: wanted.size,
    kept: kept.length,
    missing: taken.missing + rest.filter(({ change }) => change.op !== 'delete').length,
    problems,
  };
}

function keyed(route: Route): [string, Route] {
  return [routeKey(route), route];
}

export function routeOf({ prefix, gateway, device, source }: RouteWish): Route {
  const ours = {
    destination: prefix,
    protocol: PROTOCOL_FELIX,
    ...(source === undefined ? {} : { source }),
  };
  if (gateway === undefined) return makeRoute({ ...ours, type: 'blackhole' });
  const hop = device === undefined ? { gateway } : { gateway, interface: device, onlink: true };
  return makeRoute({ ...ours, nextHops: [hop] });
}

/**
 * IPv6 looks for the way to a gateway that is said to be on the link too, and refuses when there is one over another device:
 * the old route itself, ours or a predecessor's, where the far end of a tunnel has its address in the block that it leads to.
 * Then it goes first.
 */
async function aroundItself(
  netlink: Netlink,
  outcomes: readonly RouteOutcome[],
  there: ReadonlyMap<string, Route>,
): Promise<readonly RouteOutcome[]> {
  const refused = outcomes.filter(
    ({ change: { op, route }, error }) =>
      error?.code === 'EINVAL' && op !== 'delete' && route.destination.version === 6,
  );
  if (refused.length === 0) return outcomes;
  const before = new Map(there);
  if (refused.some(({ change }) => change.op === 'add'))
    for (const route of await netlink.listRoutes({ table: TABLE_MAIN }))
      if (PREDECESSORS.includes(route.protocol)) before.set(...keyed(route));
  const again = new Set(refused.filter(({ change }) => before.has(routeKey(change.route))));
  const changes = [...again].flatMap(({ change: { route } }): readonly RouteChange[] => {
    const old = before.get(routeKey(route));
    return [...(old === undefined ? [] : [{ op: 'delete' as const, route: old }]), { op: 'add', route }];
  });
  const second = await netlink.applyRoutes(changes);
  return [
    ...outcomes.filter((each) => !again.has(each)),
    ...second.filter(({ change }) => change.op === 'add'),
  ];
}

function changeTo(wanted: Route, actual: Route | undefined): readonly RouteChange[] {
  if (actual === undefined) return [{ op: 'add', route: wanted }];
  if (sameRoute(wanted, actual)) return [];
  if (wanted.type === actual.type) return [{ op: 'replace', route: wanted }];
  // IPv6 would keep both.
  return [
    { op: 'delete', route: actual },
    { op: 'add', route: wanted },
  ];
}

/** Where somebody else's route stands in the place of ours. */
async function takeOver(
  netlink: Netlink,
  known: Pick<KernelReads, 'listRoutes'>,
  wanted: readonly Route[],
): Promise<Pick<RoutesOutcome, 'missing' | 'problems'>> {
  const table = new Map<string, Route>();
  for (const route of await known.listRoutes({ table: TABLE_MAIN }))
    if (route.protocol !== PROTOCOL_FELIX) table.set(routeKey(route), route);
  const strangers: Problem[] = [];
  const changes = wanted.flatMap((route): readonly RouteChange[] => {
    const other = table.get(routeKey(route));
    if (other === undefined) return [{ op: 'add', route }];
    if (PREDECESSORS.includes(other.protocol)) {
      if (other.type === route.type) return [{ op: 'replace', route }];
      return [
        { op: 'delete', route: other },
        { op: 'add', route },
      ];
    }
    strangers.push(stranger(route, other));
    return [];
  });
  const outcomes = await netlink.applyRoutes(changes);
  const refused = outcomes.filter(({ change, error }) => error !== undefined && change.op !== 'delete');
  return {
    missing: strangers.length + refused.length,
    problems: [...told(strangers), ...told(refused.map(({ change, error }) => routeRefused(change, error)))],
  };
}

/** Who is behind the device: `before` is carried out before routes, `after` when they are gone. */
export async function vtepChanges(
  known: Pick<KernelReads, 'listNeighbours' | 'listForwarding'>,
  link: number,
  vteps: readonly Vtep[],
): Promise<{ readonly before: readonly NeighbourChange[]; readonly after: readonly NeighbourChange[] }> {
  const neighbours = await known.listNeighbours(link);
  const there = new Map(neighbours.map((each) => [each.address.toString(), each]));
  const forwarding = await known.listForwarding(link);
  const behind = new Map(forwarding.map((each) => [each.mac, each.remote]));
  const before: NeighbourChange[] = [];
  const after: NeighbourChange[] = [];
  for (const { inner, mac, underlay } of vteps) {
    const key = inner.toString();
    const neighbour = there.get(key);
    if (behind.get(mac)?.equals(underlay) !== true)
      before.push({ type: 'forwarding', op: 'replace', entry: { link, mac, remote: underlay } });
    if (neighbour?.mac !== mac || neighbour.state !== 'permanent')
      before.push({ type: 'neighbour', op: 'replace', entry: { link, address: inner, mac } });
    there.delete(key);
    behind.delete(mac);
  }
  for (const { address, state } of there.values())
    if (state === 'permanent') after.push({ type: 'neighbour', op: 'delete', entry: { link, address } });
  for (const [mac, remote] of behind)
    after.push({ type: 'forwarding', op: 'delete', entry: { link, mac, remote } });
  return { before, after };
}
