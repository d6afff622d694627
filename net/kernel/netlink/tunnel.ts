/** Tunnel devices as they are made (IFLA_LINKINFO of kinds `ipip`, `vxlan` and `wireguard`). Pure. */
import type { MessageWriter } from './message.ts';
import { encodeNewLink } from './link.ts';
import { encodeVxlan, type VxlanEnd } from './vxlan.ts';

/** IP in IP (RFC 2003) to wherever routes say: no remote end of its own. */
export interface IpipTunnel {
  readonly kind: 'ipip';
  readonly name: string;
  readonly mtu?: number | undefined;
}

/** VXLAN (RFC 7348) without learning: who is where is told by forwarding entries. */
export interface VxlanTunnel extends VxlanEnd {
  readonly kind: 'vxlan';
  readonly name: string;
  readonly mtu?: number | undefined;
  readonly mac?: string | undefined;
}

/** Keys and peers are told over a door of its own (net/kernel/wireguard/). */
export interface WireGuardTunnel {
  readonly kind: 'wireguard';
  readonly name: string;
  readonly mtu?: number | undefined;
}

export type Tunnel = IpipTunnel | VxlanTunnel | WireGuardTunnel;

export function encodeTunnel(w: MessageWriter, tunnel: Tunnel): void {
  if (tunnel.kind !== 'vxlan') encodeNewLink(w, tunnel, tunnel.kind, () => {});
  else encodeNewLink(w, tunnel, 'vxlan', () => encodeVxlan(w, tunnel));
}
