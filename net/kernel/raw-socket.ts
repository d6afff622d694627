/**
 * Packets as they are on the wire, sent and received: for probes that no protocol of the kernel would send, from
 * addresses and ports that nobody holds. Every socket stays in the namespace that it was opened in, so one process can
 * speak in many.
 */
import { AF_INET, AF_INET6, AF_PACKET, ETH_P_IP, ETH_P_IPV6, familyOf } from './abi.ts';
import { closeSync } from 'node:fs';
import { isKernelError } from './errors.ts';
import {
  SOCK_RAW,
  SOCK_STREAM,
  openSocket,
  pollReadable,
  receiveNow,
  sendNow,
  setBufferSizes,
} from './libc.ts';
import { inNamespace } from './netns.ts';

const SOCK_DGRAM = 2;
const IPPROTO_RAW = 255;

/** Sends whole IP packets as the host does, by its routes and through its OUTPUT rules. */
export class IpSender {
  readonly #fds: { readonly 4: number; readonly 6: number };

  /** @param netns  path of the namespace to send from; throws {@link KernelError} */
  constructor(netns: string) {
    this.#fds = inNamespace(netns, () => ({
      4: openSocket(AF_INET, SOCK_RAW, IPPROTO_RAW),
      6: openSocket(AF_INET6, SOCK_RAW, IPPROTO_RAW),
    }));
    // What waits for a neighbour to be found counts as not yet sent.
    for (const fd of [this.#fds[4], this.#fds[6]]) setBufferSizes(fd, LITTLE_BUFFER, LARGE_BUFFER);
  }

  /**
   * @param packet  from its IP header on
   * @returns false when the host's own rules or routes stop it
   */
  send(packet: Buffer): boolean {
    const version = (packet[0] ?? 0) >> 4 === 4 ? 4 : 6;
    const to = Buffer.alloc(version === 4 ? 16 : 28);
    to.writeUInt16LE(familyOf(version));
    if (version === 4) packet.copy(to, 4, 16, 20);
    else packet.copy(to, 8, 24, 40);
    try {
      sendNow(this.#fds[version], packet, to);
      return true;
    } catch (error) {
      if (isKernelError(error, 'EPERM', 'ENETUNREACH', 'EHOSTUNREACH')) return false;
      throw error;
    }
  }

  close(): void {
    closeSync(this.#fds[4]);
    closeSync(this.#fds[6]);
  }
}

/** Sends whole IP packets out of one interface, past routes and rules of the sender's own namespace. */
export class LinkSender {
  readonly #fd: number;
  readonly #to: Buffer;

  /**
   * @param index  of the interface
   * @param mac  of the neighbour that is to have them
   * @throws KernelError
   */
  constructor(netns: string, index: number, mac: string) {
    this.#fd = inNamespace(netns, () => openSocket(AF_PACKET, SOCK_DGRAM, 0));
    // struct sockaddr_ll: family, protocol (network order), interface, hardware type, packet type, address length, address.
    this.#to = Buffer.alloc(20);
    this.#to.writeUInt16LE(AF_PACKET, 0);
    this.#to.writeInt32LE(index, 4);
    this.#to.writeUInt8(6, 11);
    Buffer.from(mac.replaceAll(':', ''), 'hex').copy(this.#to, 12);
  }

  /** @param packet  from its IP header on */
  send(packet: Buffer): void {
    this.#to.writeUInt16BE((packet[0] ?? 0) >> 4 === 4 ? ETH_P_IP : ETH_P_IPV6, 2);
    sendNow(this.#fd, packet, this.#to);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Hears every packet of one IP protocol that a namespace takes in as its own, after its INPUT rules. */
export class IpListener {
  readonly version: 4 | 6;
  readonly protocol: number;
  readonly #fd: number;
  #stop: (() => void) | undefined;
  readonly #buffer = Buffer.alloc(2048);

  /** Throws {@link KernelError}. */
  constructor(netns: string, version: 4 | 6, protocol: number) {
    this.version = version;
    this.protocol = protocol;
    this.#fd = inNamespace(netns, () => openSocket(familyOf(version), SOCK_RAW, protocol));
    setBufferSizes(this.#fd, LARGE_BUFFER, LITTLE_BUFFER);
  }

  /**
   * Hands over all that waits.
   *
   * @param take  is given what follows the IP header, as a view that it must not keep
   */
  drain(take: (payload: Buffer) => void): void {
    for (;;) {
      const length = receiveNow(this.#fd, this.#buffer);
      if (length === undefined) return;
      const end = Math.min(length, this.#buffer.length);
      // An IPv4 socket is given the header too, an IPv6 socket never is.
      const start = this.version === 4 ? ((this.#buffer[0] ?? 0) & 15) * 4 : 0;
      take(this.#buffer.subarray(start, end));
    }
  }

  /** Calls on the event loop when something waits. */
  whenReadable(ready: () => void): void {
    this.#stop ??= pollReadable(this.#fd, ready);
  }

  close(): void {
    this.#stop?.();
    closeSync(this.#fd);
  }
}

/** For thousands of packets that arrive before anybody looks, or that wait. */
const LARGE_BUFFER = 64 << 20;
const LITTLE_BUFFER = 1 << 16;

/** A TCP socket of a namespace, for `new Socket({ fd })` to connect with. Throws {@link KernelError}. */
export function tcpSocket(netns: string, version: 4 | 6): number {
  return inNamespace(netns, () => openSocket(familyOf(version), SOCK_STREAM, 0));
}
