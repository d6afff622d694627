/**
 * The WireGuard device of one IP version: made by the kernel where it can, else by wireguard-go, and kept as it should be.
 *
 * Whose is it? A device under the configured name that is of kind wireguard, or of kind tun while wireguard-go answers for
 * it. Any other is a stranger's.
 */
import { PoplinError, type Problem } from '../../../api/index.ts';
import type { Address, IpVersion } from '../../../net/addr/index.ts';
import {
  isKernelError,
  KernelWireGuard,
  type Link,
  type Netlink,
  startUserspace,
  userspace,
  userspaceAnswers,
  userspaceProgram,
  type WireGuardDoor,
} from '../../../net/kernel/index.ts';
import { notOurAddress } from '../refusals.ts';
import { OVERHEAD } from './settings.ts';

const ALIAS = 'poplin: tunnel';
const SCOPE_UNIVERSE = 0;

export type Implementation = 'kernel' | 'wireguard-go';

export interface DeviceWish {
  readonly name: string;
  readonly version: IpVersion;
  /** The node's own address below. */
  readonly underlay: Address;
  /** On the device; undefined: none. */
  readonly inner: Address | undefined;
  /** Octets; undefined: that of the interface below less the overhead. */
  readonly mtu: number | undefined;
}

export interface Standing {
  readonly index: number;
  readonly mtu: number;
  readonly implementation: Implementation;
  readonly door: WireGuardDoor;
  readonly steps: number;
}

export class WireGuardDevice {
  readonly #netlink: Netlink;
  readonly #netns: string | undefined;
  #kernel: KernelWireGuard | undefined;

  constructor(netlink: Netlink, netns: string | undefined) {
    this.#netlink = netlink;
    this.#netns = netns;
  }

  /** @throws PoplinError with what is in the way, to be told as it is */
  async ensure(wish: DeviceWish): Promise<Standing> {
    const parent = await this.#parent(wish.underlay);
    if (parent === undefined) throw new PoplinError([notOurAddress(wish)]);
    let link = await this.#netlink.getLink(wish.name);
    let steps = 0;
    if (link === undefined) {
      link = await this.#make(wish.name);
      steps++;
    }
    const implementation = await this.#implementation(link);
    if (implementation === undefined) throw new PoplinError([foreign(link)]);
    const mtu = wish.mtu ?? parent.mtu - OVERHEAD[wish.version];
    if (link.mtu !== mtu || !link.up || link.alias !== ALIAS) {
      await this.#netlink.setLink(link.index, { mtu, alias: ALIAS, up: true });
      steps++;
    }
    steps += await this.#address(link.index, wish);
    return { index: link.index, mtu, implementation, door: this.#door(implementation), steps };
  }

  /** Takes the device away, if it is ours. @returns whether it was there */
  async remove(name: string): Promise<boolean> {
    const link = await this.#netlink.getLink(name);
    if (link === undefined || (await this.#implementation(link)) === undefined) return false;
    // wireguard-go ends with its device.
    return this.#netlink.deleteLink(link.index);
  }

  async stands(name: string): Promise<boolean> {
    const link = await this.#netlink.getLink(name);
    return link !== undefined && (await this.#implementation(link)) !== undefined;
  }

  close(): void {
    this.#kernel?.close();
  }

  async #make(name: string): Promise<Link> {
    try {
      await this.#netlink.createTunnel({ kind: 'wireguard', name });
    } catch (error) {
      if (!isKernelError(error, 'EOPNOTSUPP', 'ENOENT', 'EAFNOSUPPORT')) throw error;
      const program = userspaceProgram();
      if (program === undefined) throw new PoplinError([unsupported(name)]);
      await startUserspace(program, name, this.#netns);
    }
    const link = await this.#netlink.getLink(name);
    if (link === undefined) throw new Error(`${name} went as soon as it was made`);
    return link;
  }

  async #implementation({ name, kind }: Link): Promise<Implementation | undefined> {
    if (kind === 'wireguard') return 'kernel';
    return kind === 'tun' && (await userspaceAnswers(name)) ? 'wireguard-go' : undefined;
  }

  #door(implementation: Implementation): WireGuardDoor {
    if (implementation === 'wireguard-go') return userspace;
    this.#kernel ??= new KernelWireGuard(this.#netns);
    return this.#kernel;
  }

  async #parent(underlay: Address): Promise<Link | undefined> {
    const on = (await this.#netlink.listAddresses()).find(({ address }) => address.equals(underlay));
    return on === undefined ? undefined : this.#netlink.getLink(on.link);
  }

  /** The one address that is wished, and no other that somebody else in the cluster may hold by now. */
  async #address(index: number, { inner, version }: DeviceWish): Promise<number> {
    const there = (await this.#netlink.listAddresses(index)).filter(
      ({ address, scope }) => address.version === version && scope === SCOPE_UNIVERSE,
    );
    let steps = 0;
    if (inner !== undefined && !there.some(({ address }) => address.equals(inner))) {
      await this.#netlink.addAddress(index, inner, inner.bits, { noDuplicateDetection: true });
      steps++;
    }
    for (const { address, prefixLength } of there) {
      if (inner?.equals(address) === true) continue;
      await this.#netlink.deleteAddress(index, address, prefixLength);
      steps++;
    }
    return steps;
  }
}

function foreign({ name, kind }: Link): Problem {
  return {
    code: 'TUNNEL_FOREIGN',
    value: name,
    what: `${name} is a device of kind ${kind ?? 'hardware'} that somebody else made; a WireGuard device is needed under that name`,
    remedy: `rename or remove it (ip link delete ${name}); it is left alone, and packets go unencrypted until then`,
  };
}

function unsupported(name: string): Problem {
  return {
    code: 'WIREGUARD_UNSUPPORTED',
    value: name,
    what: 'this kernel has no WireGuard, and wireguard-go is not installed; packets of this node go unencrypted',
    remedy: 'load the module (modprobe wireguard), or install it: apt-get install wireguard-go',
  };
}
