/**
 * Routes and tunnels without BGP: follows the datastore, plans, and keeps the kernel to the plan. Like the rest of
 * felix-lite, it touches nothing before it has seen the datastore in full, and leaves the kernel as it is when it ends.
 *
 * What others do to our devices, addresses, routes, neighbours and forwarding entries is heard of and put right at once. What the
 * kernel has is read in full at the start and once a refresh interval, and kept by what the kernel tells meanwhile.
 */
import { formatProblem, type Problem } from '../../api/index.ts';
import type { Cancel, Clock, Millis } from '../../clock/clock.ts';
import type { Log } from '../../daemon/log.ts';
import { Mirror, type Store } from '../../datastore/index.ts';
import type { Address } from '../../net/addr/index.ts';
import { type KernelEvent, Netlink, PROTOCOL_BOOT, type Route, TABLE_MAIN } from '../../net/kernel/index.ts';
import { isTunnelName, TunnelDevices } from './devices.ts';
import { explainRoute, type RouteExplanation, wayTo } from './explain.ts';
import { Facts, ROUTING_KINDS } from './facts.ts';
import { applyRoutes, PROTOCOL_FELIX, vtepChanges } from './kernel.ts';
import { KernelMirror } from './mirror.ts';
import { planRouting, type RoutingPlan } from './plan.ts';
import { type LastPass, type RoutingStatus, routingStatus } from './status.ts';
import type { WireGuardMeasured } from './wireguard/metrics.ts';
import { WireGuard } from './wireguard/wireguard.ts';
import { type WorkloadRouteWish, WorkloadRoutes, workloadRouteWishes } from './workload-routes.ts';

export interface RoutingOptions {
  readonly node: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Path of a network namespace; default: the one we run in. */
  readonly netns?: string | undefined;
  /** How long a device that is needed no more goes on receiving. */
  readonly grace?: Millis;
  /** Where the private keys of WireGuard are kept. */
  readonly stateDir?: string;
}

const GATHER: Millis = 20;
const GRACE: Millis = 30_000;
const RETRY: Millis = 1_000;
const STATE_DIR = '/var/lib/poplin';

export class Routing {
  readonly #options: RoutingOptions;
  readonly #mirror: Mirror;
  readonly #facts = new Facts();
  readonly #netlink: Netlink;
  readonly #known: KernelMirror;
  readonly #devices: TunnelDevices;
  readonly #workloads: WorkloadRoutes;
  readonly #wireguard: WireGuard;
  #plan: RoutingPlan | undefined;
  #wishes: readonly WorkloadRouteWish[] | undefined;
  /** Destinations. */
  #wanted: ReadonlySet<string> = new Set();
  #wantedHere: ReadonlySet<string> = new Set();
  #devicesHere: ReadonlySet<string> = new Set();
  /** Kept, for it is asked at every change of a route. */
  #protocolHere = PROTOCOL_BOOT;
  #indexes: ReadonlyMap<string, number> = new Map();
  #parents: ReadonlySet<number> = new Set();
  #gathering: Cancel | undefined;
  #timer: Cancel = () => {};
  #running: Promise<void> | undefined;
  #due: Readonly<Record<Part, boolean>> = NOTHING_DUE;
  #stopped = false;
  /** When the kernel was last read in full for no other reason. */
  #readAt: Millis = Number.NEGATIVE_INFINITY;
  #passes = 0;
  #last: LastPass = {};
  #problems: readonly Problem[] = [];

  constructor(options: RoutingOptions) {
    const { node, store, clock, log, netns, grace = GRACE, stateDir = STATE_DIR } = options;
    this.#options = options;
    this.#netlink = Netlink.open({ netns });
    this.#known = new KernelMirror(this.#netlink, (event) => this.#gather(...this.#concerns(event)));
    this.#devices = new TunnelDevices(this.#netlink, clock, grace, this.#known);
    this.#workloads = new WorkloadRoutes(this.#netlink, this.#known);
    this.#wireguard = new WireGuard({
      node,
      store,
      clock,
      netns,
      stateDir,
      grace,
      netlink: this.#netlink,
      known: this.#known,
    });
    this.#mirror = new Mirror(
      store,
      ROUTING_KINDS.map((kind) => ({ kind })),
      {
        clock,
        onError: (error, retryInMs) =>
          log.warn(
            { error: String(error), retryInMs },
            'the datastore is out of reach; routes stay as they are',
          ),
        onHold: (held) =>
          log.warn(
            {},
            held
              ? 'routes stay as they are while a migration holds the datastore'
              : 'routes follow the datastore again',
          ),
      },
    );
  }

  start(): void {
    const { node } = this.#options;
    this.#mirror.onChange((changes) => {
      const { everybody, nodes } = this.#facts.update(changes);
      const here = everybody || nodes.has(node);
      if (everybody) this.#plan = undefined;
      if (here) this.#wishes = undefined;
      if (this.#mirror.synced) this.#gather(...(everybody ? ALL : here ? (['workloads'] as const) : []));
    });
    this.#mirror.onSync(() => this.#gather(...ALL));
    this.#mirror.start();
  }

  /** Leaves the kernel as it is. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#gathering?.();
    this.#timer();
    this.#known.close();
    await this.#mirror.stop();
    await this.#running;
    this.#wireguard.close();
    this.#netlink.close();
  }

  status(): RoutingStatus {
    return routingStatus({
      synced: this.#mirror.synced,
      passes: this.#passes,
      fullReads: this.#known.reads,
      settings: this.#facts.settings(this.#options.node),
      plan: this.#plan,
      ...this.#last,
      problems: this.#problems,
    });
  }

  /** For Prometheus: WireGuard's devices and peers, where FelixConfiguration does not keep them back. */
  async measure(): Promise<readonly WireGuardMeasured[]> {
    const { measured } = this.#facts.settings(this.#options.node).wireguard;
    return measured ? this.#wireguard.measure() : [];
  }

  /** Why packets of this node to the address leave as they do; undefined before the datastore has been seen in full. */
  async explain(to: Address): Promise<RouteExplanation | undefined> {
    if (!this.#mirror.synced) return undefined;
    const { node } = this.#options;
    const settings = this.#facts.settings(node);
    return explainRoute({
      to,
      node,
      facts: this.#facts,
      settings,
      plan: this.#plan ?? planRouting(node, this.#facts),
      wishes: this.#wishes ?? workloadRouteWishes(this.#facts.endpointsOn(node), settings),
      problems: this.#problems,
      way: await wayTo(this.#netlink, to),
    });
  }

  /** The parts that others' changes concern; our own come back as events too, and find nothing to do. */
  #concerns(event: KernelEvent): readonly Part[] {
    switch (event.type) {
      case 'resync':
        return ALL;
      case 'route':
        return this.#concernsRoute(event.change, event.route);
      case 'rule':
        return event.change === 'deleted' && event.rule.protocol === PROTOCOL_FELIX ? ['wireguard'] : [];
      case 'neighbour':
        return event.change === 'deleted' && this.#isTunnel(event.neighbour.link) ? ['cluster'] : [];
      case 'forwarding':
        return event.change === 'deleted' && this.#isTunnel(event.entry.link) ? ['cluster'] : [];
      // Of the interfaces of workloads, which come and go all day, those that a route leads over.
      case 'link':
        if (this.#devicesHere.has(event.link.name)) return ['workloads'];
        if (this.#wireguard.owns(event.link.index)) return ['wireguard'];
        if (this.#parents.has(event.link.index)) return ['cluster', 'wireguard'];
        return isTunnelName(event.link.name) ? ['cluster'] : [];
      case 'address': {
        const { link, address } = event.address;
        if (this.#wireguard.owns(link)) return ['wireguard'];
        const ours = this.#plan?.tunnels.some(({ underlay }) => underlay.equals(address)) ?? false;
        return ours || this.#isTunnel(link) ? ['cluster'] : [];
      }
    }
  }

  #isTunnel(link: number): boolean {
    for (const index of this.#indexes.values()) if (index === link) return true;
    return false;
  }

  /** A route of ours went, or one that may stand in the place of ours came or went. */
  #concernsRoute(change: 'new' | 'deleted', { protocol, destination, table }: Route): readonly Part[] {
    if (table !== TABLE_MAIN)
      return change === 'deleted' && protocol === PROTOCOL_FELIX ? (['wireguard'] as const) : [];
    const key = destination.toString();
    const gone = change === 'deleted';
    const parts: Part[] = [];
    const between = this.#wanted.has(key) && (gone || protocol !== PROTOCOL_FELIX);
    if (between || (gone && protocol === PROTOCOL_FELIX)) parts.push('cluster');
    if (this.#wantedHere.has(key) && (gone || protocol !== this.#protocolHere)) parts.push('workloads');
    return parts;
  }

  #gather(...parts: readonly Part[]): void {
    if (this.#stopped || parts.length === 0) return;
    this.#due = { ...this.#due, ...Object.fromEntries(parts.map((part) => [part, true])) };
    this.#gathering ??= this.#options.clock.after(GATHER, 'gather changes of routing', () => {
      this.#gathering = undefined;
      this.#running ??= this.#run().finally(() => {
        this.#running = undefined;
      });
    });
  }

  async #run(): Promise<void> {
    while (Object.values(this.#due).includes(true) && !this.#stopped && this.#mirror.synced) {
      const due = this.#due;
      this.#due = NOTHING_DUE;
      try {
        if (due.workloads) await this.#passWorkloads();
        if (due.cluster) await this.#passCluster();
        if (due.wireguard) await this.#passWireGuard();
        this.#tell();
        const soon =
          this.#devices.waiting ||
          this.#workloads.waiting ||
          this.#last.wireguard?.waiting === true ||
          this.#problems.some(({ code }) => TRIED_AGAIN.has(code));
        this.#later(soon ? Math.min(this.#refresh, SOON, this.#options.grace ?? SOON) : this.#refresh);
      } catch (error) {
        if (!this.#stopped)
          this.#options.log.error({ error: String(error) }, 'routes could not be written; trying again');
        // Whatever we know of the kernel, it is not what we believed when we began.
        this.#known.forget();
        this.#later(RETRY);
      }
    }
  }

  get #refresh(): Millis {
    return this.#facts.settings(this.#options.node).refresh;
  }

  #later(delay: Millis): void {
    this.#timer();
    if (!this.#stopped)
      this.#timer = this.#options.clock.after(delay, 'look at routes', () => {
        this.#readInFull();
        this.#gather(...ALL);
      });
  }

  /** Within the refresh interval what the kernel has is asked of the kernel itself, whatever it has told. */
  #readInFull(): void {
    const { clock } = this.#options;
    if (clock.now() - this.#readAt < this.#refresh) return;
    this.#readAt = clock.now();
    this.#known.forget();
  }

  /** Those of this node's own workloads: a small part, for most of what happens happens to them. */
  async #passWorkloads(): Promise<void> {
    const { node, clock, log } = this.#options;
    const settings = this.#facts.settings(node);
    this.#wishes ??= workloadRouteWishes(this.#facts.endpointsOn(node), settings);
    this.#wantedHere = new Set(this.#wishes.map(({ prefix }) => prefix.toString()));
    this.#protocolHere = settings.workloads.protocol;
    this.#devicesHere = new Set(this.#wishes.map(({ device }) => device));
    if (!settings.sync) {
      this.#last = { ...this.#last, workloads: undefined };
      return;
    }
    const workloads = await this.#workloads.apply(this.#wishes, settings, clock.now());
    this.#passes++;
    this.#last = { ...this.#last, workloads };
    if (workloads.steps > 0)
      log.info(
        { steps: workloads.steps, routes: workloads.routes },
        'the kernel holds the routes to workloads',
      );
  }

  async #passCluster(): Promise<void> {
    const { node, log } = this.#options;
    this.#plan ??= planRouting(node, this.#facts);
    const plan = this.#plan;
    this.#wanted = new Set(plan.routes.map(({ prefix }) => prefix.toString()));
    const devices = await this.#devices.ensure(plan.tunnels);
    this.#indexes = devices.indexes;
    this.#parents = devices.parents;
    const refused: Problem[] = [];
    const after = [];
    let steps = devices.steps;
    for (const [name, vteps] of plan.vteps) {
      const link = devices.indexes.get(name);
      if (link === undefined) continue;
      const changes = await vtepChanges(this.#known, link, vteps);
      steps += changes.before.length + changes.after.length;
      refused.push(
        ...(await this.#netlink.applyNeighbours(changes.before)).flatMap(({ problems }) => problems),
      );
      after.push(...changes.after);
    }
    const routes = this.#facts.settings(node).sync
      ? await applyRoutes(this.#netlink, overStanding(plan, devices.indexes), this.#known)
      : undefined;
    refused.push(...(await this.#netlink.applyNeighbours(after)).flatMap(({ problems }) => problems));
    steps += (routes?.steps ?? 0) + (await this.#devices.retire(plan.unneeded));
    this.#passes++;
    this.#last = { ...this.#last, devices, routes, refused };
    if (steps > 0)
      log.info({ steps, routes: routes?.routes, kept: routes?.kept }, 'the kernel holds the routes');
  }

  async #passWireGuard(): Promise<void> {
    const { node, log } = this.#options;
    const { wireguard: settings, floatingIps } = this.#facts.settings(node);
    const wireguard = await this.#wireguard.pass(this.#facts, settings, floatingIps);
    this.#last = { ...this.#last, wireguard };
    if (wireguard.steps > 0) log.info({ steps: wireguard.steps }, 'WireGuard is as the nodes publish it');
  }

  /** Each problem once, when it appears; and when it is gone. */
  #tell(): void {
    const { devices, routes, workloads, refused, wireguard } = this.#last;
    const problems = [
      ...(this.#plan?.problems ?? []),
      ...(devices?.problems ?? []),
      ...(routes?.problems ?? []),
      ...(refused ?? []),
      ...(workloads?.problems ?? []),
      ...(wireguard?.problems ?? []),
    ];
    const before = new Set(this.#problems.map(formatProblem));
    const now = new Set(problems.map(formatProblem));
    for (const text of now) if (!before.has(text)) this.#options.log.warn({}, text);
    for (const text of before) if (!now.has(text)) this.#options.log.info({}, `no longer: ${text}`);
    this.#problems = problems;
  }
}

/** What a change may concern: routes and tunnels between nodes, routes to workloads of this one, and encryption. */
type Part = 'cluster' | 'workloads' | 'wireguard';
const ALL: readonly Part[] = ['cluster', 'workloads', 'wireguard'];
const NOTHING_DUE = { cluster: false, workloads: false, wireguard: false };

/**
 * A route over a device that does not stand would be refused, for a reason that has been told already; and one that leads
 * over it from before is no reason to take it away.
 */
function overStanding(plan: RoutingPlan, devices: ReadonlyMap<string, number>): RoutingPlan {
  const waiting = plan.routes.filter(({ device }) => device !== undefined && !devices.has(device));
  if (waiting.length === 0) return plan;
  return {
    ...plan,
    routes: plan.routes.filter((route) => !waiting.includes(route)),
    handedOver: new Set([...plan.handedOver, ...waiting.map(({ prefix }) => prefix.toString())]),
  };
}

const SOON: Millis = 5_000;
const TRIED_AGAIN: ReadonlySet<string> = new Set([
  'ROUTE_REFUSED',
  'TUNNEL_REFUSED',
  'TUNNEL_UNSUPPORTED',
  'WIREGUARD_UNSUPPORTED',
]);
