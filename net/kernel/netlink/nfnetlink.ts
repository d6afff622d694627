/** What all subsystems of netfilter's netlink have in common: struct nfgenmsg behind the header. Pure. */
import type { IpVersion } from '../../addr/index.ts';
import type { MessageWriter } from './message.ts';

/** Octets of struct nfgenmsg: family, version, subsystem's number in network order. */
export const NFGENMSG = 4;

export const SUBSYSTEM = { conntrack: 1, ipset: 6, nftables: 10 } as const;

/** NFPROTO_*: address families as netfilter numbers them. */
export const NFPROTO = { unspecified: 0, inet: 1, ipv4: 2, arp: 3, ipv6: 10 } as const;

export function protocolFamily(version: IpVersion): number {
  return version === 4 ? NFPROTO.ipv4 : NFPROTO.ipv6;
}

export function messageType(subsystem: number, command: number): number {
  return (subsystem << 8) | command;
}

/** Header and nfgenmsg; the message is closed with `end`. */
export function beginNetfilter(
  w: MessageWriter,
  type: number,
  flags: number,
  family: number,
  resourceId = 0,
): void {
  w.begin(type, flags);
  w.u8(family);
  w.u8(0);
  w.u8(resourceId >>> 8);
  w.u8(resourceId & 0xff);
}
