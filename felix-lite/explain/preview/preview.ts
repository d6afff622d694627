/**
 * Which flows a change of resources opens or closes: the evaluator's verdicts before and after, over all pairs of
 * workloads and addresses that rules name, and all kinds of traffic that rules tell apart. Those that nothing tells apart
 * are judged once, so thousands of pods are as many pairs as there are kinds of them. Pure.
 */
import type { Resource, Rule, WorkloadEndpoint } from '../../../api/index.ts';
import type { IpVersion } from '../../../net/addr/index.ts';
import { type Direction, judge, tiersOf } from '../evaluate.ts';
import { World } from '../world.ts';
import { groupPeers, type Member, type Peers } from './peers.ts';
import { type Traffic, traffics, trafficOf, type Words, wordsOf } from './traffic.ts';

export interface FlowChange {
  readonly change: 'opens' | 'closes';
  /** Places in {@link Preview.peers}. */
  readonly from: number;
  readonly to: number;
  /** `TCP 5432`, `UDP`, `all traffic`; with ` (IPv6)` where it is so for one IP version only. */
  readonly traffic: readonly string[];
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
}

const LIMIT = 1_000_000;

export function previewChange(
  resourcesBefore: readonly Resource[],
  resourcesAfter: readonly Resource[],
  { names, limit = LIMIT }: PreviewOptions,
): Preview {
  const worlds = [new World(resourcesBefore), new World(resourcesAfter)] as const;
  const { peers, left } = groupPeers(...worlds, names);
  const known = new Sides(worlds);
  const sides = peers.map((each) => ({
    egress: known.of(each, 'egress'),
    ingress: known.of(each, 'ingress'),
  }));
  const flows: FlowChange[] = [];
  const kinds = new Map<string, readonly Traffic[]>();
  let [all, judged, packets] = [0, 0, 0];
  for (const [from, source] of peers.entries())
    for (const [to, destination] of peers.entries()) {
      const [egress, ingress] = [sides[from]!.egress, sides[to]!.ingress];
      if (!egress.changes && !ingress.changes) continue;
      const ends = endsOf(source, destination, from === to);
      if (ends === undefined) continue;
      all++;
      if (packets >= limit) continue;
      judged++;
      const found = ([4, 6] as const).map((version): Changed | undefined => {
        const key = `${version} ${egress.id} ${ingress.id}`;
        const traffic = kinds.get(key) ?? trafficOf(egress.words, ingress.words, version);
        kinds.set(key, traffic);
        const changed = compare(worlds, ends, version, traffic, {
          egress: egress.changes,
          ingress: ingress.changes,
        });
        if (changed !== undefined) packets += traffic.length;
        return changed;
      });
      flows.push(...told(found[0], found[1]).map((each) => ({ ...each, from, to })));
    }
  return {
    peers: peers.map((each) => each.names),
    flows,
    pairs: { all, judged },
    addressesLeft: left,
  };
}

/** What policies of others may ask about: where it is the same, only policies themselves have changed. */
function surroundings({ parties, slices }: World): string {
  return JSON.stringify([parties.map((each) => ({ ...each, prefixes: each.prefixes.map(String) })), slices]);
}

interface Side {
  /** Of the words: equal where they are. */
  readonly id: number;
  readonly words: Words;
  /** Its verdicts may differ before and after. */
  readonly changes: boolean;
}

/** Many meet the same rules, whose words are then found once. */
class Sides {
  readonly #worlds: readonly [World, World];
  readonly #sameAround: boolean;
  readonly #known = new Map<string, Omit<Side, 'changes'>>();

  constructor(worlds: readonly [World, World]) {
    this.#worlds = worlds;
    this.#sameAround = surroundings(worlds[0]) === surroundings(worlds[1]);
  }

  of({ members: [member] }: Peers, direction: Direction): Side {
    const asked = this.#worlds.map((world, index) => askedOf(world, member?.workload?.[index], direction));
    const rules = asked.flatMap(({ rules: each }) => each);
    const text = JSON.stringify(rules);
    const known = this.#known.get(text) ?? { id: this.#known.size, words: wordsOf(rules, this.#worlds) };
    this.#known.set(text, known);
    const same = this.#sameAround && asked[0]?.text === asked[1]?.text;
    return { ...known, changes: member?.workload !== undefined && !same };
  }
}

/** All that decides at a workload in one direction, in order. */
function askedOf(
  world: World,
  workload: WorkloadEndpoint | undefined,
  direction: Direction,
): { readonly text: string; readonly rules: readonly Rule[] } {
  if (workload === undefined) return { text: '', rules: [] };
  const tiers = tiersOf(world, world.workload(workload), direction);
  const profiles = (workload.spec.profiles ?? []).map((name) => world.profiles.get(name) ?? name);
  const lists = [
    ...tiers.flatMap(({ policies }) => policies.map((policy) => policy.spec[direction] ?? [])),
    ...profiles.map((profile) => (typeof profile === 'string' ? [] : (profile.spec[direction] ?? []))),
  ];
  const text = JSON.stringify([
    tiers.map(({ name, defaultAction, policies }) => [
      name,
      defaultAction,
      policies.map(({ metadata, spec }) => [metadata.namespace, spec[direction]]),
    ]),
    profiles.map((profile) => (typeof profile === 'string' ? profile : profile.spec[direction])),
  ]);
  return { text, rules: lists.flat() };
}

type Ends = readonly [Member, Member];

/** Undefined where neither is a workload, or one alone would speak to itself. */
function endsOf(source: Peers, destination: Peers, same: boolean): Ends | undefined {
  const [from] = source.members;
  const to = destination.members[same ? 1 : 0];
  if (from === undefined || to === undefined) return undefined;
  return from.workload === undefined && to.workload === undefined ? undefined : [from, to];
}

interface Changed {
  readonly opens: readonly Traffic[];
  readonly closes: readonly Traffic[];
  readonly all: readonly Traffic[];
}

function compare(
  worlds: readonly [World, World],
  [from, to]: Ends,
  version: IpVersion,
  all: readonly Traffic[],
  changes: Readonly<Record<Direction, boolean>>,
): Changed | undefined {
  const [source, destination] = [from.addresses[version], to.addresses[version]];
  if (source === undefined || destination === undefined) return undefined;
  const opens: Traffic[] = [];
  const closes: Traffic[] = [];
  for (const traffic of all) {
    const packet = { source, destination, ...traffic.packet };
    const says = (index: 0 | 1, member: Member, direction: Direction): boolean => {
      const workload = member.workload?.[index];
      return workload === undefined || judge(worlds[index], workload, direction, packet).allowed;
    };
    const out = [says(0, from, 'egress'), changes.egress ? says(1, from, 'egress') : undefined] as const;
    const sent = [out[0], out[1] ?? out[0]] as const;
    if (!sent[0] && !sent[1]) continue;
    if (sent[0] === sent[1] && !changes.ingress) continue;
    const before = sent[0] && says(0, to, 'ingress');
    const after = sent[1] && says(1, to, 'ingress');
    if (before !== after) (after ? opens : closes).push(traffic);
  }
  return { opens, closes, all };
}

/** Both IP versions in one where they change alike. */
function told(
  four: Changed | undefined,
  six: Changed | undefined,
): readonly Pick<FlowChange, 'change' | 'traffic'>[] {
  return (['opens', 'closes'] as const).flatMap((change) => {
    const [v4, v6] = [four, six].map((each) =>
      each === undefined ? undefined : traffics(each[change], each.all),
    );
    const traffic = joined(v4, v6);
    return traffic.length === 0 ? [] : [{ change, traffic }];
  });
}

function joined(v4: readonly string[] | undefined, v6: readonly string[] | undefined): readonly string[] {
  if (v4 === undefined || v6 === undefined) return v4 ?? v6 ?? [];
  const both = v4.filter((text) => v6.includes(text));
  return [
    ...both,
    ...v4.filter((text) => !both.includes(text)).map((text) => word(text, 4)),
    ...v6.filter((text) => !both.includes(text)).map((text) => word(text, 6)),
  ];
}

/** What carries the name of its version in it needs no word more. */
function word(text: string, version: IpVersion): string {
  return text.startsWith('ICMP') ? text : `${text} (IPv${version})`;
}
