/** Whether the holder of an address is still there. Pure. */
import type { Node } from '../../api/index.ts';
import { Address } from '../../net/addr/index.ts';
import type { Users } from './world.ts';

export interface Held {
  readonly address: Address;
  readonly handle: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
}

/** In the attributes of what the CNI plugin of this project took. */
const ATTACHMENT = 'cni-attachment';

/** Where a Node says its tunnel address, by the `type` among the attributes. */
const TUNNELS: Readonly<Record<string, (node: Node) => string | undefined>> = {
  ipipTunnelAddress: ({ spec }) => spec.bgp?.ipv4IPIPTunnelAddr,
  vxlanTunnelAddress: ({ spec }) => spec.ipv4VXLANTunnelAddr,
  vxlanV6TunnelAddress: ({ spec }) => spec.ipv6VXLANTunnelAddr,
  wireguardTunnelAddress: ({ spec }) => spec.wireguard?.interfaceIPv4Address,
  wireguardV6TunnelAddress: ({ spec }) => spec.wireguard?.interfaceIPv6Address,
};

/** Calico reserves the first and last addresses of a block under this handle on Windows. */
const WINDOWS_RESERVED = 'windows-reserved-ipam-handle';

/**
 * - `used`: somebody has it.
 * - `unknown`: nothing says who would have it: a user's, a load balancer's, a virtual machine's. Never released.
 * - else why nobody has it.
 */
export type Verdict = 'used' | 'unknown' | { readonly leaked: string };

export type HolderUsers = Pick<Users, 'nodes' | 'used' | 'awaiting'>;

/** For a workload, so that an endpoint must have it. */
export function isWorkload({ attributes }: Pick<Held, 'attributes'>): boolean {
  return attributes['pod'] !== undefined || attributes[ATTACHMENT] !== undefined;
}

export function tunnelOf({ attributes }: Pick<Held, 'attributes'>): string | undefined {
  const { type } = attributes;
  return type !== undefined && Object.hasOwn(TUNNELS, type) ? type : undefined;
}

export function holderVerdict(allocation: Held, users: HolderUsers): Verdict {
  const { address, attributes, handle } = allocation;
  if (users.used.has(address.toString())) return 'used';
  if (handle === WINDOWS_RESERVED) return 'unknown';
  const tunnel = tunnelOf(allocation);
  if (tunnel !== undefined) return tunnelVerdict(address, tunnel, attributes['node'], users);
  // A virtual machine keeps its address while it is switched off, and has no endpoint then.
  if (!isWorkload(allocation) || attributes['vmi-name'] !== undefined) return 'unknown';
  const { namespace = '', pod } = attributes;
  if (pod === undefined) return { leaked: 'no workload endpoint has it' };
  if (users.awaiting.has(`${namespace}/${pod}`)) return 'used';
  return { leaked: `no workload endpoint has it; it was given to the pod ${namespace}/${pod}` };
}

function tunnelVerdict(
  address: Address,
  type: string,
  name: string | undefined,
  { nodes }: HolderUsers,
): Verdict {
  if (name === undefined) return 'unknown';
  const node = nodes.get(name);
  if (node === undefined) return { leaked: `node ${name}, whose ${type} it is, is gone` };
  const said = TUNNELS[type]?.(node);
  // Not said: it may be on its way, or the tunnel is switched off; whoever took it knows.
  if (said === undefined) return 'used';
  if (Address.parse(said)?.equals(address) === true) return 'used';
  return { leaked: `node ${name} has ${said} as its ${type}` };
}
