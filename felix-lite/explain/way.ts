/**
 * The verdict on a packet's whole way over a node: the policy of the host's own interfaces in each of the places where it
 * is asked, and that of workloads. Written from Calico's description of host endpoints.
 */
import type { HostEndpoint } from '../../api/index.ts';
import type { Prefix } from '../../net/addr/index.ts';
import type { Failsafes } from '../rules/failsafe.ts';
import { type Direction, type Judgement, type Step, judge } from './evaluate.ts';
import { Guard, isIcmpv6 } from './guard.ts';
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

/** Listener, router and neighbour discovery that a workload may always tell its router, as in Calico. */
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
      if (isIcmpv6(this.#packet, HEARD_BY_ROUTERS)) return true;
      return this.#workload(from, 'egress') && this.#node.endpointToHost !== 'Drop';
    }
    return this.#guard(from)?.receives() ?? true;
  }

  fromHost(to: string): boolean {
    return this.#guard(to)?.sends() ?? true;
  }

  forwarded(from: string, to: string): boolean {
    if (this.#guard(from)?.admits() === false) return false;
    if (from.startsWith(this.#node.interfacePrefix) && !this.#workload(from, 'egress')) return false;
    if (to.startsWith(this.#node.interfacePrefix) && !this.#workload(to, 'ingress')) return false;
    if (this.#guard(to)?.releases() === false) return false;
    const loop = this.#node.loops?.find((prefix) => prefix.contains(this.#packet.destination));
    if (loop !== undefined)
      this.#steps.push({
        asked: `services in ${loop.toString()}`,
        field: 'serviceLoopPrevention',
        said: 'Deny',
      });
    return loop === undefined;
  }

  #guard(interfaceName: string): Guard | undefined {
    const endpoint = guardOf(this.#world, this.#node, interfaceName);
    const { failsafes } = this.#node;
    return endpoint === undefined
      ? undefined
      : new Guard(endpoint, { world: this.#world, failsafes, packet: this.#packet, steps: this.#steps });
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
}
