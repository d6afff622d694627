/**
 * The places where a flow is asked about on its way, each with its verdict before and after a change: the egress policy of a
 * workload, the host endpoints that it leaves and comes by, the ingress policy of a workload, or that of the host itself. Pure.
 */
import type { HostEndpoint, Rule, WorkloadEndpoint } from '../../../api/index.ts';
import type { Failsafes } from '../../rules/failsafe.ts';
import { type Direction, judge, type Policy, tiersOf } from '../evaluate.ts';
import { Guard, isForward, only } from '../guard.ts';
import type { Packet } from '../packet.ts';
import type { Party, World } from '../world.ts';
import { type Words, wordsOf } from './traffic.ts';

export interface Stop {
  /** Equal where the words are. */
  readonly id: number;
  readonly words: Words;
  /** Its verdicts may differ before and after. */
  readonly changes: boolean;
  allows(time: Time, packet: Packet): boolean;
}

/** Before and after. */
export type Time = 0 | 1;
export const TIMES = [0, 1] as const;

/** What is asked of the node's host endpoint: of what is the host's own, or of what it forwards. */
export type Role = 'host' | 'door';

/** What decides, as text that is equal where the decisions are, and its rules. */
interface Asked {
  readonly text: string;
  readonly rules: readonly Rule[];
}

/** Many meet the same rules, whose words are then found once. */
export class Stops {
  readonly #worlds: readonly [World, World];
  readonly #failsafes: (time: Time, node: string) => Failsafes;
  readonly #sameAround: boolean;
  readonly #known = new Map<string, Pick<Stop, 'id' | 'words'>>();

  constructor(worlds: readonly [World, World], failsafes: (time: Time, node: string) => Failsafes) {
    this.#worlds = worlds;
    this.#failsafes = failsafes;
    this.#sameAround = surroundings(worlds[0]) === surroundings(worlds[1]);
  }

  ofWorkload(workloads: readonly [WorkloadEndpoint, WorkloadEndpoint], direction: Direction): Stop {
    const asked = TIMES.map((time) => askedOf(this.#worlds[time], workloads[time], direction));
    return this.#stop(
      asked,
      (time, packet) => judge(this.#worlds[time], workloads[time], direction, packet).allowed,
    );
  }

  /** Where there is no endpoint, all passes. */
  ofHost(
    endpoints: readonly [HostEndpoint | undefined, HostEndpoint | undefined],
    direction: Direction,
    role: Role,
  ): Stop {
    const asked = TIMES.map((time) => this.#askedOfHost(time, endpoints[time], direction, role));
    return this.#stop(asked, (time, packet) => {
      const endpoint = endpoints[time];
      if (endpoint === undefined) return true;
      const failsafes = this.#failsafes(time, endpoint.spec.node);
      const guard = new Guard(endpoint, { world: this.#worlds[time], failsafes, packet, steps: [] });
      if (role === 'host') return direction === 'ingress' ? guard.receives() : guard.sends();
      return direction === 'ingress' ? guard.admits() : guard.releases();
    });
  }

  #stop(asked: readonly Asked[], allows: Stop['allows']): Stop {
    const rules = asked.flatMap((each) => each.rules);
    const text = JSON.stringify(rules);
    const known = this.#known.get(text) ?? { id: this.#known.size, words: wordsOf(rules, this.#worlds) };
    this.#known.set(text, known);
    return { ...known, changes: !(this.#sameAround && asked[0]?.text === asked[1]?.text), allows };
  }

  #askedOfHost(time: Time, endpoint: HostEndpoint | undefined, direction: Direction, role: Role): Asked {
    if (endpoint === undefined) return { text: 'open', rules: [] };
    const world = this.#worlds[time];
    const party = world.host(endpoint);
    const places =
      role === 'door' && direction === 'egress'
        ? [isForward]
        : [
            only('untracked'),
            ...(direction === 'ingress' ? [only('preDNAT')] : []),
            role === 'door' ? isForward : only('normal'),
          ];
    const profiles = role === 'door' ? [] : endpoint.spec.profiles;
    const failsafes = this.#failsafes(time, endpoint.spec.node);
    const asked = places.map((wanted) => askedAt(world, party, direction, wanted));
    const last = profilesAsked(world, profiles, direction);
    return {
      text: JSON.stringify([asked.map(({ text }) => text), last.text, failsafesText(failsafes)]),
      rules: [...asked.flatMap(({ rules }) => rules), ...last.rules, ...openPorts(failsafes)],
    };
  }
}

/** What policies of others may ask about: where it is the same, only policies themselves have changed. */
function surroundings({ parties, slices }: World): string {
  const seen = parties.filter(({ prefixes }) => prefixes.length > 0);
  return JSON.stringify([seen.map((each) => ({ ...each, prefixes: each.prefixes.map(String) })), slices]);
}

/** All that decides at a workload in one direction, in order. */
function askedOf(world: World, workload: WorkloadEndpoint, direction: Direction): Asked {
  const policies = askedAt(world, world.workload(workload), direction);
  const profiles = profilesAsked(world, workload.spec.profiles, direction);
  return {
    text: JSON.stringify([policies.text, profiles.text]),
    rules: [...policies.rules, ...profiles.rules],
  };
}

function askedAt(
  world: World,
  party: Party,
  direction: Direction,
  wanted?: (policy: Policy) => boolean,
): Asked {
  const tiers = tiersOf(world, party, direction, wanted);
  return {
    text: JSON.stringify(
      tiers.map(({ name, defaultAction, policies }) => [
        name,
        defaultAction,
        policies.map(({ metadata, spec }) => [metadata.namespace, spec[direction]]),
      ]),
    ),
    rules: tiers.flatMap(({ policies }) => policies.flatMap((policy) => policy.spec[direction] ?? [])),
  };
}

function profilesAsked(world: World, names: readonly string[] = [], direction: Direction): Asked {
  // One that is not there denies; one without a rule leaves it to the next.
  const lists = names.map((name) => {
    const profile = world.profiles.get(name);
    return profile === undefined ? name : (profile.spec[direction] ?? []);
  });
  return {
    text: JSON.stringify(lists),
    rules: lists.flatMap((each) => (typeof each === 'string' ? [] : each)),
  };
}

export function failsafesText({ inbound, outbound }: Failsafes): string {
  const ports = [inbound, outbound].map((list) =>
    list.map(({ protocol, port, net }) => `${protocol} ${port} ${net?.toString() ?? ''}`),
  );
  return JSON.stringify(ports);
}

/** As rules, for the kinds of traffic that they tell apart. */
function openPorts({ inbound, outbound }: Failsafes): readonly Rule[] {
  return [...inbound, ...outbound].map(({ protocol, port }) => ({
    action: 'Allow',
    protocol,
    destination: { ports: [port] },
  }));
}
