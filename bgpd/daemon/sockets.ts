/** Sockets with options that Node cannot set, through the kernel's door: TTLs, and keys of signatures. */
import { closeSync } from 'node:fs';
import { BoundSocket, connect, type Server, Socket } from 'node:net';
import { Address } from '../../net/addr/index.ts';
import { duplicate } from '../../net/kernel/libc.ts';
import { setTcpMd5 } from '../../net/kernel/tcp-md5.ts';
import { setMinimalTtl, setTtl } from '../../net/kernel/ttl.ts';
import type { Dial, Reopen, SetHopLimits } from '../speaker/tcp.ts';
import type { HopLimits } from '../speaker/transport.ts';

const MAX_TTL = 255;

/** A socket that needs a TTL or a key is bound first, so that its first packet has it. */
export const dialWithOptions: Dial = ({ address, port, localAddress, hops, password }, onread) => {
  if (hops === undefined && password === undefined)
    return connect({ host: address, port, onread, ...(localAddress === undefined ? {} : { localAddress }) });
  try {
    const handle = new BoundSocket({ host: localAddress ?? (isV6(address) ? '::' : '0.0.0.0'), port: 0 });
    if (hops !== undefined) limit(handle.fd(), isV6(address) ? 6 : 4, hops);
    if (password !== undefined) setTcpMd5(handle.fd(), parsed(address), password);
    return connect({ handle, host: address, port, onread });
  } catch (error) {
    // The source address is not ours, say: a connection that failed, as it would without a TTL.
    return new Socket().destroy(error instanceof Error ? error : new Error(String(error)));
  }
};

/** Another descriptor of the same connection, whose options are the connection's. */
export const reopenSocket: Reopen = (socket, onread) => {
  let fd;
  try {
    fd = duplicate(descriptor(socket));
    const reopened = new Socket({ fd, onread });
    socket.destroy();
    return reopened;
  } catch {
    // Out of descriptors, or the peer has gone meanwhile: as it is, it does as well.
    if (fd !== undefined) closeSync(fd);
    return socket;
  }
};

export const setSocketHopLimits: SetHopLimits = (socket, hops) =>
  limit(descriptor(socket), isV6(socket.remoteAddress ?? '') ? 6 : 4, hops);

/**
 * What answers a SYN is the socket that listens, before there is a session to say how far away the peer may be. A peer that
 * checks (RFC 5082) would not see an answer of the system's TTL, and its attempts would end in silence.
 */
export function prepareListener(server: Server, address: string): void {
  setTtl(descriptor(server), isV6(address) ? 6 : 4, MAX_TTL);
}

export function setListenerPassword(server: Server, address: Address, password: string | undefined): void {
  setTcpMd5(descriptor(server), address, password);
}

/** @throws on what is no address, a name for instance */
function parsed(text: string): Address {
  const address = Address.parse(text.replace(/%.*/, ''));
  if (address === undefined) throw new Error(`${text} is no address that a key can be for`);
  return address;
}

function limit(fd: number, version: 4 | 6, { ttl, minimalTtl }: HopLimits): void {
  if (ttl !== undefined) setTtl(fd, version, ttl);
  if (minimalTtl !== undefined) setMinimalTtl(fd, version, minimalTtl);
}

/** Node has no other way to the descriptor of a socket it has made. @throws where there is none any more */
function descriptor(socket: Socket | Server): number {
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } | null };
  if (handle?.fd === undefined || handle.fd < 0) throw new Error('the connection is gone');
  return handle.fd;
}

/** The listening sockets of the two versions are apart, so that a mapped address does not appear. */
function isV6(address: string): boolean {
  return address.includes(':');
}
