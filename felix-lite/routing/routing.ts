/**
 * Routes and tunnels without BGP: follows the datastore, plans, and keeps the kernel to the plan. Like the rest of
 * felix-lite, it touches nothing before it has seen the datastore in full, and leaves the kernel as it is when it ends.
 *
 * What others do to our devices, addresses, routes and neighbours is heard of and put right at once; forwarding entries, of
 * which the kernel tells under the name of bridges, on a timer.
 */
import { formatProblem, parseDuration, type Problem } from '../../api/index.ts';
import type { Cancel, Clock, Millis } from '../../clock/clock.ts';
import type { Log } from '../../daemon/log.ts';
import { Mirror, type Store } from '../../datastore/index.ts';
import { type KernelEvent, Netlink } from '../../net/kernel/index.ts';
import { type DeviceOutcome, isTunnelName, TunnelDevices } from './devices.ts';
import { Facts, ROUTING_KINDS } from './facts.ts';
import { applyRoutes, PROTOCOL_FELIX, type RoutesOutcome, vtepChanges } from './kernel.ts';
import { planRouting, type RoutingPlan } from './plan.ts';

export interface RoutingOptions {
  readonly node: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Path of a network namespace; default: the one we run in. */
  readonly netns?: string | undefined;
  /** How long a device that is needed no more goes on receiving. */
  readonly grace?: Millis;
}

export interface RoutingStatus {
  readonly synced: boolean;
  readonly passes: number;
  /** Octets, by device. */
  readonly tunnels: Readonly<Record<string, { readonly mtu: number }>>;
  readonly routes: number;
  readonly kept: number;
  readonly problems: readonly Problem[];
}

const GATHER: Millis = 20;
const GRACE: Millis = 30_000;
/** Calico's routeRefreshInterval. */
const REFRESH: Millis = 90_000;
const RETRY: Millis = 1_000;

export class Routing {
  readonly #options: RoutingOptions;
  readonly #mirror: Mirror;
  readonly #facts = new Facts();
  readonly #netlink: Netlink;
  readonly #devices: TunnelDevices;
  #plan: RoutingPlan | undefined;
  #wanted = new Set<string>();
  #indexes: ReadonlyMap<string, number> = new Map();
  #parents: ReadonlySet<number> = new Set();
  #gathering: Cancel | undefined;
  #timer: Cancel = () => {};
  #unsubscribe: Cancel = () => {};
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  #passes = 0;
  #last: { readonly devices: DeviceOutcome; readonly routes: RoutesOutcome } | undefined;
  #problems: readonly Problem[] = [];

  constructor(options: RoutingOptions) {
    const { store, clock, log, netns } = options;
    this.#options = options;
    this.#netlink = Netlink.open({ netns });
    this.#devices = new TunnelDevices(this.#netlink, clock, options.grace ?? GRACE);
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
    this.#mirror.onChange((changes) => {
      this.#facts.update(changes);
      this.#plan = undefined;
      if (this.#mirror.synced) this.#gather();
    });
    this.#mirror.onSync(() => this.#gather());
    this.#unsubscribe = this.#netlink.subscribe(['link', 'address', 'route', 'neighbour'], (event) => {
      if (this.#concerns(event)) this.#gather();
    });
    this.#mirror.start();
  }

  /** Leaves the kernel as it is. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#gathering?.();
    this.#timer();
    this.#unsubscribe();
    await this.#mirror.stop();
    await this.#running;
    this.#netlink.close();
  }

  status(): RoutingStatus {
    const { devices, routes } = this.#last ?? {};
    return {
      synced: this.#mirror.synced,
      passes: this.#passes,
      tunnels: Object.fromEntries([...(devices?.mtus ?? [])].map(([name, mtu]) => [name, { mtu }])),
      routes: routes?.routes ?? 0,
      kept: routes?.kept ?? 0,
      problems: this.#problems,
    };
  }

  /** Others' changes; our own come back as events too, and find nothing to do. */
  #concerns(event: KernelEvent): boolean {
    switch (event.type) {
      case 'resync':
        return true;
      case 'route':
        // A route of ours went, or a stranger's that may have stood in our way.
        return (
          event.change === 'deleted' &&
          (event.route.protocol === PROTOCOL_FELIX || this.#wanted.has(event.route.destination.toString()))
        );
      case 'neighbour':
        return event.change === 'deleted' && [...this.#indexes.values()].includes(event.neighbour.link);
      // Of the interfaces of workloads, which come and go all day, nothing.
      case 'link':
        return isTunnelName(event.link.name) || this.#parents.has(event.link.index);
      case 'address': {
        const { link, address } = event.address;
        const ours = this.#plan?.tunnels.some(({ underlay }) => underlay.equals(address)) ?? false;
        return ours || [...this.#indexes.values()].includes(link);
      }
    }
  }

  #gather(): void {
    if (this.#stopped) return;
    this.#gathering ??= this.#options.clock.after(GATHER, 'gather changes of routing', () => {
      this.#gathering = undefined;
      this.#again = true;
      this.#running ??= this.#run().finally(() => {
        this.#running = undefined;
      });
    });
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#stopped && this.#mirror.synced) {
      this.#again = false;
      this.#timer();
      try {
        await this.#pass();
        const soon = this.#devices.waiting || this.#problems.some(({ code }) => TRIED_AGAIN.has(code));
        this.#later(soon ? Math.min(this.#refresh, SOON) : this.#refresh);
      } catch (error) {
        if (!this.#stopped)
          this.#options.log.error({ error: String(error) }, 'routes could not be written; trying again');
        this.#later(RETRY);
      }
    }
  }

  get #refresh(): Millis {
    const text = this.#facts.settings(this.#options.node).routeRefreshInterval;
    const millis = text === undefined ? REFRESH : (parseDuration(text) ?? REFRESH);
    return millis === 0 ? REFRESH : millis;
  }

  #later(delay: Millis): void {
    if (!this.#stopped)
      this.#timer = this.#options.clock.after(delay, 'look at routes', () => this.#gather());
  }

  async #pass(): Promise<void> {
    this.#plan ??= planRouting(this.#options.node, this.#facts);
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
      const changes = await vtepChanges(this.#netlink, link, vteps);
      steps += changes.before.length + changes.after.length;
      refused.push(
        ...(await this.#netlink.applyNeighbours(changes.before)).flatMap(({ problems }) => problems),
      );
      after.push(...changes.after);
    }
    const routes = await applyRoutes(this.#netlink, overStanding(plan, devices.indexes));
    refused.push(...(await this.#netlink.applyNeighbours(after)).flatMap(({ problems }) => problems));
    steps += routes.steps + (await this.#devices.retire(plan.unneeded));
    this.#passes++;
    this.#last = { devices, routes };
    this.#tell([...plan.problems, ...devices.problems, ...routes.problems, ...refused]);
    if (steps > 0)
      this.#options.log.info(
        { steps, routes: routes.routes, kept: routes.kept },
        'the kernel holds the routes',
      );
  }

  /** Each problem once, when it appears; and when it is gone. */
  #tell(problems: readonly Problem[]): void {
    const before = new Set(this.#problems.map(formatProblem));
    const now = new Set(problems.map(formatProblem));
    for (const text of now) if (!before.has(text)) this.#options.log.warn({}, text);
    for (const text of before) if (!now.has(text)) this.#options.log.info({}, `no longer: ${text}`);
    this.#problems = problems;
  }
}

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
const TRIED_AGAIN: ReadonlySet<string> = new Set(['ROUTE_REFUSED', 'TUNNEL_REFUSED', 'TUNNEL_UNSUPPORTED']);
