/**
 * One workload's cable: a veth whose host end answers for everything. The workload's addresses are /32 and /128, its
 * gateways are 169.254.1.1 and the host end's link-local address, and both have a permanent neighbour entry, so that it
 * works on a host without a default route too, where proxy ARP stays silent (calico issue 3270).
 *
 * Ours is a veth whose alias begins with `poplin:`; the rest of the alias is the IPAM handle of its attachment.
 */
import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DeviceRoutes, deviceRoutes, PoplinError } from '../../api/index.ts';
import { CniCode, CniFailure } from '../../cni-plugin/error.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import {
  inNamespace,
  isKernelError,
  type Link,
  makeRoute,
  Netlink,
  PROTOCOL_BOOT,
  type Route,
  readSysctl,
  type Step,
  TABLE_MAIN,
  TrafficControl,
  writeSysctl,
} from '../../net/kernel/index.ts';
import { CableRemover } from './remover.ts';
import { Shaper } from './shaper.ts';

/** Calico's MAC of every host end: one value, so that a workload's neighbour entry survives a new host end. */
export const HOST_MAC = 'ee:ee:ee:ee:ee:ee';
export const GATEWAY_4 = known('169.254.1.1');
/** The link-local address that the kernel derives from {@link HOST_MAC} (RFC 4291 appendix A). */
export const GATEWAY_6 = known('fe80::ecee:eeff:feee:eeee');

/** The side that answers for workloads. */
export interface Host {
  readonly netlink: Netlink;
  readonly remover: CableRemover;
  readonly shaper: Shaper;
  /** Path of its namespace; undefined: this process's. */
  readonly netns: string | undefined;
}

export function openHost(netns?: string): Host {
  const netlink = Netlink.open({ netns });
  return {
    netlink,
    remover: new CableRemover(netns),
    shaper: new Shaper(netlink, new TrafficControl(netns)),
    netns,
  };
}

export function closeHost({ netlink, remover, shaper }: Host): void {
  netlink.close();
  remover.close();
  shaper.close();
}

const ALIAS = 'poplin:';

const LIST_ATTEMPTS = 20;
const LIST_PAUSE_MS = 10;

export interface Cable {
  readonly handle: string;
  readonly hostInterface: string;
  readonly netns: string;
  readonly ifName: string;
  readonly mtu: number;
  /** Undefined: the kernel draws one. */
  readonly mac: string | undefined;
  readonly addresses: readonly Address[];
  /** What the workload reaches through us; undefined: everything, unless it has a default route already. */
  readonly routes: readonly Prefix[] | undefined;
  /** Everything, too, where `routes` are given. */
  readonly includeDefaultRoutes?: boolean;
  readonly allowIpForwarding: boolean;
  /** Of the host's routes to it; default: Calico's. */
  readonly deviceRoutes?: DeviceRoutes;
}

export interface Wired {
  readonly mac: string;
  /** The routes made in the workload's namespace, as a CNI result tells them. */
  readonly routes: readonly { readonly destination: Prefix; readonly gateway: Address }[];
}

/** A workload's namespace, looked at once, before anything is made in it. */
export interface PodSpace {
  readonly netlink: Netlink;
  /** In its main table, of other plugins: empty where there is nothing but loopback. */
  readonly taken: readonly Route[];
}

/**
 * Looks into the namespace of a workload.
 *
 * @throws CniFailure when it has an interface of that name; the file system's or the kernel's error when it cannot be entered
 */
export async function lookInto(netns: string, ifName: string): Promise<PodSpace> {
  const netlink = Netlink.open({ netns });
  try {
    const links = await patiently(() => netlink.listLinks());
    if (links.some(({ name }) => name === ifName)) {
      throw new CniFailure(
        CniCode.interfaceExists,
        `${netns} has an interface ${ifName} already; delete the attachment that made it, or choose another CNI_IFNAME`,
      );
    }
    const isBare = links.every(({ loopback }) => loopback);
    return { netlink, taken: isBare ? [] : await patiently(() => netlink.listRoutes({ table: TABLE_MAIN })) };
  } catch (error) {
    netlink.close();
    throw error;
  }
}

/** Many plugs at once in one namespace change what is listed while it is listed; each is done soon. */
async function patiently<T>(list: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await list();
    } catch (error) {
      const isInterrupted =
        error instanceof PoplinError && error.problems.some(({ code }) => code === 'KERNEL_DUMP_INTERRUPTED');
      if (!isInterrupted || attempt === LIST_ATTEMPTS) throw error;
    }
    await sleep(LIST_PAUSE_MS * attempt);
  }
}

/**
 * Makes the cable and everything on both its ends. What a crash left under the same host name is removed first.
 * On failure nothing of it is left.
 *
 * @param late  for addresses that are asked for over the interface itself: called when the cable is there and switched on
 * @throws KernelError, and what `late` does
 */
export async function wire(
  host: Host,
  pod: PodSpace,
  cable: Cable,
  late?: () => Promise<Pick<Cable, 'addresses' | 'routes'>>,
): Promise<Wired> {
  const ends = await plugIn(host, cable);
  try {
    if (late !== undefined) await switchOn(host, pod, ends);
    const whole = late === undefined ? cable : { ...cable, ...(await late()) };
    await prepareHostEnd(host, ends.hostInterface, whole.addresses, whole.deviceRoutes);
    return await preparePodEnd(pod, ends.podIndex, whole);
  } catch (error) {
    await unwire(host, cable.hostInterface);
    throw error;
  }
}

interface Ends {
  readonly hostInterface: Pick<Link, 'name' | 'index'>;
  readonly podIndex: number;
}

async function switchOn(host: Host, pod: PodSpace, { hostInterface, podIndex }: Ends): Promise<void> {
  await host.netlink.perform([{ type: 'link', link: hostInterface.index, change: { up: true } }]);
  await pod.netlink.perform([{ type: 'link', link: podIndex, change: { up: true } }]);
}

/** The pair, and the alias by which its host end is known: one send, so that no crash comes between. */
async function plugIn(host: Host, cable: Cable): Promise<Ends> {
  const { hostInterface: name, handle, mtu } = cable;
  const netnsFd = openSync(cable.netns, 'r');
  const make = (): Promise<Link[]> =>
    host.netlink.perform([
      {
        type: 'veth',
        end: { name, mtu, mac: HOST_MAC },
        peer: { name: cable.ifName, mtu, mac: cable.mac, netnsFd },
      },
      { type: 'link', link: name, change: { alias: ALIAS + handle } },
      { type: 'look', link: name },
    ]);
  try {
    const [link] = await make().catch(async (error: unknown) => {
      if (!isKernelError(error, 'EEXIST')) throw error;
      await unwire(host, name);
      return make();
    });
    if (link?.peerIndex === undefined) throw vanished(name, 'the host');
    return { hostInterface: link, podIndex: link.peerIndex };
  } finally {
    closeSync(netnsFd);
  }
}

function vanished(name: string, from: string): CniFailure {
  return new CniFailure(CniCode.ioFailure, `the interface ${name} vanished from ${from} while it was set up`);
}

/** Takes the cable out, with both its ends and what shapes it. False when it was not there. */
export function unwire(host: Host, hostInterface: string): Promise<boolean> {
  host.shaper.forget(hostInterface);
  return host.remover.remove(hostInterface);
}

/** The handle in the alias of a host end of ours; undefined for any other link. */
export function handleOfLink(link: Link): string | undefined {
  return link.kind === 'veth' && link.alias?.startsWith(ALIAS) === true
    ? link.alias.slice(ALIAS.length)
    : undefined;
}

/** Settings, link and routes of the host end. Repeating it changes nothing, so it also repairs. */
export async function prepareHostEnd(
  { netlink, netns }: Host,
  { name, index }: Pick<Link, 'name' | 'index'>,
  addresses: readonly Address[],
  wished: DeviceRoutes = deviceRoutes({}),
): Promise<void> {
  const hasIPv4 = addresses.some(({ version }) => version === 4);
  inSpace(netns, () => {
    if (hasIPv4) setIfDifferent(`net/ipv4/neigh/${name}/proxy_delay`, '0');
    if (!addresses.some(({ version }) => version === 6)) return;
    const set = (setting: string, value: string): void =>
      setIfDifferent(`net/ipv6/conf/${name}/${setting}`, value);
    set('disable_ipv6', '0');
    // Derived from the MAC, or the gateway would not be the one that workloads are told.
    set('addr_gen_mode', '0');
    set('accept_dad', '0');
    set('accept_ra', '0');
    set('forwarding', '1');
    set('proxy_ndp', '1');
  });
  await netlink.perform([
    {
      type: 'link',
      link: index,
      // Calico's settings; proxy_arp answers workloads that another plugin gave no neighbour entry. And a workload sends
      // from its own addresses only.
      change: {
        up: true,
        ...(hasIPv4 ? { ipv4: { route_localnet: 1, proxy_arp: 1, forwarding: 1, rp_filter: 1 } } : {}),
      },
    },
    // Replace: IPAM gave us these addresses alone, so a route to one over another interface is a dead workload's.
    ...addresses.map((address): Step => ({ type: 'route', route: workloadRoute(address, index, wished) })),
  ]);
}

/** felix-lite keeps the same. */
export function workloadRoute(
  address: Address,
  hostInterface: string | number,
  { protocol, metric, source }: DeviceRoutes = deviceRoutes({}),
): Route {
  const from = source[address.version];
  return makeRoute({
    destination: Prefix.host(address),
    protocol,
    metric: metric[address.version] ?? 0,
    nextHops: [{ interface: hostInterface }],
    ...(from === undefined ? {} : { source: from }),
  });
}

async function preparePodEnd({ netlink, taken }: PodSpace, index: number, cable: Cable): Promise<Wired> {
  const { addresses, ifName, netns } = cable;
  const forwarding = cable.allowIpForwarding ? '1' : '0';
  inNamespace(netns, () => {
    if (addresses.some(({ version }) => version === 4)) setIfDifferent('net/ipv4/ip_forward', forwarding);
    if (!addresses.some(({ version }) => version === 6)) return;
    setIfDifferent('net/ipv6/conf/all/disable_ipv6', '0');
    setIfDifferent(`net/ipv6/conf/${ifName}/disable_ipv6`, '0');
    setIfDifferent(`net/ipv6/conf/${ifName}/accept_dad`, '0');
    setIfDifferent(`net/ipv6/conf/${ifName}/accept_ra`, '0');
    setIfDifferent('net/ipv6/conf/all/forwarding', forwarding);
  });
  const routes = addresses.flatMap((address) => {
    const gateway = gatewayOf(address);
    return wantedRoutes(address.version, cable, taken).map((destination) => ({
      destination,
      gateway,
    }));
  });
  const [end] = await netlink.perform([
    ...addresses.map(
      (address): Step => ({
        type: 'address',
        link: index,
        address,
        prefixLength: address.bits,
        options: { noDuplicateDetection: true },
      }),
    ),
    { type: 'link', link: index, change: { up: true } },
    ...addresses.map(
      (address): Step => ({ type: 'neighbour', link: index, address: gatewayOf(address), mac: HOST_MAC }),
    ),
    ...gatewayRoute(addresses, index, taken),
    ...routes.map((route) => viaGateway(route, index)),
    { type: 'look', link: index },
  ]);
  if (end?.mac === undefined) throw vanished(ifName, netns);
  return { mac: end.mac, routes };
}

function gatewayOf({ version }: Address): Address {
  return version === 4 ? GATEWAY_4 : GATEWAY_6;
}

/** A second network of a workload must not take its default route away, so it gets one only where none is. */
function wantedRoutes(
  version: 4 | 6,
  { routes, includeDefaultRoutes = false }: Cable,
  taken: readonly Route[],
): Prefix[] {
  const wanted = routes?.filter((prefix) => prefix.version === version);
  if (wanted !== undefined && !includeDefaultRoutes) return wanted;
  const isTaken = taken.some(({ destination }) => destination.version === version && destination.isDefault);
  return [...(wanted ?? []), ...(isTaken ? [] : [version === 4 ? DEFAULT_4 : DEFAULT_6])];
}

/** Calico's `169.254.1.1 dev eth0 scope link`; the first interface keeps it. Next hops are onlink and do not need it. */
function gatewayRoute(addresses: readonly Address[], index: number, taken: readonly Route[]): Step[] {
  const destination = Prefix.host(GATEWAY_4);
  if (!addresses.some(({ version }) => version === 4)) return [];
  if (taken.some((route) => route.destination.equals(destination))) return [];
  return [
    {
      type: 'route',
      route: makeRoute({ destination, protocol: PROTOCOL_BOOT, nextHops: [{ interface: index }] }),
    },
  ];
}

function viaGateway(route: { readonly destination: Prefix; readonly gateway: Address }, index: number): Step {
  return {
    type: 'route',
    route: makeRoute({
      destination: route.destination,
      protocol: PROTOCOL_BOOT,
      nextHops: [{ gateway: route.gateway, interface: index, onlink: true }],
    }),
  };
}

function inSpace(netns: string | undefined, work: () => void): void {
  if (netns === undefined) work();
  else inNamespace(netns, work);
}

/** Some settings cannot be written to where they already hold (read-only mounts in containers), and none needs it. */
function setIfDifferent(name: string, value: string): void {
  if (readSysctl(name) !== value) writeSysctl(name, value);
}

const DEFAULT_4 = Prefix.of(known('0.0.0.0'), 0);
const DEFAULT_6 = Prefix.of(known('::'), 0);

function known(text: string): Address {
  const address = Address.parse(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}
