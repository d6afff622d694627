/**
 * Any dataplane, and after each change of policy an end to the connections that it no longer allows. Calico lets them go on
 * until they end by themselves, which is the default here too: FelixConfiguration, annotation
 * `felix.poplin.dev/denied-connections: Cut`.
 *
 * A connection's entry is removed from connection tracking, so that its next packet meets policy like the first of a new
 * one, and only where our own rules deny that packet: an entry taken away from an allowed connection could make its next
 * packet, if that is an answer, look like a connection the other way round.
 *
 * Whichever end speaks next: what the server of a denied connection sends would begin a connection the other way round,
 * which policy may well allow, and in which the denied packets are answers. So from the first cut on connection tracking
 * takes no TCP connection that it did not see begin. UDP has no beginning to be seen: what a server goes on sending
 * unasked is judged by its own policy, and answers to it pass.
 */
import type { Problem } from '../../../api/problem.ts';
import type { IpVersion } from '../../../net/addr/index.ts';
import { type Connection, Conntrack, Netlink } from '../../../net/kernel/index.ts';
import type { CalcDelta } from '../../calc/model.ts';
import type { RuleTables } from '../../rules/tables.ts';
import type { Applied, Dataplane, Rest, RuleCounter } from '../dataplane.ts';
import { type Flow, judge, type Policy } from './judge.ts';
import { takeNoneMidway } from '../sysctl.ts';
import { MemberIndex } from './members.ts';

export interface CuttingOptions {
  readonly inner: Dataplane;
  /** The tables that `inner` brings to the kernel. */
  readonly rules: RuleTables;
  readonly versions: readonly IpVersion[];
  readonly netns: string | undefined;
  /** Interfaces whose names begin so are workloads'. */
  readonly interfacePrefix: string;
}

/** Looks at all connections follow one another at this distance: a table of 200,000 takes some 0.2 s to read. */
const PAUSE_MS = 250;

export class CuttingDataplane implements Dataplane {
  readonly #options: CuttingOptions;
  readonly #members = new MemberIndex();
  readonly #conntrack: Conntrack;
  readonly #netlink: Netlink;
  #timer: NodeJS.Timeout | undefined;
  #cutting: Promise<void> | undefined;
  #closed = false;
  #failure: string | undefined;
  /** Connections cut since the start. */
  cut = 0;

  constructor(options: CuttingOptions) {
    this.#options = options;
    this.#conntrack = Conntrack.open({ netns: options.netns });
    this.#netlink = Netlink.open({ netns: options.netns });
  }

  update(delta: CalcDelta): void {
    this.#members.update(delta.sets);
    this.#options.inner.update(delta);
  }

  get takesRest(): boolean {
    return this.#options.inner.takesRest === true;
  }

  async apply(reread: boolean, rest?: Rest): Promise<Applied> {
    const applied = await this.#options.inner.apply(reread, rest);
    if (applied.steps > 0 && applied.failures.length === 0) this.#soon();
    return applied;
  }

  get problems(): readonly Problem[] {
    const own =
      this.#failure === undefined
        ? []
        : [
            {
              code: 'CONNECTIONS_NOT_CUT',
              what: `connections that policy denies by now could not be looked for: ${this.#failure}`,
              remedy: 'check that the kernel has connection tracking with netlink (nf_conntrack_netlink)',
            },
          ];
    return [...this.#options.inner.problems, ...own];
  }

  get counts(): { readonly rules: number; readonly sets: number } {
    return this.#options.inner.counts;
  }

  counters(): Promise<readonly RuleCounter[]> {
    return this.#options.inner.counters();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#conntrack.close();
    this.#netlink.close();
    this.#options.inner.close();
  }

  /** Changes that come close together are looked after together. */
  #soon(): void {
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#cutting !== undefined) {
        this.#soon();
        return;
      }
      this.#cutting = this.#cutDenied()
        .then(() => (this.#failure = undefined))
        .catch((error: unknown) => {
          if (!this.#closed) this.#failure = String(error);
        })
        .then(() => (this.#cutting = undefined));
    }, PAUSE_MS);
    this.#timer.unref();
  }

  async #cutDenied(): Promise<void> {
    const interfaces = await this.#interfaces();
    const own = new Set((await this.#netlink.listAddresses()).map(({ address }) => address.toString()));
    for (const version of this.#options.versions) {
      const policy = this.#policy(version);
      const connections = await this.#conntrack.list(version);
      const denied = connections.filter((each) => isDenied(policy, each, interfaces, own));
      if (denied.length > 0) takeNoneMidway(this.#options.netns);
      this.cut += await this.#conntrack.forget(denied);
    }
  }

  /** Workloads' interfaces by the addresses that are routed to them: what the kernel does, not what anybody meant. */
  async #interfaces(): Promise<ReadonlyMap<string, string>> {
    const interfaces = new Map<string, string>();
    for (const { destination, nextHops } of await this.#netlink.listRoutes()) {
      const [only] = nextHops;
      if (only === undefined || typeof only.interface !== 'string' || !destination.isHost) continue;
      if (only.interface.startsWith(this.#options.interfacePrefix))
        interfaces.set(destination.address.toString(), only.interface);
    }
    return interfaces;
  }

  #policy(version: IpVersion): Policy {
    const { rules } = this.#options;
    const chains = rules.chains(version, 'filter');
    const maps = rules.maps(version, 'filter');
    return {
      chain: (name) => chains.get(name),
      lookUp: (map, name) => maps.get(map)?.get(name),
      isMember: (set, address, port) => this.#members.has(set, address, port),
    };
  }
}

/**
 * Of connections through this node, to or from its workloads. The node's own pass no chain of forwarding.
 *
 * @param own  the node's addresses
 */
function isDenied(
  policy: Policy,
  { original, reply, related }: Connection,
  interfaces: ReadonlyMap<string, string>,
  own: ReadonlySet<string>,
): boolean {
  // What another connection expected was never asked for by itself.
  if (related) return false;
  const [from, to] = [original.source.toString(), reply.source.toString()];
  const [inInterface, outInterface] = [interfaces.get(from), interfaces.get(to)];
  if ((inInterface === undefined && outInterface === undefined) || own.has(from) || own.has(to)) return false;
  const flow: Flow = {
    source: original.source,
    destination: reply.source,
    protocol: original.protocol,
    sourcePort: original.sourcePort,
    destinationPort: reply.sourcePort,
    icmpType: original.icmpType,
    icmpCode: original.icmpCode,
    inInterface,
    outInterface,
  };
  return judge(policy, 'cali-FORWARD', flow) === 'drop';
}
