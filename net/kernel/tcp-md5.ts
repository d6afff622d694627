/** TCP MD5 signatures (RFC 2385) of a socket: struct tcp_md5sig of linux/tcp.h. */
import { familyOf } from './abi.ts';
import type { Address } from '../addr/index.ts';
import { setSocketOptionBytes } from './libc.ts';

const IPPROTO_TCP = 6;
const TCP_MD5SIG = 14;
/** struct sockaddr_storage, then flags, prefix length, key length, interface, key. */
const STRUCT_LENGTH = 216;
const KEY_LENGTH_AT = 130;
const KEY_AT = 136;

/** Octets that a key can have. */
export const MAX_MD5_KEY = 80;

/**
 * From now on every segment to and from this address is signed with the key, and one that is not is dropped unseen; without
 * a key none is. A listening socket hands its keys on to what it accepts.
 *
 * @throws KernelError; RangeError on a key that is too long
 */
export function setTcpMd5(fd: number, address: Address, key: string | undefined): void {
  const octets = Buffer.from(key ?? '');
  if (octets.length > MAX_MD5_KEY)
    throw new RangeError(`a key of ${octets.length} octets; ${MAX_MD5_KEY} at most`);
  const bytes = Buffer.alloc(STRUCT_LENGTH);
  bytes.writeUInt16LE(familyOf(address.version));
  bytes.set(address.toBytes(), address.version === 4 ? 4 : 8);
  bytes.writeUInt16LE(octets.length, KEY_LENGTH_AT);
  bytes.set(octets, KEY_AT);
  setSocketOptionBytes(fd, IPPROTO_TCP, TCP_MD5SIG, bytes);
}
