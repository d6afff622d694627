/** Who a node is in BGP: AS number, router id, addresses, cluster id, listening port. */
import type { Node } from '../../api/index.ts';
import { Address, parseInterfaceAddress } from '../../net/addr/index.ts';
import type { ClusterResources } from './resources.ts';

/** Calico's defaults (calico-data-model §19). */
const DEFAULT_ASN = 64512;
const DEFAULT_PORT = 179;

export interface Identity {
  readonly name: string;
  readonly asn: number;
  readonly routerId: number;
  /** Set on a route reflector (Node.spec.bgp.routeReflectorClusterID). */
  readonly clusterId: number | undefined;
  readonly addresses: { readonly 4: Address | undefined; readonly 6: Address | undefined };
  readonly port: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** Undefined for a node that takes no part in BGP. */
export function identityOf(node: Node, resources: ClusterResources): Identity | undefined {
  const { bgp } = node.spec;
  if (bgp === undefined) return undefined;
  const addresses = { 4: addressOf(bgp.ipv4Address), 6: addressOf(bgp.ipv6Address) };
  if (addresses[4] === undefined && addresses[6] === undefined) return undefined;
  const { name } = node.metadata;
  const own = configuration(resources, `node.${name}`);
  const global = configuration(resources, 'default');
  return {
    name,
    asn: bgp.asNumber ?? own?.asNumber ?? global?.asNumber ?? DEFAULT_ASN,
    routerId: addresses[4]?.toNumber() ?? hashed(name),
    clusterId: addressOf(bgp.routeReflectorClusterID)?.toNumber(),
    addresses,
    port: own?.listenPort ?? global?.listenPort ?? DEFAULT_PORT,
    labels: node.metadata.labels ?? {},
  };
}

export function configuration(resources: ClusterResources, name: string) {
  return resources.bgpConfigurations.find((one) => one.metadata.name === name)?.spec;
}

function addressOf(text: string | undefined): Address | undefined {
  return text === undefined ? undefined : parseInterfaceAddress(text)?.address;
}

/** A node without IPv4 gets its router id from its name (Calico: CALICO_ROUTER_ID=hash). FNV-1a; 0 is no router id. */
function hashed(name: string): number {
  let hash = 0x811c9dc5;
  for (const octet of new TextEncoder().encode(name)) hash = Math.imul(hash ^ octet, 0x01000193);
  return hash >>> 0 || 1;
}
