/**
 * The host endpoints of a cluster before and after a change: which endpoint guards what at either time, and through which of
 * them what a workload sends or is sent may come. Pure.
 */
import type { HostEndpoint } from '../../../api/index.ts';
import { Address, type IpVersion } from '../../../net/addr/index.ts';
import { tiersOf } from '../evaluate.ts';
import { isForward, only } from '../guard.ts';
import type { World } from '../world.ts';

export type Addresses = Readonly<Partial<Record<IpVersion, Address>>>;

/** What is guarded by the endpoint of a name, of which there may be none at one of the two times. */
export interface Guarded {
  readonly node: string;
  readonly name: string;
  /** Before and after; undefined where nobody guards it. */
  readonly endpoints: readonly [HostEndpoint | undefined, HostEndpoint | undefined];
}

const EVERY_OTHER = '*';

export function guardedIn(worlds: readonly [World, World]): readonly Guarded[] {
  const byNode = worlds.map(({ hosts }) => Map.groupBy(hosts, ({ spec }) => spec.node));
  const nodes = new Set(byNode.flatMap((each) => [...each.keys()]));
  return [...nodes].sort().flatMap((node): readonly Guarded[] => {
    const [before, after] = byNode.map((each) => each.get(node) ?? []) as [HostEndpoint[], HostEndpoint[]];
    const names = new Set([...before, ...after].map(({ metadata }) => metadata.name));
    return [...names].sort().map((name) => ({
      node,
      name,
      endpoints: [guardFor(name, before, after), guardFor(name, after, before)],
    }));
  });
}

/**
 * Where an endpoint is not there, that of all other interfaces guards its interface; where two name one interface, the first
 * by name does.
 */
function guardFor(
  name: string,
  now: readonly HostEndpoint[],
  then: readonly HostEndpoint[],
): HostEndpoint | undefined {
  const named = (list: readonly HostEndpoint[]): HostEndpoint | undefined =>
    list.find(({ metadata }) => metadata.name === name);
  const interfaceName = (named(now) ?? named(then))?.spec.interfaceName;
  const sharing = now
    .filter(({ spec }) => interfaceName !== undefined && spec.interfaceName === interfaceName)
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  return sharing[0] ?? named(now) ?? now.find(({ spec }) => spec.interfaceName === EVERY_OTHER);
}

/** Whether interfaces of the node may have no endpoint both before and after: nobody tells a preview which there are. */
export function hasOpenInterfaces(guarded: readonly Guarded[]): boolean {
  return !guarded.some(({ name, endpoints }) =>
    endpoints.some((each) => each?.metadata.name === name && each.spec.interfaceName === EVERY_OTHER),
  );
}

/** Whether the endpoint has policy for what is forwarded, before or after. */
export function judgesForwarded({ endpoints }: Guarded, worlds: readonly [World, World]): boolean {
  return endpoints.some((endpoint, index) => {
    const world = worlds[index];
    if (endpoint === undefined || world === undefined) return false;
    const party = world.host(endpoint);
    return (
      [only('untracked'), only('preDNAT'), isForward].some(
        (wanted) => tiersOf(world, party, 'ingress', wanted).length > 0,
      ) || tiersOf(world, party, 'egress', isForward).length > 0
    );
  });
}

/** Of the host behind the endpoint: its own, else those of its node. */
export function addressesOfHost({ node, endpoints }: Guarded, world: World): Addresses {
  const own = endpoints.flatMap((each) => each?.spec.expectedIPs ?? []);
  const { bgp, addresses = [] } = world.nodes.get(node)?.spec ?? {};
  const known = [
    ...own,
    ...[bgp?.ipv4Address, bgp?.ipv6Address].filter((each) => each !== undefined),
    ...addresses.map(({ address }) => address),
  ].flatMap((text) => Address.parse(text.split('/')[0] ?? '') ?? []);
  const [v4, v6] = ([4, 6] as const).map((version) => known.find((each) => each.version === version));
  return { ...(v4 === undefined ? {} : { 4: v4 }), ...(v6 === undefined ? {} : { 6: v6 }) };
}
