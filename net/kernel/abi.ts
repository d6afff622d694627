/** Numbers of the kernel that more than one kind of its sockets and messages goes by. Pure. */
import type { IpVersion } from '../addr/index.ts';

/** Families of addresses (linux/socket.h). */
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_PACKET = 17;

/** Protocols of a frame (linux/if_ether.h), in the machine's order; frames have them in network order. */
export const ETH_P_ALL = 0x0003;
export const ETH_P_IP = 0x0800;
export const ETH_P_IPV6 = 0x86dd;

export function familyOf(version: IpVersion): number {
  return version === 4 ? AF_INET : AF_INET6;
}

/** Undefined for what is not IP. */
export function versionOf(family: number): IpVersion | undefined {
  if (family === AF_INET) return 4;
  return family === AF_INET6 ? 6 : undefined;
}
