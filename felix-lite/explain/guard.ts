/**
 * What the policy of one host endpoint says to a packet, at each of the places where it is asked. Written from Calico's
 * description of host endpoints.
 */
import type { HostEndpoint } from '../../api/index.ts';
import type { FailsafePort, Failsafes } from '../rules/failsafe.ts';
import {
  type Direction,
  type Policy,
  type Stage,
  type Step,
  askProfiles,
  askTiers,
  stageOf,
} from './evaluate.ts';
import type { Packet } from './packet.ts';
import type { World } from './world.ts';

const ICMPV6 = 58;
/** Listener, router and neighbour discovery: RFC 4890 §4.4.1. */
const NEIGHBOUR_DISCOVERY: ReadonlySet<number> = new Set([130, 131, 132, 133, 134, 135, 136, 143]);

export interface GuardQuestion {
  readonly world: World;
  readonly failsafes: Failsafes;
  readonly packet: Packet;
  /** What was asked so far; what is asked is added. */
  readonly steps: Step[];
}

/** The endpoint of an interface and one packet. */
export class Guard {
  readonly #endpoint: HostEndpoint;
  readonly #question: GuardQuestion;

  constructor(endpoint: HostEndpoint, question: GuardQuestion) {
    this.#endpoint = endpoint;
    this.#question = question;
  }

  /** To what comes in, before it is known where it goes. Undefined: nothing, it is asked on. */
  early(): 'Allow' | 'Deny' | undefined {
    const { inbound, outbound } = this.#question.failsafes;
    const open = this.#isOpen(inbound, 'destination');
    const answer = this.#isOpen(outbound, 'source');
    return (
      (open || answer ? undefined : this.#ask('ingress', only('untracked'), false)) ??
      (open ? undefined : this.#ask('ingress', only('preDNAT'), false))
    );
  }

  /** Whether what comes in may go to the host itself. */
  receives(): boolean {
    const early = this.early();
    return early === undefined ? this.#normal('ingress') : early === 'Allow';
  }

  /** Whether the host itself may send it. */
  sends(): boolean {
    const { inbound, outbound } = this.#question.failsafes;
    const open = this.#isOpen(outbound, 'destination') || this.#isOpen(inbound, 'source');
    const early = open ? undefined : this.#ask('egress', only('untracked'), false);
    return early === undefined ? this.#normal('egress') : early === 'Allow';
  }

  /** Whether it may come in to go elsewhere. */
  admits(): boolean {
    const early = this.early();
    return early === undefined ? this.#forward('ingress') : early === 'Allow';
  }

  /** Whether it may leave, having come from elsewhere. */
  releases(): boolean {
    return this.#forward('egress');
  }

  #normal(direction: Direction): boolean {
    const { failsafes, steps } = this.#question;
    const ports = direction === 'ingress' ? failsafes.inbound : failsafes.outbound;
    if (this.#isOpen(ports, 'destination')) {
      const asked = `HostEndpoint/${this.#endpoint.metadata.name}`;
      steps.push({ asked, field: 'failsafe port', said: 'Allow' });
      return true;
    }
    const said = this.#ask(direction, only('normal'), true);
    if (said !== undefined) return said === 'Allow';
    return askProfiles(this.#asked(direction), this.#endpoint.spec.profiles ?? []);
  }

  #forward(direction: Direction): boolean {
    return this.#ask(direction, isForward, true) !== 'Deny';
  }

  #ask(
    direction: Direction,
    wanted: (policy: Policy) => boolean,
    ends: boolean,
  ): 'Allow' | 'Deny' | undefined {
    return askTiers(this.#asked(direction), wanted, ends);
  }

  #asked(direction: Direction): Parameters<typeof askTiers>[0] {
    const { world, packet, steps } = this.#question;
    return { world, party: world.host(this.#endpoint), direction, packet, steps };
  }

  /** @param side  of the port: `source` is the answer to what the port is open for */
  #isOpen(ports: readonly FailsafePort[], side: 'source' | 'destination'): boolean {
    const { packet, failsafes } = this.#question;
    // Without its neighbours a node has no IPv6 at all, and no port of it is open.
    if (isIcmpv6(packet, NEIGHBOUR_DISCOVERY)) return true;
    const port = side === 'source' ? packet.sourcePort : packet.destinationPort;
    const outward = ports === failsafes.outbound;
    const peer = outward === (side === 'destination') ? packet.destination : packet.source;
    return ports.some(
      (each) =>
        each.protocol === packet.protocol &&
        each.port === port &&
        (each.net === undefined || (each.net.version === peer.version && each.net.contains(peer))),
    );
  }
}

export function isIcmpv6({ protocol, source, icmpType = -1 }: Packet, types: ReadonlySet<number>): boolean {
  return protocol === ICMPV6 && source.version === 6 && types.has(icmpType);
}

/** Policy that judges forwarded packets too. */
export function isForward(policy: Policy): boolean {
  return (
    policy.kind === 'GlobalNetworkPolicy' &&
    stageOf(policy) === 'normal' &&
    policy.spec.applyOnForward === true
  );
}

export function only(stage: Stage): (policy: Policy) => boolean {
  return (policy) => stageOf(policy) === stage;
}
