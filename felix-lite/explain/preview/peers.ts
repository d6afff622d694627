/**
 * Who may be at the ends of flows, with those that no policy can tell apart made one: pods of one deployment, hosts behind
 * endpoints that are alike, addresses outside that the same rules name. Pure.
 */
import type { Resource, WorkloadEndpoint } from '../../../api/index.ts';
import type { Address, IpVersion, Prefix } from '../../../net/addr/index.ts';
import type { Failsafes } from '../../rules/failsafe.ts';
import type { World } from '../world.ts';
import { type Door, type Group, type Member, newGroup, type Peers } from './group.ts';
import {
  type Addresses,
  addressesOfHost,
  type Guarded,
  guardedIn,
  hasOpenInterfaces,
  judgesForwarded,
} from './hosts.ts';
import { outsidePeers, type OutsidePeers } from './outside.ts';
import { labelsIn, Nets, netsOf, placeOf, rulesIn, type Seen, traitsOf } from './seen.ts';
import { failsafesText, type Time, TIMES } from './stops.ts';

export interface PeersOptions {
  /** What workloads are called, the same before and after. */
  readonly names: (endpoint: WorkloadEndpoint) => string;
  /** Ports of a node's host that no policy closes. */
  readonly failsafes: (time: Time, node: string) => Failsafes;
}

export function groupPeers(before: World, after: World, options: PeersOptions): OutsidePeers {
  const worlds = [before, after] as const;
  const guarded = guardedIn(worlds);
  const rules = worlds.flatMap(rulesIn);
  const seen: Seen = {
    worlds,
    labels: labelsIn(worlds, rules),
    nets: new Nets([...rules.flatMap(netsOf), ...netsOfFailsafes(guarded, options)]),
  };
  const { peers: outside, left } = outsidePeers(worlds, seen.nets);
  const hosts = groupHosts(guarded, seen, outside, options);
  const doors = doorsOfNodes(guarded, hosts, worlds);
  const groups = new Map<string, Group>();
  const later = new Map(after.workloads.map((each) => [keyOf(each), each]));
  for (const workload of before.workloads) {
    const then = later.get(keyOf(workload));
    if (then === undefined) continue;
    const addresses = addressesOf(before.workload(workload).prefixes);
    const ways = doors.get(workload.spec.node) ?? [];
    const traits = [workload, then].map((each, time) =>
      traitsOf(worlds[time]!, worlds[time]!.workload(each), each.spec.profiles, seen),
    );
    const key = JSON.stringify([traits, placeOf(addresses, seen), ways.map(({ name }) => name)]);
    const group = groups.get(key) ?? newGroup(ways);
    groups.set(key, group);
    add(group, options.names(workload), workload.spec.node, { addresses, workload: [workload, then] });
  }
  return { peers: [...inOrder(groups.values()), ...inOrder(hosts.values()), ...outside], left };
}

function add(group: Group, name: string, node: string, member: Member): void {
  group.names.push(name);
  group.nodes.add(node);
  if (group.members.length < 2) group.members.push(member);
}

function inOrder(groups: Iterable<Group>): readonly Peers[] {
  const sorted = Array.from(groups, (each) => ({ ...each, names: each.names.sort() }));
  return sorted.sort((a, b) => (a.names[0]! < b.names[0]! ? -1 : 1));
}

/** By what they have in common; an address that no rule names stands for those that nobody knows. */
function groupHosts(
  guarded: readonly Guarded[],
  seen: Seen,
  outside: readonly Peers[],
  { failsafes }: PeersOptions,
): ReadonlyMap<string, Group> {
  const unnamed: Addresses = Object.assign(
    {},
    ...outside.slice(0, 2).map(({ members }) => members[0]?.addresses),
  );
  const groups = new Map<string, Group>();
  for (const each of guarded) {
    const known = { ...addressesOfHost(each, seen.worlds[1]) };
    const addresses = Object.keys(known).length === 0 ? unnamed : known;
    const key = hostKey(each, addresses, seen, failsafes);
    const group = groups.get(key) ?? newGroup();
    groups.set(key, group);
    add(group, nameOf(each), each.node, { addresses, host: each.endpoints });
  }
  return groups;
}

function hostKey(
  { endpoints, node }: Guarded,
  addresses: Addresses,
  seen: Seen,
  failsafes: PeersOptions['failsafes'],
): string {
  const traits = endpoints.map((each, time) =>
    each === undefined
      ? 'open'
      : traitsOf(seen.worlds[time]!, seen.worlds[time]!.host(each), each.spec.profiles, seen),
  );
  const open = TIMES.map((time) => failsafesText(failsafes(time, node)));
  return JSON.stringify([traits, placeOf(addresses, seen), open]);
}

/** Only of nodes of whose endpoints one has policy for what is forwarded. */
function doorsOfNodes(
  guarded: readonly Guarded[],
  groups: ReadonlyMap<string, Group>,
  worlds: readonly [World, World],
): ReadonlyMap<string, readonly Door[]> {
  const groupOf = new Map([...groups.values()].flatMap((group) => group.names.map((name) => [name, group])));
  const judges = new Map<Group, boolean>();
  const doors = new Map<string, readonly Door[]>();
  for (const [node, own] of Map.groupBy(guarded, (each) => each.node)) {
    const alike = new Set(own.flatMap((each) => groupOf.get(nameOf(each)) ?? []));
    for (const each of own) {
      const group = groupOf.get(nameOf(each));
      if (group !== undefined && !judges.has(group)) judges.set(group, judgesForwarded(each, worlds));
    }
    if (![...alike].some((group) => judges.get(group) === true)) continue;
    doors.set(node, [
      ...Array.from(alike, ({ names, members }) => ({
        name: names.length === 1 ? String(names[0]) : `${names[0] ?? ''} and ${names.length - 1} alike`,
        endpoints: members[0]?.host ?? OPEN,
      })),
      ...(hasOpenInterfaces(own) ? [{ name: 'other interfaces', endpoints: OPEN }] : []),
    ]);
  }
  return doors;
}

function nameOf({ name }: Guarded): string {
  return `host endpoint ${name}`;
}

const OPEN = [undefined, undefined] as const;

function netsOfFailsafes(guarded: readonly Guarded[], { failsafes }: PeersOptions): readonly string[] {
  return guarded.flatMap(({ node }) =>
    TIMES.flatMap((time) => {
      const { inbound, outbound } = failsafes(time, node);
      return [...inbound, ...outbound].flatMap(({ net }) => net?.toString() ?? []);
    }),
  );
}

function keyOf({ metadata }: Resource): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

function addressesOf(prefixes: readonly Prefix[]): Addresses {
  const of = (version: IpVersion): Address | undefined =>
    prefixes.find((prefix) => prefix.version === version)?.address;
  const [v4, v6] = [of(4), of(6)];
  return { ...(v4 === undefined ? {} : { 4: v4 }), ...(v6 === undefined ? {} : { 6: v6 }) };
}
