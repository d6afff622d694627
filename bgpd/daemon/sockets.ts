/** Sockets with a TTL, through the kernel's door: for sessions that must not, or must, cross routers. */
import { BoundSocket, connect, Socket } from 'node:net';
import { setTtl } from '../../net/kernel/index.ts';
import type { Dial, SetTtl } from '../speaker/tcp.ts';

/** A socket that needs a TTL is bound first, so that its first packet has it. */
export const dialWithTtl: Dial = ({ address, port, localAddress, ttl }) => {
  if (ttl === undefined)
    return connect({ host: address, port, ...(localAddress === undefined ? {} : { localAddress }) });
  try {
    const handle = new BoundSocket({ host: localAddress ?? (isV6(address) ? '::' : '0.0.0.0'), port: 0 });
    setTtl(handle.fd(), isV6(address) ? 6 : 4, ttl);
    return connect({ handle, host: address, port });
  } catch (error) {
    // The source address is not ours, say: a connection that failed, as it would without a TTL.
    return new Socket().destroy(error instanceof Error ? error : new Error(String(error)));
  }
};

export const setSocketTtl: SetTtl = (socket, ttl) =>
  setTtl(descriptor(socket), isV6(socket.remoteAddress ?? '') ? 6 : 4, ttl);

/** Node has no other way to the descriptor of a connection that was accepted. @throws where there is none any more */
function descriptor(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } | null };
  if (handle?.fd === undefined || handle.fd < 0) throw new Error('the connection is gone');
  return handle.fd;
}

/** The listening sockets of the two versions are apart, so that a mapped address does not appear. */
function isV6(address: string): boolean {
  return address.includes(':');
}
