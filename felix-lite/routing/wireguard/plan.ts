/**
 * Who a node's WireGuard peers are, and which packets go to them: those to blocks, workloads and tunnels of nodes that
 * publish a key, and with host encryption to those nodes themselves. All others go their way in plain. Pure.
 */
import type { Problem } from '../../../api/index.ts';
import { type Address, type IpVersion, Prefix } from '../../../net/addr/index.ts';
import type { PeerWish } from '../../../net/kernel/index.ts';
import type { Destination, Facts } from '../facts.ts';
import type { WireGuardSettings } from './settings.ts';

export interface TunnelledRoute {
  readonly prefix: Prefix;
  /** `around`: the next table decides, although a shorter prefix leads into the tunnel. */
  readonly to: 'tunnel' | 'around';
  /** The address that this machine sends from; undefined: that of the device. */
  readonly source?: Address;
}

export interface WireGuardPlan {
  readonly peers: readonly PeerWish[];
  readonly routes: readonly TunnelledRoute[];
  /** Other nodes of this IP version that publish no key. */
  readonly plain: number;
  readonly problems: readonly Problem[];
}

export function planWireGuard(
  node: string,
  facts: Facts,
  settings: WireGuardSettings,
  version: IpVersion,
  floating: boolean,
): WireGuardPlan {
  const { shared, problems } = sharedKeys(facts, version);
  const own = facts.nodes.get(node)?.[version]?.underlay.address;
  const peers = new Map<string, { readonly wish: PeerWish; readonly allowed: Prefix[] }>();
  let plain = 0;
  for (const { name, [version]: end } of facts.nodes.values()) {
    if (name === node || end === undefined) continue;
    const key = end.wireguard?.publicKey;
    if (key === undefined || shared.has(key)) {
      plain++;
      continue;
    }
    const allowed: Prefix[] = [];
    const endpoint = { address: end.underlay.address, port: settings.ports[version] };
    peers.set(name, { wish: { publicKey: key, endpoint, keepalive: settings.keepalive, allowed }, allowed });
  }
  const routes = new Map<string, TunnelledRoute>();
  const elsewhere: Prefix[] = [];
  const give = (prefix: Prefix, owner: string, source?: Address): void => {
    const key = prefix.toString();
    const peer = peers.get(owner);
    if (peer === undefined) elsewhere.push(prefix);
    // A device gives a prefix to one peer only: who has it first keeps it.
    else if (!routes.has(key)) {
      peer.allowed.push(prefix);
      routes.set(key, { prefix, to: 'tunnel', ...(source === undefined ? {} : { source }) });
    }
  };
  const hosts = settings.hosts ? hostsOf(facts, version) : [];
  for (const { prefix, node: owner } of [...facts.blocks, ...facts.borrowed(floating)])
    if (prefix.version === version) give(prefix, owner);
  for (const { prefix, node: owner } of hosts) give(prefix, owner, own);
  const around = inside(elsewhere, routes);
  return {
    peers: [...peers.values()].map(({ wish }) => wish),
    routes: [...routes.values(), ...around],
    plain,
    problems,
  };
}

function hostsOf(facts: Facts, version: IpVersion): readonly Destination[] {
  return [...facts.nodes.values()].flatMap(({ name, [version]: end }) =>
    end === undefined ? [] : [{ prefix: Prefix.host(end.underlay.address), node: name }],
  );
}

/** Of the prefixes those that a route into the tunnel covers. */
function inside(
  prefixes: readonly Prefix[],
  tunnelled: ReadonlyMap<string, TunnelledRoute>,
): readonly TunnelledRoute[] {
  const lengths = [...new Set([...tunnelled.values()].map(({ prefix }) => prefix.length))];
  const found = new Map<string, TunnelledRoute>();
  for (const prefix of prefixes) {
    const key = prefix.toString();
    const covered = lengths.some(
      (length) => length < prefix.length && tunnelled.has(Prefix.of(prefix.nth(0), length).toString()),
    );
    if (covered && !tunnelled.has(key)) found.set(key, { prefix, to: 'around' });
  }
  return [...found.values()];
}

/** A key of two nodes is nobody's: packets for one of the two would reach the other. */
function sharedKeys(
  facts: Facts,
  version: IpVersion,
): { readonly shared: ReadonlySet<string>; readonly problems: readonly Problem[] } {
  const owners = new Map<string, string>();
  const shared = new Set<string>();
  const problems: Problem[] = [];
  for (const { name, [version]: end } of facts.nodes.values()) {
    const key = end?.wireguard?.publicKey;
    if (key === undefined) continue;
    const other = owners.get(key);
    if (other === undefined) {
      owners.set(key, name);
      continue;
    }
    shared.add(key);
    problems.push({
      code: 'WIREGUARD_KEY_DOUBLE',
      resource: `Node/${name}`,
      field: version === 4 ? 'status.wireguardPublicKey' : 'status.wireguardPublicKeyV6',
      value: key,
      what: `Node ${other} publishes the same key of WireGuard; packets to both go unencrypted`,
      remedy: 'remove the key file on one of the two (its machine is a copy, perhaps); a new key is made',
    });
  }
  return { shared, problems };
}
