/** TTL and hop limit of a socket, which Node cannot set for TCP. */
import { setSocketOption } from './libc.ts';

const IPPROTO_IP = 0;
const IP_TTL = 2;
const IP_MINTTL = 21;
const IPPROTO_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_MINHOPCOUNT = 73;

/**
 * Of everything that the socket sends from now on; before `connect`, of the SYN too.
 *
 * @param ttl  1 to 255
 * @throws KernelError, EBADF or EINVAL
 */
export function setTtl(fd: number, version: 4 | 6, ttl: number): void {
  if (version === 4) setSocketOption(fd, IPPROTO_IP, IP_TTL, ttl);
  else setSocketOption(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl);
}

/**
 * The kernel drops what comes on the socket with a lower TTL, silently, before anybody reads it (GTSM, RFC 5082).
 *
 * @param ttl  1 to 255
 * @throws KernelError, EBADF or EINVAL
 */
export function setMinimalTtl(fd: number, version: 4 | 6, ttl: number): void {
  if (version === 4) setSocketOption(fd, IPPROTO_IP, IP_MINTTL, ttl);
  else setSocketOption(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, ttl);
}
