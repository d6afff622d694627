/**
 * One workload's cable: a veth whose host end answers for everything. The workload's addresses are /32 and /128, its
 * gateways are 169.254.1.1 and the host end's link-local address, and both have a permanent neighbour entry, so that it
 * works on a host without a default route too, where proxy ARP stays silent (calico issue 3270).
 *
 * Ours is a veth whose alias begins with `poplin:`; the rest of the alias is the IPAM handle of its attachment.
 */
import { CniCode, CniFailure } from '../../cni-plugin/error.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import {
  type Link,
  makeRoute,
  Netlink,
  PROTOCOL_BOOT,
  type Route,
  type RouteChange,
  readSysctl,
  writeSysctl,
} from '../../net/kernel/index.ts';

/** Calico's MAC of every host end: one value, so that a workload's neighbour entry survives a new host end. */
export const HOST_MAC = 'ee:ee:ee:ee:ee:ee';
export const GATEWAY_4 = known('169.254.1.1');
/** The link-local address that the kernel derives from {@link HOST_MAC} (RFC 4291 appendix A). */
export const GATEWAY_6 = known('fe80::ecee:eeff:feee:eeee');

/** The side that answers for workloads. */
export interface Host {
  readonly netlink: Netlink;
  /** Path of its namespace; undefined: this process's. */
  readonly netns: string | undefined;
}

const ALIAS = 'poplin:';

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
  readonly allowIpForwarding: boolean;
}

export interface Wired {
  readonly mac: string;
  /** The routes made in the workload's namespace, as a CNI result tells them. */
  readonly routes: readonly { readonly destination: Prefix; readonly gateway: Address }[];
}

/**
 * Makes the cable and everything on both its ends. What a crash left under the same host name is removed first.
 * On failure nothing of it is left.
 *
 * @throws CniFailure when the workload's namespace has an interface of that name, KernelError otherwise
 */
export async function wire(host: Host, cable: Cable): Promise<Wired> {
  using pod = Netlink.open({ netns: cable.netns });
  if ((await pod.getLink(cable.ifName)) !== undefined) {
    throw new CniFailure(
      CniCode.interfaceExists,
      `the namespace ${cable.netns} has an interface ${cable.ifName} already; choose another CNI_IFNAME, or delete the attachment that made it`,
    );
  }
  const { netlink } = host;
  await netlink.deleteLink(cable.hostInterface);
  await netlink.createVeth({
    name: cable.hostInterface,
    mtu: cable.mtu,
    mac: HOST_MAC,
    peer: { name: cable.ifName, netns: cable.netns, mtu: cable.mtu, mac: cable.mac },
  });
  try {
    await netlink.setLink(cable.hostInterface, { alias: ALIAS + cable.handle });
    await prepareHostEnd(host, cable.hostInterface, cable.addresses);
    return await preparePodEnd(pod, cable);
  } catch (error) {
    await netlink.deleteLink(cable.hostInterface);
    throw error;
  }
}

/** Takes the cable out, with both its ends. False when it was not there. */
export function unwire(host: Host, hostInterface: string): Promise<boolean> {
  return host.netlink.deleteLink(hostInterface);
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
  hostInterface: string,
  addresses: readonly Address[],
): Promise<void> {
  const hasIPv4 = addresses.some(({ version }) => version === 4);
  const hasIPv6 = addresses.some(({ version }) => version === 6);
  const set = (version: 4 | 6, name: string, value: string): void =>
    setIfDifferent(`net/ipv${version}/conf/${hostInterface}/${name}`, value, netns);
  if (hasIPv4) {
    // Calico's settings; proxy_arp answers workloads that another plugin gave no neighbour entry.
    set(4, 'route_localnet', '1');
    setIfDifferent(`net/ipv4/neigh/${hostInterface}/proxy_delay`, '0', netns);
    set(4, 'proxy_arp', '1');
    set(4, 'forwarding', '1');
    // A workload sends from its own addresses only.
    set(4, 'rp_filter', '1');
  }
  if (hasIPv6) {
    set(6, 'disable_ipv6', '0');
    // Derived from the MAC, or the gateway would not be the one that workloads are told.
    set(6, 'addr_gen_mode', '0');
    set(6, 'accept_dad', '0');
    set(6, 'accept_ra', '0');
    set(6, 'forwarding', '1');
    set(6, 'proxy_ndp', '1');
  }
  await netlink.setLink(hostInterface, { up: true });
  // Replace: IPAM gave us these addresses alone, so a route to one over another interface is a dead workload's.
  await apply(
    netlink,
    addresses.map((address) => ({ op: 'replace', route: workloadRoute(address, hostInterface) })),
  );
}

export function workloadRoute(address: Address, hostInterface: string): Route {
  return makeRoute({
    destination: Prefix.host(address),
    protocol: PROTOCOL_BOOT,
    nextHops: [{ interface: hostInterface }],
  });
}

async function preparePodEnd(pod: Netlink, cable: Cable): Promise<Wired> {
  const { addresses, ifName, netns } = cable;
  const forwarding = cable.allowIpForwarding ? '1' : '0';
  if (addresses.some(({ version }) => version === 4))
    setIfDifferent('net/ipv4/ip_forward', forwarding, netns);
  if (addresses.some(({ version }) => version === 6)) {
    setIfDifferent('net/ipv6/conf/all/disable_ipv6', '0', netns);
    setIfDifferent(`net/ipv6/conf/${ifName}/disable_ipv6`, '0', netns);
    setIfDifferent(`net/ipv6/conf/${ifName}/accept_dad`, '0', netns);
    setIfDifferent(`net/ipv6/conf/${ifName}/accept_ra`, '0', netns);
    setIfDifferent('net/ipv6/conf/all/forwarding', forwarding, netns);
  }
  for (const address of addresses)
    await pod.addAddress(ifName, address, address.bits, { noDuplicateDetection: true });
  await pod.setLink(ifName, { up: true });

  const taken = await pod.listRoutes({ table: 254 });
  const routes = addresses.flatMap((address) => {
    const gateway = address.version === 4 ? GATEWAY_4 : GATEWAY_6;
    return wantedRoutes(address.version, cable.routes, taken).map((destination) => ({
      destination,
      gateway,
    }));
  });
  for (const { version } of addresses) {
    await pod.replaceNeighbour({
      link: ifName,
      address: version === 4 ? GATEWAY_4 : GATEWAY_6,
      mac: HOST_MAC,
    });
  }
  await apply(pod, [
    ...gatewayRoute(addresses, ifName, taken),
    ...routes.map((route) => viaGateway(route, ifName)),
  ]);
  const mac = (await pod.getLink(ifName))?.mac;
  if (mac === undefined) {
    throw new CniFailure(
      CniCode.ioFailure,
      `the interface ${ifName} vanished from ${netns} while it was set up`,
    );
  }
  return { mac, routes };
}

/** A second network of a workload must not take its default route away, so it gets one only where none is. */
function wantedRoutes(
  version: 4 | 6,
  wanted: readonly Prefix[] | undefined,
  taken: readonly Route[],
): Prefix[] {
  if (wanted !== undefined) return wanted.filter((prefix) => prefix.version === version);
  if (taken.some(({ destination }) => destination.version === version && destination.isDefault)) return [];
  return [version === 4 ? DEFAULT_4 : DEFAULT_6];
}

/** Calico's `169.254.1.1 dev eth0 scope link`; the first interface keeps it. Next hops are onlink and do not need it. */
function gatewayRoute(addresses: readonly Address[], ifName: string, taken: readonly Route[]): RouteChange[] {
  const destination = Prefix.host(GATEWAY_4);
  if (!addresses.some(({ version }) => version === 4)) return [];
  if (taken.some((route) => route.destination.equals(destination))) return [];
  return [
    {
      op: 'replace',
      route: makeRoute({ destination, protocol: PROTOCOL_BOOT, nextHops: [{ interface: ifName }] }),
    },
  ];
}

function viaGateway(
  route: { readonly destination: Prefix; readonly gateway: Address },
  ifName: string,
): RouteChange {
  return {
    op: 'replace',
    route: makeRoute({
      destination: route.destination,
      protocol: PROTOCOL_BOOT,
      nextHops: [{ gateway: route.gateway, interface: ifName, onlink: true }],
    }),
  };
}

async function apply(netlink: Netlink, changes: readonly RouteChange[]): Promise<void> {
  for (const { error } of await netlink.applyRoutes(changes)) if (error !== undefined) throw error;
}

/** Some settings cannot be written to where they already hold (read-only mounts in containers), and none needs it. */
function setIfDifferent(name: string, value: string, netns?: string): void {
  if (readSysctl(name, netns) !== value) writeSysctl(name, value, netns);
}

const DEFAULT_4 = Prefix.of(known('0.0.0.0'), 0);
const DEFAULT_6 = Prefix.of(known('::'), 0);

function known(text: string): Address {
  const address = Address.parse(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}
