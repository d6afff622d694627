/**
 * Routes, links, addresses and neighbours of one network namespace: rtnetlink as methods.
 *
 * The codecs are pure and stand beside this file; the socket knows how to ask. Here is only what belongs to no
 * single message: names and indexes of interfaces, batches, and which refusals are no failure.
 */
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import type { Cancel } from '../../../clock/clock.ts';
import type { Address, IpVersion } from '../../addr/index.ts';
import { isKernelError, KernelError } from '../errors.ts';
import { setTransmitChecksums, transmitChecksums } from '../ethtool.ts';
import {
  type AddressOptions,
  decodeAddress,
  encodeAddress,
  encodeAddressDump,
  type LinkAddress,
} from './address.ts';
import { type EventGroup, type KernelEvent, subscribe, type Subscription } from './events.ts';
import {
  decodeLink,
  encodeGroupDelete,
  encodeLinkChange,
  encodeLinkDelete,
  encodeLinkDump,
  encodeLinkGet,
  encodeVeth,
  type Link,
  type LinkChange,
  RTM_NEWLINK,
  type VethEnd,
} from './link.ts';
import { decodeForwarding, encodeForwarding, encodeForwardingDump, type ForwardingEntry } from './fdb.ts';
import { type IndexOf, MessageWriter } from './message.ts';
import { decodeNeighbour, encodeNeighbour, encodeNeighbourDump, type Neighbour } from './neighbour.ts';
import { formatRoute, matchesFilter, type Route, type RouteFilter, type RouteOperation } from './route.ts';
import {
  decodeLookup,
  decodeRoute,
  encodeRoute,
  encodeRouteDump,
  encodeRouteLookup,
  RTM_NEWROUTE,
} from './route-codec.ts';
import type { RouteBatch } from './route-batch.ts';
import { decodeRule, encodeRule, encodeRuleDump, type Rule } from './rule.ts';
import { RequestSocket } from './socket.ts';
import { describeStep, encodeStep, type Step } from './steps.ts';
import { encodeTunnel, type Tunnel } from './tunnel.ts';

export interface NetlinkOptions {
  /** Path of the network namespace, e.g. `/run/netns/a1` or `/proc/PID/ns/net`; default: ours. */
  readonly netns?: string | undefined;
}

export interface RouteChange {
  readonly op: RouteOperation;
  readonly route: Route;
}

export interface RouteOutcome {
  readonly change: RouteChange;
  /** 0 when done. */
  readonly errno: number;
  /** Present exactly when `errno` is not 0, with the kernel's own words. */
  readonly error?: KernelError;
}

/** On the interface of its index; permanent. */
export type NeighbourChange =
  | {
      readonly type: 'neighbour';
      readonly op: 'replace' | 'delete';
      readonly entry: { readonly link: number; readonly address: Address; readonly mac?: string | undefined };
    }
  | { readonly type: 'forwarding'; readonly op: 'replace' | 'delete'; readonly entry: ForwardingEntry };

export interface Veth extends VethEnd {
  /** Switch the near end on at once. The peer is switched on from its own namespace. */
  readonly up?: boolean | undefined;
  /** The other end, and the path of the namespace in which it is born (default: the same). */
  readonly peer: VethEnd & { readonly netns?: string | undefined };
}

/** "popl": nobody else's group of interfaces. Who is in it is about to go. */
const LEAVING = 0x706f706c;

/**
 * Messages in one send. Each send is a hand-over to a thread and back, in which the kernel stands still: with 128 routes a
 * sixth of the time, with 512 none of it that could be measured (kernel 6.18; bench routes).
 */
const BATCH = 512;

export class Netlink {
  private readonly netns: string | undefined;
  private readonly socket: RequestSocket;
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
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The routes of one or all tables, each naming its interfaces. Cached and multicast routing entries are left out. */
  async listRoutes(filter: RouteFilter = {}): Promise<Route[]> {
    const names = new Map((await this.listLinks()).map(({ index, name }) => [index, name]));
    const nameOf = (index: number) => names.get(index);
    const versions: readonly IpVersion[] = filter.version === undefined ? [4, 6] : [filter.version];
    const found: Route[][] = [];
    for (const version of versions) {
      const routes = this.socket.dump(
        `RTM_GETROUTE IPv${version}`,
        (w) => encodeRouteDump(w, version, filter),
        (bytes, { start, end }) => {
          const route = decodeRoute(bytes, start, end, nameOf);
          return route !== undefined && matchesFilter(route, filter) ? route : undefined;
        },
      );
      found.push(await routes.catch(noneFor('ENOENT', 'EAFNOSUPPORT', 'EOPNOTSUPP')));
    }
    return found.flat();
  }

  /**
   * Carries out the changes in order, each for itself: one that fails does not keep back the others.
   *
   * @returns an outcome per change, in the same order
   * @throws KernelError only when the socket itself fails, with the fate of the changes unknown
   */
  async applyRoutes(changes: readonly RouteChange[]): Promise<RouteOutcome[]> {
    const indexOf = await this.indexer(changes);
    const outcomes: RouteOutcome[] = [];
    for (let at = 0; at < changes.length; at += BATCH)
      outcomes.push(...(await this.applyBatch(changes.slice(at, at + BATCH), indexOf)));
    return outcomes;
  }

  /**
   * As {@link applyRoutes}, for many: see route-batch.ts. The batch may be used again when the answer is there.
   *
   * @param describe  what the change at a place in the batch was, for the error
   * @returns what failed, by place
   */
  async sendRoutes(
    batch: RouteBatch,
    describe: (index: number) => string,
  ): Promise<ReadonlyMap<number, KernelError>> {
    const failures = new Map<number, KernelError>();
    if (batch.count === 0) return failures;
    for (const [index, { errno, text }] of await this.socket.failures(batch))
      failures.set(index, new KernelError(errno, describe(index), text ?? plainWords(errno)));
    return failures;
  }

  private async applyBatch(changes: readonly RouteChange[], indexOf: IndexOf): Promise<RouteOutcome[]> {
    const writer = new MessageWriter(64 * changes.length);
    const refused = new Map<RouteChange, RouteOutcome>();
    for (const change of changes) {
      try {
        encodeRoute(writer, change.op, change.route, indexOf);
      } catch (error) {
        writer.discard();
        refused.set(change, refusal(change, error));
      }
    }
    const verdicts = writer.count === 0 ? [] : await this.socket.batch(writer);
    let next = 0;
    return changes.map((change) => {
      const early = refused.get(change);
      if (early !== undefined) return early;
      const { errno, text } = verdicts[next++] ?? { errno: 0, text: undefined };
      if (errno === 0) return { change, errno };
      return { change, errno, error: new KernelError(errno, describe(change), text ?? plainWords(errno)) };
    });
  }

  /** Looks up the interfaces that the changes name, once each. */
  private async indexer(changes: readonly RouteChange[]): Promise<IndexOf> {
    const names = new Set<string>();
    for (const { route } of changes)
      for (const { interface: name } of route.nextHops) if (typeof name === 'string') names.add(name);
    const indexes = new Map<string, number>();
    const FEW = 8;
    if (names.size > FEW) for (const { name, index } of await this.listLinks()) indexes.set(name, index);
    else
      for (const name of names) {
        const link = await this.getLink(name);
        if (link !== undefined) indexes.set(name, link.index);
      }
    return (nameOrIndex) => {
      if (typeof nameOrIndex === 'number') return nameOrIndex;
      const index = indexes.get(nameOrIndex);
      if (index === undefined) throw new KernelError(constants.errno.ENODEV, `interface ${nameOrIndex}`);
      return index;
    };
  }

  listLinks(): Promise<Link[]> {
    return this.socket.dump('RTM_GETLINK', encodeLinkDump, (bytes, { start, end }) =>
      decodeLink(bytes, start, end),
    );
  }

  /** Undefined when there is none. */
  async getLink(nameOrIndex: string | number): Promise<Link | undefined> {
    let link: Link | undefined;
    try {
      await this.socket.request(
        `RTM_GETLINK ${nameOrIndex}`,
        (w) => encodeLinkGet(w, nameOrIndex),
        (bytes, { type, start, end }) => {
          if (type === RTM_NEWLINK) link = decodeLink(bytes, start, end);
        },
      );
    } catch (error) {
      if (!isKernelError(error, 'ENODEV')) throw error;
    }
    return link;
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
  async deleteLinks(names: readonly string[]): Promise<boolean[]> {
    const there: boolean[] = [];
    for (let at = 0; at < names.length; at += BATCH) {
      const part = names.slice(at, at + BATCH);
      const writer = new MessageWriter(64 * part.length);
      for (const name of part) encodeLinkChange(writer, name, { group: LEAVING });
      encodeGroupDelete(writer, LEAVING);
      for (const [i, { errno, text }] of (await this.socket.batch(writer)).entries()) {
        if (errno === 0 || errno === constants.errno.ENODEV) {
          if (i < part.length) there.push(errno === 0);
        } else throw new KernelError(errno, `RTM_DELLINK ${part[i] ?? `group of ${part.join(', ')}`}`, text);
      }
    }
    return there;
  }

  /**
   * Carries out different changes in one send, in order.
   *
   * @returns the interfaces that were asked for with `look`, in order
   * @throws KernelError of the first step that failed; the kernel has tried those behind it all the same
   */
  async perform(steps: readonly Step[]): Promise<Link[]> {
    const writer = new MessageWriter(128 * steps.length);
    for (const step of steps) encodeStep(writer, step);
    const links: Link[] = [];
    const verdicts = await this.socket.batch(writer, (bytes, { type, start, end }) => {
      if (type === RTM_NEWLINK) links.push(decodeLink(bytes, start, end));
    });
    for (const [i, { errno, text }] of verdicts.entries()) {
      const step = steps[i];
      if (errno !== 0 && step !== undefined) throw new KernelError(errno, describeStep(step), text);
    }
    return links;
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
    const index = link === undefined ? undefined : await this.linkIndex(link);
    return this.socket.dump('RTM_GETNEIGH', encodeNeighbourDump, (bytes, { start, end }) => {
      const neighbour = decodeNeighbour(bytes, start, end);
      return index === undefined || neighbour?.link === index ? neighbour : undefined;
    });
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
  async routeTo(
    address: Address,
  ): Promise<{ readonly route: Route; readonly source: Address | undefined } | undefined> {
    const names = new Map((await this.listLinks()).map(({ index, name }) => [index, name]));
    const ask = async (whole: boolean): Promise<Route | undefined> => {
      let found: Route | undefined;
      await this.socket.request(
        `RTM_GETROUTE ${address.toString()}`,
        (w) => encodeRouteLookup(w, address, whole),
        (bytes, { type, start, end }) => {
          if (type === RTM_NEWROUTE) found = decodeLookup(bytes, start, end, (index) => names.get(index));
        },
      );
      return found;
    };
    try {
      const route = await ask(true);
      return route === undefined ? undefined : { route, source: (await ask(false))?.source };
    } catch (error) {
      // Rejecting routes answer so, too.
      if (isKernelError(error, 'ENETUNREACH', 'EHOSTUNREACH', 'EINVAL', 'EACCES')) return undefined;
      throw error;
    }
  }

  /** The forwarding entries of a VXLAN device. */
  listForwarding(link: number): Promise<ForwardingEntry[]> {
    return this.socket.dump(
      'RTM_GETNEIGH AF_BRIDGE',
      (w) => encodeForwardingDump(w, link),
      (bytes, { start, end }) => {
        const entry = decodeForwarding(bytes, start, end);
        return entry?.link === link ? entry : undefined;
      },
    );
  }

  /**
   * Carries out changes of neighbours and forwarding entries in order, in as few sends as they fit in. What is to go and
   * is gone counts as done.
   *
   * @returns what the kernel refused
   */
  async applyNeighbours(changes: readonly NeighbourChange[]): Promise<KernelError[]> {
    const refused: KernelError[] = [];
    for (let at = 0; at < changes.length; at += BATCH) {
      const part = changes.slice(at, at + BATCH);
      const writer = new MessageWriter(64 * part.length);
      for (const change of part) {
        const { op } = change;
        if (change.type === 'forwarding') encodeForwarding(writer, op, change.entry);
        else encodeNeighbour(writer, op, change.entry.link, change.entry.address, change.entry.mac);
      }
      for (const [i, { errno, text }] of (await this.socket.batch(writer)).entries()) {
        const change = part[i];
        const gone = change?.op === 'delete' && errno === constants.errno.ENOENT;
        if (errno === 0 || change === undefined || gone) continue;
        refused.push(new KernelError(errno, `${change.type} ${change.op} ${change.entry.mac ?? ''}`, text));
      }
    }
    return refused;
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

  private async linkIndex(nameOrIndex: string | number): Promise<number> {
    if (typeof nameOrIndex === 'number') return nameOrIndex;
    const link = await this.getLink(nameOrIndex);
    if (link === undefined) throw new KernelError(constants.errno.ENODEV, `interface ${nameOrIndex}`);
    return link.index;
  }

  /** True when done, false when the kernel refuses with one of `codes`: what was asked for is so already. */
  private async unless(
    codes: readonly string[],
    call: string,
    encode: (w: MessageWriter) => void,
  ): Promise<boolean> {
    try {
      await this.socket.request(call, encode);
      return true;
    } catch (error) {
      if (isKernelError(error, ...codes)) return false;
      throw error;
    }
  }
}

/** Holds the namespace open while the kernel is told its file descriptor. */
async function withNamespace(
  path: string | undefined,
  use: (fd: number | undefined) => Promise<void>,
): Promise<void> {
  const fd = path === undefined ? undefined : openSync(path, 'r');
  try {
    await use(fd);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** For a dump of what this kernel does not have: a table nobody made, an IP version it was built without. */
function noneFor(...codes: readonly string[]): (error: unknown) => never[] {
  return (error) => {
    if (isKernelError(error, ...codes)) return [];
    throw error;
  };
}

/** The kernel's plain ESRCH reads "no such process", which helps nobody. */
function plainWords(errno: number): string | undefined {
  return errno === constants.errno.ESRCH ? 'there is no such route' : undefined;
}

function describe({ op, route }: RouteChange): string {
  return `route ${op} ${formatRoute(route)}`;
}

/** What could not even be put into bytes: an unknown interface, or a value that no kernel could hold. */
function refusal(change: RouteChange, error: unknown): RouteOutcome {
  const known =
    error instanceof KernelError
      ? error
      : new KernelError(
          constants.errno.EINVAL,
          describe(change),
          error instanceof Error ? error.message : String(error),
        );
  return { change, errno: known.errno, error: known };
}
