/**
 * Tunnel devices: made, mended, and taken away when no mode needs them and no route leads over them any more.
 *
 * Whose is it? `vxlan.calico` and `vxlan-v6.calico` of kind vxlan are ours, Calico's own included. `tunl0` the kernel makes
 * itself and nobody can remove it: it is ours while it carries our alias.
 */
import { release } from 'node:os';
import { formatProblem, IPIP_DEVICE, PoplinError, type Problem, vxlanDevice } from '../../api/index.ts';
import type { Clock, Millis } from '../../clock/clock.ts';
import {
  isKernelError,
  type Link,
  type LinkAddress,
  type Netlink,
  TABLE_MAIN,
  type Tunnel,
} from '../../net/kernel/index.ts';
import type { KernelReads } from './mirror.ts';
import type { TunnelWish } from './plan.ts';
import { notOurAddress } from './refusals.ts';

const ALIAS = 'poplin: tunnel';
const SCOPE_UNIVERSE = 0;

/** For people. */
export interface TunnelStatus {
  readonly address: string;
  /** Octets. */
  readonly mtu: number;
  /** Why it is that. */
  readonly mtuFrom: string;
  /** The interface below. */
  readonly over: string;
}

export interface DeviceOutcome {
  /** Index of each device that stands as wished. */
  readonly indexes: ReadonlyMap<string, number>;
  readonly standing: ReadonlyMap<string, TunnelStatus>;
  /** Indexes of the interfaces below. */
  readonly parents: ReadonlySet<number>;
  readonly steps: number;
  readonly problems: readonly Problem[];
}

export function isTunnelName(name: string): boolean {
  return name === IPIP_DEVICE || name === vxlanDevice(4) || name === vxlanDevice(6);
}

export class TunnelDevices {
  readonly #netlink: Netlink;
  readonly #known: KernelReads;
  readonly #clock: Clock;
  /** Other nodes change their minds later than we do: a device goes on receiving for so long. */
  readonly #grace: Millis;
  readonly #idleSince = new Map<string, Millis>();
  /** Needed by no mode, and still on the way of routes that others have yet to change. */
  #inUse = false;

  /** @param known  what the kernel has */
  constructor(netlink: Netlink, clock: Clock, grace: Millis, known: KernelReads = netlink) {
    this.#netlink = netlink;
    this.#known = known;
    this.#clock = clock;
    this.#grace = grace;
  }

  /** Each device for itself: one that the kernel refuses keeps back no other. */
  async ensure(wishes: readonly TunnelWish[]): Promise<DeviceOutcome> {
    const links = await this.#known.listLinks();
    const addresses = await this.#known.listAddresses();
    const indexes = new Map<string, number>();
    const standing = new Map<string, TunnelStatus>();
    const parents = new Set<number>();
    const problems: Problem[] = [];
    let steps = 0;
    for (const wish of wishes) {
      this.#idleSince.delete(wish.name);
      const parent = parentOf(wish, links, addresses);
      if (parent === undefined) problems.push(notOurAddress(wish));
      else
        try {
          parents.add(parent.index);
          const mtu = wish.mtu ?? parent.mtu - wish.overhead;
          const made = await this.#one(wish, parent, mtu, links, addresses);
          indexes.set(wish.name, made.index);
          standing.set(wish.name, {
            address: wish.inner.toString(),
            mtu,
            mtuFrom:
              wish.mtu === undefined
                ? `${parent.mtu} of ${parent.name} less ${wish.overhead} for the tunnel`
                : 'FelixConfiguration',
            over: parent.name,
          });
          steps += made.steps;
        } catch (error) {
          problems.push(...refused(wish, error));
        }
    }
    return { indexes, standing, parents, steps, problems };
  }

  /** @returns how many went */
  async retire(names: readonly string[]): Promise<number> {
    const links = await this.#known.listLinks();
    const idle = links.filter((link) => names.includes(link.name) && isOurs(link));
    for (const name of names) if (!idle.some((link) => link.name === name)) this.#idleSince.delete(name);
    this.#inUse = false;
    if (idle.length === 0) return 0;
    const routes = await this.#known.listRoutes({ table: TABLE_MAIN });
    let steps = 0;
    for (const link of idle) {
      const used = routes.some(({ nextHops }) =>
        nextHops.some((hop) => hop.interface === link.name && hop.gateway !== undefined),
      );
      const since = this.#idleSince.get(link.name) ?? this.#clock.now();
      this.#inUse ||= used;
      if (used) this.#idleSince.delete(link.name);
      else this.#idleSince.set(link.name, since);
      if (used || this.#clock.now() - since < this.#grace) continue;
      await this.#remove(link);
      steps++;
    }
    return steps;
  }

  /**
   * A device waits for its time to go, or for the last route over it: when bgpd takes a route's place, the kernel tells of
   * nothing that went.
   */
  get waiting(): boolean {
    return this.#inUse || this.#idleSince.size > 0;
  }

  async #one(
    wish: TunnelWish,
    parent: Link,
    mtu: number,
    links: readonly Link[],
    addresses: readonly LinkAddress[],
  ): Promise<{ readonly index: number; readonly steps: number }> {
    const netlink = this.#netlink;
    let link = links.find(({ name }) => name === wish.name);
    let steps = 0;
    if (link !== undefined && link.kind !== kindOf(wish)) throw new PoplinError([foreign(wish, link)]);
    if (link !== undefined && isAnother(link, wish, parent)) {
      await netlink.deleteLink(link.index);
      link = undefined;
    }
    if (link === undefined) {
      await netlink.createTunnel(tunnelOf(wish, parent, mtu));
      link = await netlink.getLink(wish.name);
      if (link === undefined) throw new Error(`${wish.name} went as soon as it was made`);
      steps++;
    }
    const { index } = link;
    const mac = wish.vxlan !== undefined && link.mac !== wish.vxlan.mac ? wish.vxlan.mac : undefined;
    if (link.mtu !== mtu || !link.up || link.alias !== ALIAS || mac !== undefined) {
      await netlink.setLink(index, { mtu, mac, alias: ALIAS, up: true });
      steps++;
    }
    steps += this.#checksums(wish);
    steps += await this.#address(index, wish, addresses);
    return { index, steps };
  }

  /** Where nobody says anything and the kernel can be trusted, whoever set it otherwise had his reasons. */
  #checksums({ name, vxlan }: TunnelWish): number {
    if (vxlan === undefined) return 0;
    const wanted = vxlan.checksumOffload ?? (offloadIsBroken(release()) ? false : undefined);
    if (wanted === undefined || this.#netlink.transmitChecksums(name) !== !wanted) return 0;
    this.#netlink.setTransmitChecksums(name, wanted);
    return 1;
  }

  /** The one address that is wished, and no other that somebody else in the cluster may hold by now. */
  async #address(index: number, wish: TunnelWish, addresses: readonly LinkAddress[]): Promise<number> {
    const there = addresses.filter(
      ({ link, address, scope }) =>
        link === index && address.version === wish.version && scope === SCOPE_UNIVERSE,
    );
    let steps = 0;
    if (!there.some(({ address }) => address.equals(wish.inner))) {
      await this.#netlink.addAddress(index, wish.inner, wish.inner.bits, { noDuplicateDetection: true });
      steps++;
    }
    for (const { address, prefixLength } of there) {
      if (address.equals(wish.inner)) continue;
      await this.#netlink.deleteAddress(index, address, prefixLength);
      steps++;
    }
    return steps;
  }

  async #remove(link: Link): Promise<void> {
    this.#idleSince.delete(link.name);
    if (link.kind === 'vxlan') {
      await this.#netlink.deleteLink(link.index);
      return;
    }
    for (const { address, prefixLength } of await this.#netlink.listAddresses(link.index))
      await this.#netlink.deleteAddress(link.index, address, prefixLength);
    await this.#netlink.setLink(link.index, { up: false, alias: '' });
  }
}

/** Up to Linux 5.7, packets through a VXLAN device could leave with wrong checksums (Calico's rule). */
export function offloadIsBroken(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  return major < 5 || (major === 5 && minor <= 7);
}

function isOurs({ kind, alias }: Link): boolean {
  return kind === 'vxlan' || (kind === 'ipip' && alias === ALIAS);
}

function kindOf({ vxlan }: TunnelWish): 'ipip' | 'vxlan' {
  return vxlan === undefined ? 'ipip' : 'vxlan';
}

/** What cannot be changed on the device that stands. */
function isAnother({ vxlan }: Link, wish: TunnelWish, parent: Link): boolean {
  if (wish.vxlan === undefined) return false;
  return (
    vxlan === undefined ||
    vxlan.vni !== wish.vxlan.vni ||
    vxlan.port !== wish.vxlan.port ||
    vxlan.learning ||
    vxlan.parent !== parent.index ||
    vxlan.local?.equals(wish.underlay) !== true
  );
}

function tunnelOf({ name, vxlan, underlay }: TunnelWish, parent: Link, mtu: number): Tunnel {
  // The kernel's own tunl0 takes its MTU when it stands.
  if (vxlan === undefined) return { kind: 'ipip', name };
  return { kind: 'vxlan', name, mtu, ...vxlan, local: underlay, parent: parent.index };
}

function parentOf(
  { underlay }: TunnelWish,
  links: readonly Link[],
  addresses: readonly LinkAddress[],
): Link | undefined {
  const on = addresses.find(({ address }) => address.equals(underlay))?.link;
  return on === undefined ? undefined : links.find(({ index }) => index === on);
}

function foreign({ name, ...wish }: TunnelWish, { kind }: Link): Problem {
  return {
    code: 'TUNNEL_FOREIGN',
    value: name,
    what: `${name} is a device of kind ${kind ?? 'hardware'} that somebody else made; a ${kindOf({ name, ...wish })} tunnel is needed under that name`,
    remedy: `rename or remove it (ip link delete ${name}); it is left alone, and nothing goes through the tunnel until then`,
  };
}

function refused({ name, ...wish }: TunnelWish, error: unknown): readonly Problem[] {
  if (error instanceof PoplinError && !isKernelError(error)) return error.problems;
  const kind = kindOf({ name, ...wish });
  const unsupported = isKernelError(error, 'EOPNOTSUPP', 'ENOENT', 'EAFNOSUPPORT');
  const words = error instanceof PoplinError ? error.problems.map(formatProblem).join('; ') : String(error);
  return [
    {
      code: unsupported ? 'TUNNEL_UNSUPPORTED' : 'TUNNEL_REFUSED',
      value: name,
      what: unsupported
        ? `this kernel has no ${kind} tunnels (${words})`
        : `the kernel refused to set up ${name}: ${words}`,
      remedy: unsupported
        ? `load the module (modprobe ${kind}), or use another mode in the IPPool; everything else works meanwhile`
        : 'it is tried again; everything else works meanwhile',
    },
  ];
}
