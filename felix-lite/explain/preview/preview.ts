/**
 * Which flows a change of resources opens or closes: the evaluator's verdicts before and after, over all pairs of
 * workloads, hosts and addresses that rules name, and all kinds of traffic that rules tell apart. Those that nothing tells
 * apart are judged once, so thousands of pods are as many pairs as there are kinds of them. Pure.
 */
import type { Resource, WorkloadEndpoint } from '../../../api/index.ts';
import type { IpVersion } from '../../../net/addr/index.ts';
import { DEFAULT_FAILSAFES, type Failsafes } from '../../rules/failsafe.ts';
import { World } from '../world.ts';
import type { Door, Member, Peers } from './group.ts';
import { groupPeers } from './peers.ts';
import { type Stop, Stops, type Time } from './stops.ts';
import { inBoth, type Traffic, traffics, trafficOf } from './traffic.ts';
import { byWay, type Told, type Way } from './ways.ts';

export interface FlowChange {
  readonly change: 'opens' | 'closes';
  /** Places in {@link Preview.peers}. */
  readonly from: number;
  readonly to: number;
  /** `TCP 5432`, `UDP`, `all traffic`; with ` (IPv6)` where it is so for one IP version only. */
  readonly traffic: readonly string[];
  /** By which interfaces of hosts, where it is not so by all that it may take. */
  readonly by?: string;
}

export interface Preview {
  /** Names of workloads, or of addresses outside, that are alike before and after. */
  readonly peers: readonly (readonly string[])[];
  readonly flows: readonly FlowChange[];
  /** Pairs of peers between which something might have changed, and how many of them were judged. */
  readonly pairs: { readonly all: number; readonly judged: number };
  /** Addresses that rules and sets name and that were not looked at for themselves. */
  readonly addressesLeft: number;
}

export interface PreviewOptions {
  readonly names: (endpoint: WorkloadEndpoint) => string;
  /** Packets that are judged at most; a packet is judged at most four times. */
  readonly limit?: number;
  /** Ports that no host endpoint of a node closes, as the resources of that time say; default: Calico's. */
  readonly failsafes?: (time: Time, node: string) => Failsafes;
}

const LIMIT = 1_000_000;

export function previewChange(
  resourcesBefore: readonly Resource[],
  resourcesAfter: readonly Resource[],
  { names, limit = LIMIT, failsafes = () => DEFAULT_FAILSAFES }: PreviewOptions,
): Preview {
  const worlds = [new World(resourcesBefore), new World(resourcesAfter)] as const;
  const { peers, left } = groupPeers(...worlds, { names, failsafes });
  const routes = new Routes(new Stops(worlds, failsafes));
  const flows: FlowChange[] = [];
  const kinds = new Map<string, readonly Traffic[]>();
  let [all, judged, packets] = [0, 0, 0];
  for (const [from, source] of peers.entries())
    for (const [to, destination] of peers.entries()) {
      const ends = endsOf(source, destination, from === to);
      if (ends === undefined) continue;
      const taken = routes.between(source, destination, ends);
      if (!taken.some(({ stops }) => stops.some(({ changes }) => changes))) continue;
      all++;
      if (packets >= limit) continue;
      judged++;
      const found = taken.map(({ way, stops }) => {
        const changed = ([4, 6] as const).map((version): Changed | undefined => {
          const key = `${version} ${stops.map(({ id }) => id).join(' ')}`;
          const traffic =
            kinds.get(key) ??
            trafficOf(
              stops.map(({ words }) => words),
              version,
            );
          kinds.set(key, traffic);
          const outcome = compare(stops, ends, version, traffic);
          if (outcome !== undefined) packets += traffic.length;
          return outcome;
        });
        return { way, changes: told(changed[0], changed[1]) };
      });
      flows.push(...byWay(found).map((each) => ({ ...each, from, to })));
    }
  return {
    peers: peers.map((each) => each.names),
    flows,
    pairs: { all, judged },
    addressesLeft: left,
  };
}

type Ends = readonly [Member, Member];

/** Undefined where both are outside, or one alone would speak to itself. */
function endsOf(source: Peers, destination: Peers, same: boolean): Ends | undefined {
  const [from] = source.members;
  const to = destination.members[same ? 1 : 0];
  if (from === undefined || to === undefined) return undefined;
  return isOutside(from) && isOutside(to) ? undefined : [from, to];
}

function isOutside({ workload, host }: Member): boolean {
  return workload === undefined && host === undefined;
}

/** One way that flows between two may take. */
interface Route {
  readonly way: Way;
  readonly stops: readonly Stop[];
}

const NO_DOOR: readonly (Door | undefined)[] = [undefined];

/** Stops of many flows, each made once. */
class Routes {
  readonly #stops: Stops;
  readonly #ofEnds = new Map<
    Member,
    { readonly egress: readonly Stop[]; readonly ingress: readonly Stop[] }
  >();
  readonly #ofDoors = new Map<Door, { readonly egress: Stop; readonly ingress: Stop }>();

  constructor(stops: Stops) {
    this.#stops = stops;
  }

  /** On one node nothing leaves it; between two, and to and from outside, it goes out and in by interfaces of hosts. */
  between(source: Peers, destination: Peers, [from, to]: Ends): readonly Route[] {
    const [first, last] = [this.#end(from).egress, this.#end(to).ingress];
    const [outs, ins] = [source, destination].map(({ doors }) => (doors.length === 0 ? NO_DOOR : doors)) as [
      readonly (Door | undefined)[],
      readonly (Door | undefined)[],
    ];
    const near = from.workload !== undefined && to.workload !== undefined && mayShare(source, destination);
    const isPlain = outs === NO_DOOR && ins === NO_DOOR;
    const far = mayBeApart(source, destination)
      ? outs.flatMap((out) =>
          ins.map((into): Route => {
            const doors = [
              ...(out === undefined ? [] : [this.#door(out).egress]),
              ...(into === undefined ? [] : [this.#door(into).ingress]),
            ];
            return { way: { out, into }, stops: [...first, ...doors, ...last] };
          }),
        )
      : [];
    if (!near || (isPlain && far.length > 0)) return far;
    return [{ way: { isNear: true }, stops: [...first, ...last] }, ...far];
  }

  #end(member: Member): { readonly egress: readonly Stop[]; readonly ingress: readonly Stop[] } {
    const known = this.#ofEnds.get(member);
    if (known !== undefined) return known;
    const { workload, host } = member;
    const stop = (direction: 'egress' | 'ingress'): readonly Stop[] =>
      workload !== undefined
        ? [this.#stops.ofWorkload(workload, direction)]
        : host !== undefined
          ? [this.#stops.ofHost(host, direction, 'host')]
          : [];
    const made = { egress: stop('egress'), ingress: stop('ingress') };
    this.#ofEnds.set(member, made);
    return made;
  }

  #door(door: Door): { readonly egress: Stop; readonly ingress: Stop } {
    const stop = (direction: 'egress' | 'ingress'): Stop =>
      this.#stops.ofHost(door.endpoints, direction, 'door');
    const made = this.#ofDoors.get(door) ?? { egress: stop('egress'), ingress: stop('ingress') };
    this.#ofDoors.set(door, made);
    return made;
  }
}

function mayShare({ nodes: a }: Peers, { nodes: b }: Peers): boolean {
  return [...a].some((node) => b.has(node));
}

function mayBeApart({ nodes: a }: Peers, { nodes: b }: Peers): boolean {
  return a.size !== 1 || b.size !== 1 || [...a][0] !== [...b][0];
}

interface Changed {
  readonly opens: readonly Traffic[];
  readonly closes: readonly Traffic[];
  readonly all: readonly Traffic[];
}

function compare(
  stops: readonly Stop[],
  [from, to]: Ends,
  version: IpVersion,
  all: readonly Traffic[],
): Changed | undefined {
  const [source, destination] = [from.addresses[version], to.addresses[version]];
  if (source === undefined || destination === undefined) return undefined;
  const opens: Traffic[] = [];
  const closes: Traffic[] = [];
  for (const traffic of all) {
    const packet = { source, destination, ...traffic.packet };
    let [before, after] = [true, true];
    for (const stop of stops) {
      const was = (before || !stop.changes) && stop.allows(0, packet);
      const is = stop.changes ? after && stop.allows(1, packet) : was;
      before &&= was;
      after &&= is;
      if (!before && !after) break;
    }
    if (before !== after) (after ? opens : closes).push(traffic);
  }
  return { opens, closes, all };
}

/** Both IP versions in one where they change alike. */
function told(four: Changed | undefined, six: Changed | undefined): readonly Told[] {
  return (['opens', 'closes'] as const).flatMap((change) => {
    const [v4, v6] = [four, six].map((each) =>
      each === undefined ? undefined : traffics(each[change], each.all),
    );
    const traffic = inBoth(v4, v6);
    return traffic.length === 0 ? [] : [{ change, traffic }];
  });
}
