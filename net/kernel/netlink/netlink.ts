/**
 * Routes, links, addresses and neighbours of one network namespace: rtnetlink as methods.
 *
 * The codecs are pure and stand beside this file; the socket knows how to ask. What takes more than one message is in
 * route-requests.ts, link-requests.ts and neighbour-requests.ts.
 */
import type { Cancel } from '../../../clock/clock.ts';
import type { Address, IpVersion } from '../../addr/index.ts';
import type { KernelError } from '../errors.ts';
import { setTransmitChecksums, transmitChecksums } from '../ethtool.ts';
import {
  type AddressOptions,
  decodeAddress,
  encodeAddress,
  encodeAddressDump,
  type LinkAddress,
} from './address.ts';
import { type EventGroup, type KernelEvent, subscribe, type Subscription } from './events.ts';
import type { ForwardingEntry } from './fdb.ts';
import {
  encodeLinkChange,
  encodeLinkDelete,
  encodeVeth,
  type Link,
  type LinkChange,
  type VethEnd,
} from './link.ts';
import { deleteLinks, getLink, linkIndex, listLinks, perform, withNamespace } from './link-requests.ts';
import type { MessageWriter } from './message.ts';
import { encodeNeighbour, type Neighbour } from './neighbour.ts';
import {
  applyNeighbours,
  listForwarding,
  listNeighbours,
  type NeighbourChange,
} from './neighbour-requests.ts';
import { noneFor, unless } from './requests.ts';
import type { Route, RouteFilter } from './route.ts';
import type { RouteBatch } from './route-batch.ts';
import {
  applyRoutes,
  listRoutes,
  type RouteChange,
  type RouteOutcome,
  routeTo,
  sendRoutes,
} from './route-requests.ts';
import { type RouteSending, RouteWriter } from './route-writer.ts';
import { decodeRule, encodeRule, encodeRuleDump, type Rule } from './rule.ts';
import { RequestSocket } from './socket.ts';
import type { Step } from './steps.ts';
import { encodeTunnel, type Tunnel } from './tunnel.ts';

export interface NetlinkOptions {
  /** Path of the network namespace, e.g. `/run/netns/a1` or `/proc/PID/ns/net`; default: ours. */
  readonly netns?: string | undefined;
}

export interface Veth extends VethEnd {
  /** Switch the near end on at once. The peer is switched on from its own namespace. */
  readonly up?: boolean | undefined;
  /** The other end, and the path of the namespace in which it is born (default: the same). */
  readonly peer: VethEnd & { readonly netns?: string | undefined };
}

export class Netlink {
  private readonly netns: string | undefined;
  private readonly socket: RequestSocket;
  private writer: RouteWriter | undefined;
  private readonly subscriptions = new Set<Cancel>();

  private constructor(netns: string | undefined) {
    this.netns = netns;
    this.socket = new RequestSocket(netns);
  }

  /** @throws KernelError when there is no permission; the file system's error when the namespace is gone */
  static open(options: NetlinkOptions = {}): Netlink {
    return new Netlink(options.netns);
  }

  /** Ends subscriptions at once; a request under way is still answered, later ones are refused. */
  close(): void {
    for (const cancel of this.subscriptions) cancel();
    this.socket.close();
    this.writer?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The routes of one or all tables, each naming its interfaces. Cached and multicast routing entries are left out. */
  async listRoutes(filter: RouteFilter = {}): Promise<Route[]> {
    return listRoutes(this.socket, filter);
  }

  /**
   * Carries out the changes in order, each for itself: one that fails does not keep back the others.
   *
   * @returns an outcome per change, in the same order
   * @throws KernelError only when the socket itself fails, with the fate of the changes unknown
   */
  applyRoutes(changes: readonly RouteChange[]): Promise<RouteOutcome[]> {
    return applyRoutes(this.socket, changes);
  }

  /**
   * As {@link applyRoutes}, for many: see route-batch.ts and route-writer.ts. One batch at a time, which may be used again when
   * the outcome is there. It waits for no other request, and none for it.
   *
   * @param describe  what the change at a place in the batch was, for the error
   * @throws KernelError when there can be no socket for it, the file system's error when the namespace has gone since
   */
  sendRoutes(batch: RouteBatch, describe: (index: number) => string): RouteSending<KernelError> {
    this.writer ??= new RouteWriter(this.netns);
    return sendRoutes(this.writer, batch, describe);
  }

  listLinks(): Promise<Link[]> {
    return listLinks(this.socket);
  }

  /** Undefined when there is none. */
  getLink(nameOrIndex: string | number): Promise<Link | undefined> {
    return getLink(this.socket, nameOrIndex);
  }

  /** @throws KernelError, EEXIST when either name is taken in its namespace */
  async createVeth({ peer, up, ...end }: Veth): Promise<void> {
    await withNamespace(peer.netns, (fd) =>
      this.socket.request(`RTM_NEWLINK ${end.name}`, (w) => encodeVeth(w, end, peer, up, fd)),
    );
  }

  /**
   * Makes a tunnel device, switched off. The module of its kind is loaded where the kernel may.
   *
   * @returns false when the name is taken: the kernel makes `tunl0` itself when it loads `ipip`
   * @throws KernelError, EOPNOTSUPP when the kernel has no such kind
   */
  async createTunnel(tunnel: Tunnel): Promise<boolean> {
    return this.unless(['EEXIST'], `RTM_NEWLINK ${tunnel.name} type ${tunnel.kind}`, (w) =>
      encodeTunnel(w, tunnel),
    );
  }

  /**
   * Changes what is given, leaves the rest.
   *
   * @param change.netns  path of a namespace to move the interface to
   * @throws KernelError, ENODEV when there is no such interface
   */
  async setLink(
    nameOrIndex: string | number,
    change: LinkChange & { readonly netns?: string | undefined },
  ): Promise<void> {
    const index = await this.linkIndex(nameOrIndex);
    await withNamespace(change.netns, (fd) =>
      this.socket.request(`RTM_SETLINK ${nameOrIndex}`, (w) => encodeLinkChange(w, index, change, fd)),
    );
  }

  /** Removes an interface, and with a veth its other end. False when there was none. */
  async deleteLink(nameOrIndex: string | number): Promise<boolean> {
    return this.unless(['ENODEV'], `RTM_DELLINK ${nameOrIndex}`, (w) => encodeLinkDelete(w, nameOrIndex));
  }

  /**
   * Removes interfaces together. The kernel waits for its readers once for all of them, where one by one it would for
   * each (24 ms a veth). What is not there is passed over.
   *
   * @returns for each whether it was there
   */
  deleteLinks(names: readonly string[]): Promise<boolean[]> {
    return deleteLinks(this.socket, names);
  }

  /**
   * Carries out different changes in one send, in order.
   *
   * @returns the interfaces that were asked for with `look`, in order
   * @throws KernelError of the first step that failed; the kernel has tried those behind it all the same
   */
  perform(steps: readonly Step[]): Promise<Link[]> {
    return perform(this.socket, steps);
  }

  /** The addresses of one interface, or of all. */
  async listAddresses(link?: string | number): Promise<LinkAddress[]> {
    const index = link === undefined ? undefined : await this.linkIndex(link);
    return this.socket.dump('RTM_GETADDR', encodeAddressDump, (bytes, { start, end }) => {
      const address = decodeAddress(bytes, start, end);
      return index === undefined || address?.link === index ? address : undefined;
    });
  }

  /** False when the interface has the address with that prefix length already. */
  async addAddress(
    link: string | number,
    address: Address,
    prefixLength: number,
    options?: AddressOptions,
  ): Promise<boolean> {
    const index = await this.linkIndex(link);
    return this.unless(['EEXIST'], `RTM_NEWADDR ${address.toString()}/${prefixLength} dev ${link}`, (w) =>
      encodeAddress(w, 'add', index, address, prefixLength, options),
    );
  }

  /** False when the interface has no such address. */
  async deleteAddress(link: string | number, address: Address, prefixLength: number): Promise<boolean> {
    const index = await this.linkIndex(link);
    return this.unless(
      ['EADDRNOTAVAIL'],
      `RTM_DELADDR ${address.toString()}/${prefixLength} dev ${link}`,
      (w) => encodeAddress(w, 'delete', index, address, prefixLength),
    );
  }

  /** The rules that choose a routing table, in the order in which they are asked. */
  async listRules(version: IpVersion): Promise<Rule[]> {
    const rules = this.socket.dump(
      `RTM_GETRULE IPv${version}`,
      (w) => encodeRuleDump(w, version),
      (bytes, { start, end }) => {
        const rule = decodeRule(bytes, start, end);
        return rule?.version === version ? rule : undefined;
      },
    );
    return rules.catch(noneFor('EAFNOSUPPORT', 'EOPNOTSUPP'));
  }

  /** False when there is one like it. */
  async addRule(rule: Rule): Promise<boolean> {
    return this.unless(['EEXIST'], `RTM_NEWRULE ${rule.priority}`, (w) => encodeRule(w, 'add', rule));
  }

  /** False when there was none. */
  async deleteRule(rule: Rule): Promise<boolean> {
    return this.unless(['ENOENT'], `RTM_DELRULE ${rule.priority}`, (w) => encodeRule(w, 'delete', rule));
  }

  /** The neighbours of one interface, or of all. */
  async listNeighbours(link?: string | number): Promise<Neighbour[]> {
    return listNeighbours(this.socket, link === undefined ? undefined : await this.linkIndex(link));
  }

  /** Sets what the link layer address of `address` is, for good unless `permanent` is false. */
  async replaceNeighbour(entry: {
    readonly link: string | number;
    readonly address: Address;
    readonly mac: string;
    readonly permanent?: boolean;
  }): Promise<void> {
    const index = await this.linkIndex(entry.link);
    await this.socket.request(`RTM_NEWNEIGH ${entry.address.toString()} dev ${entry.link}`, (w) =>
      encodeNeighbour(w, 'replace', index, entry.address, entry.mac, entry.permanent ?? true),
    );
  }

  /** False when there was no such entry. */
  async deleteNeighbour(entry: {
    readonly link: string | number;
    readonly address: Address;
  }): Promise<boolean> {
    const index = await this.linkIndex(entry.link);
    return this.unless(['ENOENT'], `RTM_DELNEIGH ${entry.address.toString()} dev ${entry.link}`, (w) =>
      encodeNeighbour(w, 'delete', index, entry.address),
    );
  }

  /** See ethtool.ts. @throws KernelError */
  transmitChecksums(link: string): boolean | undefined {
    return transmitChecksums(this.netns, link);
  }

  /** See ethtool.ts. @throws KernelError */
  setTransmitChecksums(link: string, on: boolean): boolean {
    return setTransmitChecksums(this.netns, link, on);
  }

  /**
   * The route by which packets to the address leave, as the table has it, and what a packet would be given: `ip route get`
   * with and without `fibmatch`.
   *
   * @returns undefined when there is none
   */
  routeTo(
    address: Address,
  ): Promise<{ readonly route: Route; readonly source: Address | undefined } | undefined> {
    return routeTo(this.socket, address);
  }

  /** The forwarding entries of a VXLAN device. */
  listForwarding(link: number): Promise<ForwardingEntry[]> {
    return listForwarding(this.socket, link);
  }

  /**
   * Carries out changes of neighbours and forwarding entries in order, in as few sends as they fit in. What is to go and
   * is gone counts as done.
   *
   * @returns what the kernel refused
   */
  applyNeighbours(changes: readonly NeighbourChange[]): Promise<KernelError[]> {
    return applyNeighbours(this.socket, changes);
  }

  /**
   * Calls `listener` with each change in these groups, until cancelled or closed. Main thread only. See events.ts for what the kernel
   * does not report, and for `resync`.
   *
   * @throws KernelError, or the file system's error when the namespace has gone since
   */
  subscribe(groups: readonly EventGroup[], listener: (event: KernelEvent) => void): Cancel {
    return this.follow(groups, listener).cancel;
  }

  /** As {@link subscribe}, for who keeps a copy of the kernel's state and has to know how far it goes. */
  follow(groups: readonly EventGroup[], listener: (event: KernelEvent) => void): Subscription {
    const subscription = subscribe(this.netns, groups, listener);
    const cancel = () => {
      this.subscriptions.delete(cancel);
      subscription.cancel();
    };
    this.subscriptions.add(cancel);
    return { cancel, catchUp: () => subscription.catchUp() };
  }

  private linkIndex(nameOrIndex: string | number): Promise<number> {
    return linkIndex(this.socket, nameOrIndex);
  }

  private unless(
    codes: readonly string[],
    call: string,
    encode: (w: MessageWriter) => void,
  ): Promise<boolean> {
    return unless(this.socket, codes, call, encode);
  }
}
