/**
 * The node agent put together: daemons first, because routes and connections wait for them; then the socket, so that
 * a runtime gets an answer whatever the state; then the store, which may take its time; then what is owed; then work.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatProblem } from '../api/index.ts';
import type { Clock, Millis } from '../clock/clock.ts';
import { PendingDeletions } from '../cni-plugin/pending.ts';
import { type ControlServer, askControl, respond, serveControl } from '../daemon/control.ts';
import type { Log } from '../daemon/log.ts';
import { EXPOSITION, exposition } from '../daemon/metrics.ts';
import { streamed } from '../daemon/stream.ts';
import { openStore, reachStore, ResourceClient, type Store } from '../datastore/index.ts';
import { FollowedFacts, Ipam } from '../ipam/index.ts';
import { EndpointStatusFolder } from './cni/endpoint-status.ts';
import type { CniPorts } from './cni/ports.ts';
import { type LauncherServer, serveLaunchers } from './cni/launcher.ts';
import { keepLimits } from './cni/limit-keeper.ts';
import { UplinkMtu } from './cni/mtu.ts';
import { CniServer, type Unready } from './cni/server.ts';
import { closeHost, openHost } from './cni/wiring.ts';
import { HostEndpointKeeper } from './host-endpoints/keeper.ts';
import { Inventory } from './inventory.ts';
import { IpamCollector } from './ipam-collector.ts';
import { AGENT_METRICS, type AgentMeasured } from './metrics.ts';
import { makeNode, type NodeWishes } from './addresses/node-resource.ts';
import { TunnelAddresses } from './addresses/tunnel-addresses.ts';
import { type DaemonSpec, Supervisor } from './supervisor.ts';

export interface AgentOptions {
  readonly node: string;
  readonly datastore: string;
  readonly runDir: string;
  /** How long ADD waits for felix-lite; 0: not at all. */
  readonly policyWait: Millis;
  /** Of the garbage collector of IPAM; undefined: what KubeControllersConfiguration says. */
  readonly leakGrace?: Millis | undefined;
  /** Keep the addresses of this machine's Node true; undefined: the Node is others' to write. */
  readonly addresses?: NodeWishes | undefined;
  /** The daemons to run beside us. */
  readonly daemons: readonly DaemonSpec[];
  readonly clock: Clock;
  readonly log: Log;
}

/** What was promised while we were away, and what failed since. */
const DRAIN_EVERY: Millis = 5000;
/** An address may change under us (DHCP), and pools change their mode. */
const LOOK_AT_ADDRESSES: Millis = 60_000;
/** Leftovers come from others too (a namespace removed behind our back). */
const SWEEP_EVERY: Millis = 300_000;

export class Agent {
  readonly #options: AgentOptions;
  readonly #supervisor: Supervisor;
  readonly #cni: CniServer;
  readonly #status: EndpointStatusFolder;
  readonly #stopping = new AbortController();
  #server: ControlServer | undefined;
  #launchers: LauncherServer | undefined;
  #store: Store | undefined;
  #ports: CniPorts | undefined;
  #collector: IpamCollector | undefined;
  #hostEndpoints: HostEndpointKeeper | undefined;
  /** For metrics. */
  readonly measured: AgentMeasured = { collector: () => this.#collector?.state };
  /** What IPAM goes by beside blocks. */
  #facts: FollowedFacts | undefined;
  #background: Promise<void> = Promise.resolve();
  #addressing: Promise<void> = Promise.resolve();
  /** Of this node's addresses, at the last look. */
  #addressProblems: readonly string[] = [];

  constructor(options: AgentOptions) {
    const { runDir, clock, log } = options;
    this.#options = options;
    this.#supervisor = new Supervisor(options.daemons, { runDir, clock, log });
    this.#status = new EndpointStatusFolder(runDir, clock);
    this.#cni = new CniServer({
      clock,
      ports: () => this.#ports,
      pending: new PendingDeletions(runDir),
      unreadiness: () => this.#unreadiness(),
    });
  }

  /** Resolves when the socket is served. @throws PoplinError `CONTROL_IN_USE` when another agent serves it */
  async start(): Promise<void> {
    this.#server = await serveControl(join(this.#options.runDir, 'agent.sock'), {
      'POST /cni': async ({ body }) => this.#cni.handle(body),
      'GET /status': () => this.#describe(),
      'GET /metrics': () => streamed(EXPOSITION, exposition(AGENT_METRICS, this.measured)),
      'GET /health': async () => {
        const reasons = (await this.#unreadiness()).map(({ reason }) => reason);
        return respond(reasons.length === 0 ? 200 : 503, { ready: reasons.length === 0, reasons });
      },
    });
    this.#launchers = await serveLaunchers(this.#options.runDir, (request) => this.#cni.handle(request));
    this.#supervisor.start();
    this.#background = this.#run().catch((error: unknown) => {
      if (!this.#stopping.signal.aborted) throw error;
    });
  }

  /** Ends the daemons too: who stops the agent means the node. (`kill -9` leaves them running, to be adopted.) */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#server?.close();
    await this.#launchers?.close();
    await this.#supervisor.stop();
    await this.#background;
    await this.#addressing;
    await this.#hostEndpoints?.stop();
    await this.#collector?.stop();
    await this.#ports?.inventory.stop();
    await this.#facts?.stop();
    if (this.#ports !== undefined) closeHost(this.#ports.host);
    this.#status.close();
    await this.#store?.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const store = await this.#reachStore();
    this.#store = store;
    const ports = await this.#makePorts(store);
    const { node, clock, log, leakGrace: grace } = this.#options;
    this.#collector = new IpamCollector({ node, store, clock, log, grace });
    this.#collector.start();
    this.#hostEndpoints = new HostEndpointKeeper({
      store,
      client: ports.client,
      clock,
      log,
      // One lease for all that is done once in a cluster: thousands of agents look at it.
      leads: () => this.#collector?.state.leader === true,
    });
    this.#hostEndpoints.start();
    const tunnels = new TunnelAddresses({ node, clock, client: ports.client, ipam: ports.ipam });
    await this.#lookAtAddresses(ports, tunnels);
    const unfollow = ports.inventory.onPools(() => void this.#lookAtAddresses(ports, tunnels));
    signal.addEventListener('abort', unfollow, { once: true });
    signal.addEventListener('abort', keepLimits(ports), { once: true });
    let nextAddresses = clock.now() + LOOK_AT_ADDRESSES;
    let nextSweep = -Infinity;
    while (!signal.aborted) {
      const owed = await this.#cni.drain(ports);
      if (owed > 0) log.warn({ owed }, 'deletions are still owed');
      if (clock.now() >= nextSweep) {
        await this.#sweep(ports);
        nextSweep = clock.now() + SWEEP_EVERY;
      }
      if (clock.now() >= nextAddresses) {
        await this.#lookAtAddresses(ports, tunnels);
        nextAddresses = clock.now() + LOOK_AT_ADDRESSES;
      }
      // Old promises first: only then are new attachments made, which might take the same names.
      this.#ports = ports;
      await sleep(DRAIN_EVERY, undefined, { signal });
    }
  }

  /** One look at a time: two would both take an address for the same tunnel. */
  #lookAtAddresses(ports: CniPorts, tunnels: TunnelAddresses): Promise<void> {
    this.#addressing = this.#addressing.then(() => this.#keepAddresses(ports, tunnels));
    return this.#addressing;
  }

  async #keepAddresses({ client, host, inventory }: CniPorts, tunnels: TunnelAddresses): Promise<void> {
    const { node, log, addresses } = this.#options;
    // Under the lock of a migration nothing is written; the next look comes by itself.
    if (this.#stopping.signal.aborted || !inventory.datastoreReady) return;
    try {
      const made =
        addresses === undefined ? undefined : await makeNode(node, addresses, client, host.netlink);
      const told = made === undefined ? [] : made.ok ? made.value.problems : made.problems;
      const problems = [...told, ...(await tunnels.reconcile(inventory.pools(), inventory.felix()))].map(
        formatProblem,
      );
      for (const text of problems) if (!this.#addressProblems.includes(text)) log.warn({}, text);
      this.#addressProblems = problems;
    } catch (error) {
      log.warn({ error: String(error) }, "the node's addresses could not be looked at; it is tried again");
    }
  }

  async #sweep(ports: CniPorts): Promise<void> {
    const { log } = this.#options;
    try {
      const swept = await this.#cni.sweep(ports);
      const found = swept.cables.length + swept.endpoints.length + swept.handles.length + swept.repaired;
      if (found > 0) log.info(swept, 'put right what a crash or somebody else left');
    } catch (error) {
      log.warn({ error: String(error) }, 'the sweep could not finish; it is tried again later');
    }
  }

  async #reachStore(): Promise<Store> {
    const { datastore, clock, log } = this.#options;
    return reachStore(async () => openStore(datastore), {
      clock,
      // Whatever is wrong, runtimes are told of it as long as the agent lives.
      mayPass: () => true,
      onWait: (error) =>
        log.error({ datastore, error: String(error) }, 'cannot open the datastore; waiting for it'),
      signal: this.#stopping.signal,
    });
  }

  async #makePorts(store: Store): Promise<CniPorts> {
    const { node, clock, log, policyWait } = this.#options;
    const inventory = new Inventory(node, store, clock, log);
    await inventory.start();
    this.#facts = new FollowedFacts(store, { clock });
    await this.#facts.start();
    const host = openHost();
    return {
      node,
      client: new ResourceClient(store, clock),
      ipam: new Ipam(store, clock, Math.random, this.#facts),
      inventory,
      host,
      mtu: new UplinkMtu(host.netlink, clock),
      status: this.#status,
      clock,
      log,
      policyWait,
    };
  }

  /** Why ADD would fail, strongest first. */
  async #unreadiness(): Promise<Unready[]> {
    const ports = this.#ports;
    const { datastore, node } = this.#options;
    if (ports === undefined || this.#store === undefined) {
      const reason = `the node agent has not reached the datastore ${datastore} yet; wait, or look at its log`;
      return [{ reason }];
    }
    const reasons: string[] = [];
    try {
      await this.#store.revision();
    } catch (error) {
      reasons.push(`the datastore ${datastore} does not answer: ${String(error)}`);
    }
    if (!ports.inventory.datastoreReady)
      reasons.push('the datastore is locked by a migration (ClusterInformation datastoreReady: false)');
    if (ports.inventory.pools().every(({ spec }) => spec.disabled === true)) {
      reasons.push(
        'there is no enabled IPPool to take addresses from; create one with: poplin apply -f pool.yaml',
      );
    }
    if (!ports.inventory.hasNode)
      reasons.push(`there is no Node ${node}; create it with: poplin apply -f node.yaml`);
    return [...reasons.map((reason) => ({ reason })), ...(await this.#ailing())];
  }

  /** Daemons that do not do their work: workloads that run already get no news of routes and policy. */
  async #ailing(): Promise<Unready[]> {
    const reasons: string[] = [];
    for (const [name, { state }] of Object.entries(this.#supervisor.status())) {
      if (state !== 'running')
        reasons.push(`${name} is not running; see ${join(this.#options.runDir, 'log', `${name}.log`)}`);
    }
    if (this.#options.daemons.some(({ name }) => name === 'felix')) {
      const felix = await askControl(join(this.#options.runDir, 'felix.sock'), 'GET', '/status', {
        deadlineMs: 1000,
      });
      if (!felix.ok)
        reasons.push(`felix-lite does not answer: ${felix.problems.map(formatProblem).join('; ')}`);
    }
    return reasons.map((reason) => ({ reason, limits: true }));
  }

  #describe(): object {
    return {
      node: this.#options.node,
      pid: process.pid,
      ready: this.#ports !== undefined,
      daemons: this.#supervisor.status(),
      endpoints: this.#ports?.inventory.endpoints().length ?? 0,
      problems: this.#addressProblems,
    };
  }
}
