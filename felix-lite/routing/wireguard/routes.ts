/**
 * The routing table of WireGuard and the rule that leads to it.
 *
 * Whose is it? Routes of protocol 81 in the table; rules of protocol 81 that lead unmarked packets to a table, and a rule that
 * is just as ours would be, which Calico may have made.
 */
import type { IpVersion } from '../../../net/addr/index.ts';
import {
  makeRoute,
  type Netlink,
  type Route,
  type RouteChange,
  type Rule,
  routeKey,
  sameRoute,
} from '../../../net/kernel/index.ts';
import type { Problem } from '../../../api/index.ts';
import { PROTOCOL_FELIX } from '../kernel.ts';
import type { KernelReads } from '../mirror.ts';
import { routeRefused, told } from '../refusals.ts';
import type { TunnelledRoute } from './plan.ts';

/**
 * @param device  index of the WireGuard device
 * @param known  what the kernel has
 */
export async function applyTable(
  netlink: Netlink,
  version: IpVersion,
  table: number,
  device: number,
  routes: readonly TunnelledRoute[],
  known: Pick<KernelReads, 'listRoutes'> = netlink,
): Promise<{ readonly steps: number; readonly problems: readonly Problem[] }> {
  const wanted = new Map(
    routes.map((each) => {
      const route = routeOf(each, table, device);
      return [routeKey(route), route];
    }),
  );
  // Listed routes name their interface; a name is as good as the index of the one device there is.
  const name = (await netlink.getLink(device))?.name;
  const actual = await known.listRoutes({ version, table, protocol: PROTOCOL_FELIX });
  const there = new Map(actual.map((route) => [routeKey(route), route]));
  const changes = [...wanted].flatMap(([key, route]): readonly RouteChange[] => {
    const before = there.get(key);
    if (before === undefined) return [{ op: 'add', route }];
    if (sameRoute(named(route, name), before)) return [];
    if (before.type === route.type) return [{ op: 'replace', route }];
    // IPv6 would keep both.
    return [
      { op: 'delete', route: before },
      { op: 'add', route },
    ];
  });
  const removals = actual.filter((route) => !wanted.has(routeKey(route)));
  const outcomes = await netlink.applyRoutes([
    ...changes,
    ...removals.map((route): RouteChange => ({ op: 'delete', route })),
  ]);
  const refused = outcomes.filter(({ change, error }) => error !== undefined && change.op !== 'delete');
  return {
    steps: changes.length + removals.length,
    problems: told(refused.map(({ change, error }) => routeRefused(change, error))),
  };
}

function routeOf({ prefix, to, source }: TunnelledRoute, table: number, device: number): Route {
  const ours = { destination: prefix, protocol: PROTOCOL_FELIX, table };
  if (to === 'around') return makeRoute({ ...ours, type: 'throw' });
  return makeRoute({
    ...ours,
    nextHops: [{ interface: device }],
    ...(source === undefined ? {} : { source }),
  });
}

function named(route: Route, name: string | undefined): Route {
  return name === undefined
    ? route
    : { ...route, nextHops: route.nextHops.map((hop) => ({ ...hop, interface: name })) };
}

/** @param wanted  undefined: none of ours stays */
export async function applyRule(
  netlink: Netlink,
  version: IpVersion,
  wanted: { readonly priority: number; readonly table: number; readonly mark: number } | undefined,
): Promise<number> {
  const rules = await netlink.listRules(version);
  let steps = 0;
  let stands = false;
  for (const rule of rules) {
    if (wanted !== undefined && fits(rule, wanted)) stands = true;
    else if (isOurs(rule) && (await netlink.deleteRule(rule))) steps++;
  }
  if (wanted === undefined || stands) return steps;
  const { priority, table, mark } = wanted;
  await netlink.addRule({
    version,
    priority,
    table,
    mark,
    mask: mark,
    not: true,
    protocol: PROTOCOL_FELIX,
    other: false,
  });
  return steps + 1;
}

function isOurs({ protocol, not, other }: Rule): boolean {
  return protocol === PROTOCOL_FELIX && not && !other;
}

function fits(
  rule: Rule,
  { priority, table, mark }: { readonly priority: number; readonly table: number; readonly mark: number },
): boolean {
  return (
    rule.priority === priority &&
    rule.table === table &&
    rule.mark === mark &&
    rule.mask === mark &&
    rule.not &&
    !rule.other
  );
}
