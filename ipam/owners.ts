/**
 * Who holds addresses that are no workload's: nodes, for their tunnel devices, and services. Handles and attributes are
 * Calico's, so that its tools and ours know each other's addresses and free them alike. Pure.
 */
import { createHash } from 'node:crypto';
import type { IpVersion } from '../net/addr/index.ts';
import type { Owner } from './block.ts';

export const TUNNELS = {
  ipip: { version: 4, handle: 'ipip-tunnel-addr', type: 'ipipTunnelAddress' },
  vxlan: { version: 4, handle: 'vxlan-tunnel-addr', type: 'vxlanTunnelAddress' },
  'vxlan-v6': { version: 6, handle: 'vxlan-v6-tunnel-addr', type: 'vxlanV6TunnelAddress' },
  wireguard: { version: 4, handle: 'wireguard-tunnel-addr', type: 'wireguardTunnelAddress' },
  'wireguard-v6': { version: 6, handle: 'wireguard-v6-tunnel-addr', type: 'wireguardV6TunnelAddress' },
} as const satisfies Readonly<
  Record<string, { readonly version: IpVersion; readonly handle: string; readonly type: string }>
>;

export type Tunnel = keyof typeof TUNNELS;

/** Takes its address with the use `Tunnel`, out of pools with the encapsulation, one for each tunnel of the node. */
export function tunnelOwner(tunnel: Tunnel, node: string): Owner {
  const { handle, type } = TUNNELS[tunnel];
  return { handle: `${handle}-${node}`, attributes: { node, type } };
}

export interface ServiceIdentity {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}

/** Longest name of an object that Kubernetes takes for a handle. */
const LONGEST = 253;

/**
 * Takes its addresses with the use `LoadBalancer`.
 *
 * @param at  in whatever form; Calico writes `2026-08-01 10:00:05.1 +0000 UTC`
 */
export function serviceOwner({ name, namespace, uid }: ServiceIdentity, at: string): Owner {
  const digest = createHash('sha256').update(`${name}-${namespace}-${uid}`.toLowerCase()).digest('base64url');
  return {
    handle: `lb-${digest.replaceAll(/[-_.]/g, '')}`.slice(0, LONGEST),
    attributes: { service: name, namespace, type: 'LoadBalancer', timestamp: at },
  };
}
