/**
 * Bare netlink at its best, what everything else is measured by: messages that were encoded before the clock started, written by
 * this thread, which does nothing else and waits for the kernel. That is the kernel's time and nothing of ours.
 */
import { closeSync, writeSync } from 'node:fs';
import { PROTOCOL_BGPD } from '../../bgpd/daemon/kernel-table.ts';
import type { Address, Prefix } from '../../net/addr/index.ts';
import { makeRoute, RouteBatch, type RouteOperation, RouteTemplate } from '../../net/kernel/index.ts';
import { openNetlinkSocket, takeDatagram } from '../../net/kernel/netlink/socket.ts';
import { type Figure, timed } from './rig.ts';

/** Messages in one send. The kernel takes as long for 512, 2,048 or 4,096, and longer for 128. */
const SEND = 1024;
const RECEIVE_BUFFER = 4 * 1024 * 1024;

export class BareNetlink implements Disposable {
  readonly #fd: number;

  constructor(netns: string) {
    this.#fd = openNetlinkSocket(netns, RECEIVE_BUFFER);
  }

  /** @throws when the kernel refuses any */
  async apply(name: string, op: RouteOperation, all: readonly Prefix[], over: Address): Promise<Figure> {
    const sends = encoded(op, all, over);
    return timed(name, () => {
      for (const octets of sends) {
        writeSync(this.#fd, octets, 0, octets.length, null);
        takeDatagram(this.#fd, (bytes, { start }) => {
          if (bytes.readInt32LE(start) !== 0) throw new Error(`the kernel refuses to ${op} a route`);
        });
      }
    });
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

function encoded(op: RouteOperation, all: readonly Prefix[], over: Address): readonly Buffer[] {
  const { destination, ...route } = makeRoute({
    destination: all[0] as Prefix,
    protocol: PROTOCOL_BGPD,
    nextHops: [{ gateway: over }],
  });
  const template = new RouteTemplate(op, destination.version, route, Number);
  const sends: Buffer[] = [];
  for (let at = 0; at < all.length; at += SEND) {
    const batch = new RouteBatch();
    for (const prefix of all.slice(at, at + SEND)) batch.add(template, prefix);
    sends.push(batch.finish(at + 1, true));
  }
  return sends;
}
