/**
 * Nodes. Ours says more than Kubernetes' (BGP, tunnels); the rest is in annotations, by the names that Calico gives them.
 * Labels are those of Kubernetes over those that only we know, which are in an annotation too.
 */
import { API_VERSION, type Node } from '../../../api/index.ts';
import { Address, parseInterfaceAddress } from '../../../net/addr/index.ts';
import { annotationPatch } from './annotations.ts';
import type { KubernetesObject, NativeKind } from './native.ts';

const PREFIX = 'projectcalico.org/';
const NOTES = {
  ipv4Address: `${PREFIX}IPv4Address`,
  ipv6Address: `${PREFIX}IPv6Address`,
  asNumber: `${PREFIX}ASNumber`,
  routeReflectorClusterID: `${PREFIX}RouteReflectorClusterID`,
  ipv4IPIPTunnelAddr: `${PREFIX}IPv4IPIPTunnelAddr`,
  ipv4VXLANTunnelAddr: `${PREFIX}IPv4VXLANTunnelAddr`,
  vxlanTunnelMACAddr: `${PREFIX}VXLANTunnelMACAddr`,
  ipv6VXLANTunnelAddr: `${PREFIX}IPv6VXLANTunnelAddr`,
  vxlanTunnelMACAddrV6: `${PREFIX}VXLANTunnelMACAddrV6`,
  interfaceIPv4Address: `${PREFIX}IPv4WireguardInterfaceAddr`,
  interfaceIPv6Address: `${PREFIX}IPv6WireguardInterfaceAddr`,
  wireguardPublicKey: `${PREFIX}WireguardPublicKey`,
  wireguardPublicKeyV6: `${PREFIX}WireguardPublicKeyV6`,
  interfaces: `${PREFIX}Interfaces`,
  labels: `${PREFIX}labels`,
  annotations: `${PREFIX}annotations`,
} as const;

export const nodes: NativeKind = {
  kind: 'Node',
  apiVersion: 'v1',
  objectKind: 'Node',
  plural: 'nodes',
  namespaced: false,
  optional: false,
  toEntries: (object) => [
    { key: { kind: 'Node', scope: '', name: object.metadata.name }, value: nodeOf(object) },
  ],
  fieldSelectorOf: (node) => `metadata.name=${node}`,
  locate: ({ name }) => ({ name }),
  write: {
    subresource: 'status',
    patchFor: (value, object) => annotationPatch(object, notesOf(value as Node, object)),
  },
};

interface KubernetesNode {
  readonly spec?: { readonly podCIDRs?: readonly string[] };
  readonly status?: { readonly addresses?: readonly { readonly type: string; readonly address: string }[] };
}

/** An annotation that says nothing sound counts as absent. */
export function nodeOf(object: KubernetesObject): Node {
  const { metadata } = object;
  const { spec: kubernetesSpec, status: kubernetesStatus } = object as KubernetesObject & KubernetesNode;
  const read = reader(metadata.annotations ?? {});
  const bgp = present({
    asNumber: read.asNumber(NOTES.asNumber),
    ipv4Address: read.subnet(NOTES.ipv4Address, 4),
    ipv6Address: read.subnet(NOTES.ipv6Address, 6),
    ipv4IPIPTunnelAddr: read.address(NOTES.ipv4IPIPTunnelAddr, 4),
    routeReflectorClusterID: read.address(NOTES.routeReflectorClusterID, 4),
  });
  const wireguard = present({
    interfaceIPv4Address: read.address(NOTES.interfaceIPv4Address, 4),
    interfaceIPv6Address: read.address(NOTES.interfaceIPv6Address, 6),
  });
  const addresses = [
    ...[bgp.ipv4Address, bgp.ipv6Address].flatMap((address) =>
      address === undefined ? [] : [{ address, type: 'CalicoNodeIP' as const }],
    ),
    ...(kubernetesStatus?.addresses ?? []).flatMap(({ type, address }) =>
      type === 'InternalIP' || type === 'ExternalIP' ? [{ address, type: type as 'InternalIP' }] : [],
    ),
  ];
  const labels = { ...read.map(NOTES.labels), ...metadata.labels };
  const annotations = read.map(NOTES.annotations);
  const podCIDRs = kubernetesSpec?.podCIDRs ?? [];
  const status = present({
    wireguardPublicKey: read.text(NOTES.wireguardPublicKey),
    wireguardPublicKeyV6: read.text(NOTES.wireguardPublicKeyV6),
    podCIDRs: podCIDRs.length === 0 ? undefined : [...podCIDRs],
  });
  return {
    apiVersion: API_VERSION,
    kind: 'Node',
    metadata: {
      name: metadata.name,
      ...present({ uid: metadata.uid, creationTimestamp: metadata.creationTimestamp ?? undefined }),
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    },
    spec: {
      ...(Object.keys(bgp).length === 0 ? {} : { bgp }),
      ...(Object.keys(wireguard).length === 0 ? {} : { wireguard }),
      ...present({
        ipv4VXLANTunnelAddr: read.address(NOTES.ipv4VXLANTunnelAddr, 4),
        vxlanTunnelMACAddr: read.mac(NOTES.vxlanTunnelMACAddr),
        ipv6VXLANTunnelAddr: read.address(NOTES.ipv6VXLANTunnelAddr, 6),
        vxlanTunnelMACAddrV6: read.mac(NOTES.vxlanTunnelMACAddrV6),
        interfaces: read.interfaces(NOTES.interfaces),
      }),
      orchRefs: [{ nodeName: metadata.name, orchestrator: 'k8s' }],
      ...(addresses.length === 0 ? {} : { addresses }),
    },
    ...(Object.keys(status).length === 0 ? {} : { status }),
  };
}

/** Annotations that say what the node says beyond what Kubernetes knows itself. */
function notesOf(
  { metadata, spec, status }: Node,
  object: KubernetesObject,
): Record<string, string | undefined> {
  const theirs = object.metadata.labels ?? {};
  const labels = Object.entries(metadata.labels ?? {}).filter(([key]) => !Object.hasOwn(theirs, key));
  const annotations = metadata.annotations ?? {};
  return {
    [NOTES.ipv4Address]: spec.bgp?.ipv4Address,
    [NOTES.ipv6Address]: spec.bgp?.ipv6Address,
    [NOTES.asNumber]: spec.bgp?.asNumber?.toString(),
    [NOTES.routeReflectorClusterID]: spec.bgp?.routeReflectorClusterID,
    [NOTES.ipv4IPIPTunnelAddr]: spec.bgp?.ipv4IPIPTunnelAddr,
    [NOTES.ipv4VXLANTunnelAddr]: spec.ipv4VXLANTunnelAddr,
    [NOTES.vxlanTunnelMACAddr]: spec.vxlanTunnelMACAddr,
    [NOTES.ipv6VXLANTunnelAddr]: spec.ipv6VXLANTunnelAddr,
    [NOTES.vxlanTunnelMACAddrV6]: spec.vxlanTunnelMACAddrV6,
    [NOTES.interfaceIPv4Address]: spec.wireguard?.interfaceIPv4Address,
    [NOTES.interfaceIPv6Address]: spec.wireguard?.interfaceIPv6Address,
    [NOTES.wireguardPublicKey]: status?.wireguardPublicKey,
    [NOTES.wireguardPublicKeyV6]: status?.wireguardPublicKeyV6,
    [NOTES.interfaces]: spec.interfaces === undefined ? undefined : JSON.stringify(spec.interfaces),
    [NOTES.labels]: labels.length === 0 ? undefined : JSON.stringify(Object.fromEntries(labels)),
    [NOTES.annotations]: Object.keys(annotations).length === 0 ? undefined : JSON.stringify(annotations),
  };
}

type Notes = Readonly<Record<string, string>>;
type Interfaces = NonNullable<Node['spec']['interfaces']>;

function reader(notes: Notes) {
  const text = (key: string): string | undefined => (notes[key] === '' ? undefined : notes[key]);
  const json = (key: string): unknown => {
    try {
      return JSON.parse(notes[key] ?? 'null') as unknown;
    } catch {
      return null;
    }
  };
  return {
    text,
    address: (key: string, version: 4 | 6): string | undefined => {
      const address = Address.parse(text(key) ?? '');
      return address?.version === version ? address.toString() : undefined;
    },
    subnet: (key: string, version: 4 | 6): string | undefined =>
      parseInterfaceAddress(text(key) ?? '')?.address.version === version ? text(key) : undefined,
    mac: (key: string): string | undefined =>
      /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i.test(text(key) ?? '') ? text(key)?.toLowerCase() : undefined,
    /** A number, or `high.low` (RFC 5396 asdot). */
    asNumber: (key: string): number | undefined => {
      const [, high, low = '0'] = /^(?:([0-9]{1,5})\.)?([0-9]{1,10})$/.exec(text(key) ?? '') ?? [];
      const value = high === undefined ? Number(low) : Number(high) * 65_536 + Number(low);
      return value > 0 && value <= 0xffff_ffff ? value : undefined;
    },
    map: (key: string): Record<string, string> => {
      const value = json(key);
      if (typeof value !== 'object' || value === null) return {};
      return Object.fromEntries(
        Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
      );
    },
    interfaces: (key: string): Interfaces | undefined => {
      const value = json(key);
      if (!Array.isArray(value)) return undefined;
      return value.flatMap((item: { readonly name?: unknown; readonly addresses?: unknown } | null) => {
        if (typeof item?.name !== 'string') return [];
        const addresses = Array.isArray(item.addresses)
          ? item.addresses.filter((one): one is string => typeof one === 'string')
          : [];
        return [{ name: item.name, ...(addresses.length === 0 ? {} : { addresses }) }];
      });
    },
  };
}

/** The fields that are there. */
function present<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
