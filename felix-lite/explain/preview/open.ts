/** What policy lets through between workloads as things are, in the words that previews use. Pure. */
import type { WorkloadEndpoint } from '../../../api/index.ts';
import { DEFAULT_FAILSAFES } from '../../rules/failsafe.ts';
import type { World } from '../world.ts';
import type { Member, Peers } from './group.ts';
import { groupPeers } from './peers.ts';
import { type Stop, Stops } from './stops.ts';
import { inBoth, type Traffic, traffics, trafficOf } from './traffic.ts';

/** Host endpoints on the way are left out: which of them a packet meets depends on more than its two ends. */
export class OpenFlows {
  readonly #stops: Stops;
  readonly #groups: ReadonlyMap<string, Peers>;
  readonly #known = new Map<Peers, Map<Peers, readonly string[]>>();

  /** @param names  of workloads, each its own */
  constructor(world: World, names: (endpoint: WorkloadEndpoint) => string) {
    this.#stops = new Stops([world, world], () => DEFAULT_FAILSAFES);
    const { peers } = groupPeers(world, world, { names, failsafes: () => DEFAULT_FAILSAFES });
    this.#groups = new Map(peers.flatMap((each) => each.names.map((name) => [name, each])));
  }

  /** `TCP 5432`, `all traffic`, each with ` (IPv6)` where it is so for one version only; empty where nothing passes. */
  between(from: string, to: string): readonly string[] {
    const [source, destination] = [this.#groups.get(from), this.#groups.get(to)];
    if (source === undefined || destination === undefined)
      throw new RangeError(`${from} or ${to} is unknown`);
    const ofSource = this.#known.get(source) ?? new Map<Peers, readonly string[]>();
    this.#known.set(source, ofSource);
    const known = ofSource.get(destination) ?? this.#judge(source, destination);
    ofSource.set(destination, known);
    return known;
  }

  #judge({ members: [from] }: Peers, { members }: Peers): readonly string[] {
    // Two that are alike are two, not one that speaks to itself.
    const to = members[0] === from ? members[1] : members[0];
    if (from?.workload === undefined || to?.workload === undefined) return [];
    const stops = [
      this.#stops.ofWorkload(from.workload, 'egress'),
      this.#stops.ofWorkload(to.workload, 'ingress'),
    ];
    const [v4, v6] = ([4, 6] as const).map((version) => passing(stops, from, to, version));
    return inBoth(v4, v6);
  }
}

/** Undefined where one of them has no address of the version. */
function passing(
  stops: readonly Stop[],
  from: Member,
  to: Member,
  version: 4 | 6,
): readonly string[] | undefined {
  const [source, destination] = [from.addresses[version], to.addresses[version]];
  if (source === undefined || destination === undefined) return undefined;
  const all: readonly Traffic[] = trafficOf(
    stops.map(({ words }) => words),
    version,
  );
  const open = all.filter(({ packet }) =>
    stops.every((stop) => stop.allows(0, { source, destination, ...packet })),
  );
  return traffics(open, all);
}
