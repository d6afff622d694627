/**
 * The verdict on a packet's whole way over a node: the policy of the host's own interfaces in each of the places where it
 * is asked, and that of workloads. Written from Calico's description of host endpoints.
 */
import type { HostEndpoint } from '../../api/index.ts';
import type { Prefix } from '../../net/addr/index.ts';
import type { FailsafePort, Failsafes } from '../rules/failsafe.ts';
import {
  type Direction,
  type Judgement,
  type Policy,
  type Stage,
  type Step,
  askProfiles,
  askTiers,
  judge,
  stageOf,
} from './evaluate.ts';
import type { Journey } from './netfilter.ts';
import type { Packet } from './packet.ts';
import type { World } from './world.ts';

export interface NodeView {
  readonly name: string;
  /** Names of workloads' interfaces begin so. */
  readonly interfacePrefix: string;
  /** Canonical text of addresses by interface. */
  readonly interfaces: ReadonlyMap<string, readonly string[]>;
  readonly failsafes: Failsafes;
  /** What becomes of what a workload may send, when the host itself is where it goes. */
  readonly endpointToHost: 'Drop' | 'Accept' | 'Return';
  /** Of services that are told of by BGP: what goes there through the host is not there (serviceLoopPrevention). */
  readonly loops?: readonly Prefix[];
}

export interface Way {
  readonly journey: Journey;
  /** Interface by which it comes; undefined for the host's own packets. */
  readonly from?: string;
  /** Interface by which it leaves; undefined for packets to the host. */
  readonly to?: string;
}

export function judgeWay(
  world: World,
  node: NodeView,
  { journey, from, to }: Way,
  packet: Packet,
): Judgement {
  const steps: Step[] = [];
  const walk = new Walk(world, node, packet, steps);
  const allowed =
    journey === 'toHost'
      ? walk.toHost(from ?? '')
      : journey === 'fromHost'
        ? walk.fromHost(to ?? '')
        : walk.forwarded(from ?? '', to ?? '');
  return { allowed, steps };
}

/** The endpoint that guards an interface of the host: by name, else by address, else the one of all interfaces. */
export function guardOf(world: World, node: NodeView, interfaceName: string): HostEndpoint | undefined {
  if (interfaceName.startsWith(node.interfacePrefix)) return undefined;
  const mine = world.hosts
    .filter(({ spec }) => spec.node === node.name)
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const addresses = node.interfaces.get(interfaceName) ?? [];
  return (
    mine.find(({ spec }) => spec.interfaceName === interfaceName) ??
    mine.find(
      ({ spec }) =>
        spec.interfaceName === undefined && (spec.expectedIPs ?? []).some((each) => addresses.includes(each)),
    ) ??
    mine.find(({ spec }) => spec.interfaceName === '*')
  );
}

const ICMPV6 = 58;
/** Listener, router and neighbour discovery: RFC 4890 §4.4.1. */
const NEIGHBOUR_DISCOVERY: ReadonlySet<number> = new Set([130, 131, 132, 133, 134, 135, 136, 143]);

/** Of those, what a workload may always tell its router, as in Calico. */
const HEARD_BY_ROUTERS: ReadonlySet<number> = new Set([130, 131, 132, 133, 135, 136]);

class Walk {
  readonly #world: World;
  readonly #node: NodeView;
  readonly #packet: Packet;
  readonly #steps: Step[];

  constructor(world: World, node: NodeView, packet: Packet, steps: Step[]) {
    this.#world = world;
    this.#node = node;
    this.#packet = packet;
    this.#steps = steps;
  }

  toHost(from: string): boolean {
    if (from.startsWith(this.#node.interfacePrefix)) {
      if (this.#isIcmpv6(HEARD_BY_ROUTERS)) return true;
      return this.#workload(from, 'egress') && this.#node.endpointToHost !== 'Drop';
    }
    const guard = guardOf(this.#world, this.#node, from);
    const early = this.#early(guard);
    if (early !== undefined || guard === undefined) return early !== 'Deny';
    return this.#normal(guard, 'ingress');
  }

  fromHost(to: string): boolean {
    const guard = guardOf(this.#world, this.#node, to);
    if (guard === undefined) return true;
    const { inbound, outbound } = this.#node.failsafes;
    const open = this.#isOpen(outbound, 'destination') || this.#isOpen(inbound, 'source');
    const early = open ? undefined : this.#ask(guard, 'egress', only('untracked'), false);
    if (early !== undefined) return early === 'Allow';
    return this.#normal(guard, 'egress');
  }

  forwarded(from: string, to: string): boolean {
    const [before, after] = [from, to].map((name) => guardOf(this.#world, this.#node, name));
    const early = this.#early(before);
    if (early === 'Deny') return false;
    if (early === undefined && before !== undefined && !this.#forward(before, 'ingress')) return false;
    if (from.startsWith(this.#node.interfacePrefix) && !this.#workload(from, 'egress')) return false;
    if (to.startsWith(this.#node.interfacePrefix) && !this.#workload(to, 'ingress')) return false;
    if (after !== undefined && !this.#forward(after, 'egress')) return false;
    const loop = this.#node.loops?.find((prefix) => prefix.contains(this.#packet.destination));
    if (loop !== undefined)
      this.#steps.push({
        asked: `services in ${loop.toString()}`,
        field: 'serviceLoopPrevention',
        said: 'Deny',
      });
    return loop === undefined;
  }

  /** What comes in, before it is known where it goes. */
  #early(guard: HostEndpoint | undefined): 'Allow' | 'Deny' | undefined {
    if (guard === undefined) return undefined;
    const { inbound, outbound } = this.#node.failsafes;
    const open = this.#isOpen(inbound, 'destination');
    const answer = this.#isOpen(outbound, 'source');
    return (
      (open || answer ? undefined : this.#ask(guard, 'ingress', only('untracked'), false)) ??
      (open ? undefined : this.#ask(guard, 'ingress', only('preDNAT'), false))
    );
  }

  #normal(guard: HostEndpoint, direction: Direction): boolean {
    const { inbound, outbound } = this.#node.failsafes;
    if (this.#isOpen(direction === 'ingress' ? inbound : outbound, 'destination')) {
      this.#steps.push({ asked: this.#name(guard), field: 'failsafe port', said: 'Allow' });
      return true;
    }
    const said = this.#ask(guard, direction, only('normal'), true);
    if (said !== undefined) return said === 'Allow';
    return askProfiles(this.#question(guard, direction), guard.spec.profiles ?? []);
  }

  #forward(guard: HostEndpoint, direction: Direction): boolean {
    return this.#ask(guard, direction, forwarding, true) !== 'Deny';
  }

  #workload(interfaceName: string, direction: Direction): boolean {
    const workload = this.#world.workloads.find(
      ({ spec }) => spec.node === this.#node.name && spec.interfaceName === interfaceName,
    );
    if (workload === undefined) return false;
    const judged = judge(this.#world, workload, direction, this.#packet);
    this.#steps.push(...judged.steps);
    return judged.allowed;
  }

  #ask(
    guard: HostEndpoint,
    direction: Direction,
    wanted: (policy: Policy) => boolean,
    ends: boolean,
  ): 'Allow' | 'Deny' | undefined {
    return askTiers(this.#question(guard, direction), wanted, ends);
  }

  #question(guard: HostEndpoint, direction: Direction): Parameters<typeof askTiers>[0] {
    const party = this.#world.host(guard);
    return { world: this.#world, party, direction, packet: this.#packet, steps: this.#steps };
  }

  /** @param side  of the port: `source` is the answer to what the port is open for */
  #isOpen(ports: readonly FailsafePort[], side: 'source' | 'destination'): boolean {
    const packet = this.#packet;
    // Without its neighbours a node has no IPv6 at all, and no port of it is open.
    if (this.#isIcmpv6(NEIGHBOUR_DISCOVERY)) return true;
    const port = side === 'source' ? packet.sourcePort : packet.destinationPort;
    const outward = ports === this.#node.failsafes.outbound;
    const peer = outward === (side === 'destination') ? packet.destination : packet.source;
    return ports.some(
      (each) =>
        each.protocol === packet.protocol &&
        each.port === port &&
        (each.net === undefined || (each.net.version === peer.version && each.net.contains(peer))),
    );
  }

  #isIcmpv6(types: ReadonlySet<number>): boolean {
    const { protocol, source, icmpType = -1 } = this.#packet;
    return protocol === ICMPV6 && source.version === 6 && types.has(icmpType);
  }

  #name({ metadata }: HostEndpoint): string {
    return `HostEndpoint/${metadata.name}`;
  }
}

function forwarding(policy: Policy): boolean {
  return (
    policy.kind === 'GlobalNetworkPolicy' &&
    stageOf(policy) === 'normal' &&
    policy.spec.applyOnForward === true
  );
}

function only(stage: Stage): (policy: Policy) => boolean {
  return (policy) => stageOf(policy) === stage;
}
