/**
 * WireGuard between nodes: a device with a key of its own in each IP version that is switched on, the public half of which is
 * published in the status of the Node, and a routing table that sends into it what is for nodes that publish one too.
 *
 * The order keeps packets flowing. Nothing is sent into the tunnel before our key is seen published; a new key is published
 * before the device takes it; and when WireGuard is switched off, packets go around it at once while the device goes on
 * receiving for a time of grace, as other nodes hear of it later.
 */
import { formatProblem, PoplinError, type Problem } from '../../../api/index.ts';
import type { Clock, Millis } from '../../../clock/clock.ts';
import { ResourceClient, type Store } from '../../../datastore/index.ts';
import type { IpVersion } from '../../../net/addr/index.ts';
import {
  changeBetween,
  type DeviceState,
  isKernelError,
  type Netlink,
  readSysctl,
  writeSysctl,
} from '../../../net/kernel/index.ts';
import type { Facts, NodeEnd } from '../facts.ts';
import type { KernelReads } from '../mirror.ts';
import { type Implementation, type Standing, WireGuardDevice } from './device.ts';
import { keyIn, publicKeyOf } from './keys.ts';
import type { WireGuardMeasured } from './metrics.ts';
import { planWireGuard, type WireGuardPlan } from './plan.ts';
import { publishKey } from './publish.ts';
import { applyRule, applyTable } from './routes.ts';
import type { WireGuardSettings } from './settings.ts';
import { setThreaded } from './threads.ts';

export interface WireGuardOptions {
  readonly node: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly netlink: Netlink;
  /** What the kernel has; default: to be asked of it. */
  readonly known?: Pick<KernelReads, 'listRoutes'>;
  readonly netns?: string | undefined;
  /** Where private keys are kept. */
  readonly stateDir: string;
  /** How long a device that is needed no more goes on receiving. */
  readonly grace: Millis;
}

export interface WireGuardStatus {
  readonly device: string;
  readonly implementation: Implementation;
  readonly publicKey: string;
  /** UDP. */
  readonly port: number;
  /** Octets. */
  readonly mtu: number;
  readonly peers: number;
  /** Of them, those that it has shaken hands with in the last three minutes. */
  readonly talking: number;
  /** Other nodes, to which packets go unencrypted. */
  readonly plain: number;
}

export interface WireGuardOutcome {
  readonly steps: number;
  readonly status: Readonly<Partial<Record<IpVersion, WireGuardStatus>>>;
  /** Look again soon. */
  readonly waiting: boolean;
  readonly problems: readonly Problem[];
}

interface Part {
  readonly steps: number;
  readonly status?: WireGuardStatus;
  readonly waiting?: boolean;
  readonly problems: readonly Problem[];
}

/** After which a session's keys are of no use any more (REJECT_AFTER_TIME). */
const TALKING_SECONDS = 180;
const SOURCE_MARK = 'net.ipv4.conf.all.src_valid_mark';
const VERSIONS: readonly IpVersion[] = [4, 6];

export class WireGuard {
  readonly #options: WireGuardOptions;
  readonly #client: ResourceClient;
  readonly #device: WireGuardDevice;
  readonly #idleSince = new Map<IpVersion, Millis>();
  readonly #standing = new Map<IpVersion, Standing & { readonly name: string }>();

  constructor(options: WireGuardOptions) {
    this.#options = options;
    this.#client = new ResourceClient(options.store, options.clock);
    this.#device = new WireGuardDevice(options.netlink, options.netns);
  }

  close(): void {
    this.#device.close();
  }

  /** Whether an interface is one of its devices. */
  owns(index: number): boolean {
    return [...this.#standing.values()].some((device) => device.index === index);
  }

  /** What devices say of themselves now. */
  async measure(): Promise<readonly WireGuardMeasured[]> {
    return Promise.all(
      [...this.#standing.values()].map(async ({ name: device, door }) => {
        const { privateKey, port, peers } = await door.read(device);
        return { device, publicKey: privateKey === undefined ? '' : publicKeyOf(privateKey), port, peers };
      }),
    );
  }

  async pass(facts: Facts, settings: WireGuardSettings, floating: boolean): Promise<WireGuardOutcome> {
    const parts = new Map<IpVersion, Part>();
    for (const version of VERSIONS) parts.set(version, await this.#one(version, facts, settings, floating));
    const all = [...parts.values()];
    return {
      steps: all.reduce((sum, { steps }) => sum + steps, 0),
      status: Object.fromEntries(
        [...parts].flatMap(([version, { status }]) => (status ? [[version, status]] : [])),
      ),
      waiting: all.some(({ waiting }) => waiting === true),
      problems: all.flatMap(({ problems }) => problems),
    };
  }

  async #one(
    version: IpVersion,
    facts: Facts,
    settings: WireGuardSettings,
    floating: boolean,
  ): Promise<Part> {
    const self = facts.nodes.get(this.#options.node);
    const end = self?.[version];
    if (!settings.enabled[version]) return this.#retire(version, end, settings);
    this.#idleSince.delete(version);
    try {
      if (end === undefined) throw new PoplinError([withoutAddress(this.#options.node, version)]);
      if (settings.mark === undefined) throw new PoplinError([NO_MARK]);
      return await this.#keep(version, facts, end, { ...settings, mark: settings.mark }, floating);
    } catch (error) {
      // Others must not encrypt for a node that cannot read it.
      const { steps, problems } = await this.#bypass(version, end);
      return { steps, problems: [...refused(settings.devices[version], error), ...problems] };
    }
  }

  async #keep(
    version: IpVersion,
    facts: Facts,
    end: NodeEnd,
    settings: WireGuardSettings & { readonly mark: number },
    floating: boolean,
  ): Promise<Part> {
    const { node, netlink } = this.#options;
    const inner = end.wireguard?.inner ?? (settings.hosts ? end.underlay.address : undefined);
    const wish = { name: settings.devices[version], version, underlay: end.underlay.address, inner };
    const device = await this.#device.ensure({ ...wish, mtu: settings.mtu[version] });
    this.#standing.set(version, { ...device, name: wish.name });
    let { steps } = device;
    const plan = planWireGuard(node, facts, settings, version, floating);
    const problems: Problem[] = [...plan.problems];
    const published = end.wireguard?.publicKey;
    const state = await device.door.read(wish.name);
    const key = keyIn(this.#keyFile(version));
    const publicKey = publicKeyOf(key);
    const kept = state.privateKey !== undefined && publicKeyOf(state.privateKey) === published;
    const change = changeBetween(state, {
      privateKey: published === publicKey || !kept ? key : (state.privateKey ?? key),
      port: settings.ports[version],
      mark: settings.mark,
      peers: plan.peers,
    });
    if (change !== undefined) {
      await device.door.change(wish.name, change);
      steps++;
    }
    if (published !== publicKey) problems.push(...(await publishKey(this.#client, node, version, publicKey)));
    const table = settings.tables[version];
    const routes = await applyTable(netlink, version, table, device.index, plan.routes, this.#options.known);
    steps += routes.steps;
    problems.push(...routes.problems);
    if (settings.hosts) steps += this.#believeMarks();
    if (device.implementation === 'kernel') {
      const threaded = setThreaded(wish.name, settings.threads);
      if (typeof threaded === 'number') steps += threaded;
      else problems.push(threaded);
    }
    const leads = published !== undefined;
    steps += await applyRule(
      netlink,
      version,
      leads ? { priority: settings.priority, table, mark: settings.mark } : undefined,
    );
    return {
      steps,
      problems,
      status: statusOf(wish.name, device, publicKey, settings.ports[version], plan, this.#talking(state)),
    };
  }

  #talking({ peers }: DeviceState): number {
    const recent = this.#options.clock.wall().getTime() / 1000 - TALKING_SECONDS;
    return peers.filter(({ handshakeAt }) => handshakeAt > recent).length;
  }

  #keyFile(version: IpVersion): string {
    const { stateDir, node } = this.#options;
    return `${stateDir}/wireguard${version === 6 ? '-v6' : ''}-${node}.key`;
  }

  /** Packets that come in with our mark are looked up with it too when their way back is checked (rp_filter). */
  #believeMarks(): number {
    const { netns } = this.#options;
    if (readSysctl(SOURCE_MARK, netns) === '1') return 0;
    writeSysctl(SOURCE_MARK, 1, netns);
    return 1;
  }

  /** No packet goes into the tunnel, and nobody is told to send into it. */
  async #bypass(version: IpVersion, end: NodeEnd | undefined): Promise<Part> {
    const { node, netlink } = this.#options;
    const steps = await applyRule(netlink, version, undefined);
    const published = end?.wireguard?.publicKey !== undefined;
    const problems = published ? await publishKey(this.#client, node, version, undefined) : [];
    return { steps, problems };
  }

  async #retire(version: IpVersion, end: NodeEnd | undefined, settings: WireGuardSettings): Promise<Part> {
    const { clock, netlink, grace } = this.#options;
    const { steps, problems } = await this.#bypass(version, end);
    const name = settings.devices[version];
    if (!(await this.#device.stands(name))) {
      this.#standing.delete(version);
      return { steps, problems };
    }
    const since = this.#idleSince.get(version) ?? clock.now();
    this.#idleSince.set(version, since);
    if (clock.now() - since < grace) return { steps, problems, waiting: true };
    const index = (await netlink.getLink(name))?.index ?? 0;
    const routes = await applyTable(netlink, version, settings.tables[version], index, []);
    await this.#device.remove(name);
    this.#idleSince.delete(version);
    this.#standing.delete(version);
    return { steps: steps + routes.steps + 1, problems };
  }
}

function statusOf(
  device: string,
  { implementation, mtu }: Standing,
  publicKey: string,
  port: number,
  plan: WireGuardPlan,
  talking: number,
): WireGuardStatus {
  return {
    device,
    implementation,
    publicKey,
    port,
    mtu,
    peers: plan.peers.length,
    talking,
    plain: plan.plain,
  };
}

const NO_MARK: Problem = {
  code: 'MARK_MASK_SMALL',
  resource: 'FelixConfiguration/default',
  field: 'spec.iptablesMarkMask',
  what: 'the mask has fewer than the six bits that policy and WireGuard need; packets go unencrypted',
  remedy: 'give it six bits or more; the default is 0xffff0000',
};

function withoutAddress(node: string, version: IpVersion): Problem {
  const field = `spec.bgp.ipv${version}Address`;
  return {
    code: 'NODE_WITHOUT_ADDRESS',
    resource: `Node/${node}`,
    field,
    what: `WireGuard is switched on, and this node has no IPv${version} address to send its packets from`,
    remedy: `set ${field}, or let it be found: poplin node init --ip${version === 6 ? '6' : ''}=autodetect`,
  };
}

function refused(device: string, error: unknown): readonly Problem[] {
  if (error instanceof PoplinError && !isKernelError(error)) return error.problems;
  const words = error instanceof PoplinError ? error.problems.map(formatProblem).join('; ') : String(error);
  return [
    {
      code: 'TUNNEL_REFUSED',
      value: device,
      what: `${device} could not be set up: ${words}`,
      remedy: 'it is tried again; packets of this node go unencrypted meanwhile',
    },
  ];
}
