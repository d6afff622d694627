/** Neighbours and forwarding entries of one network namespace: lists, and many changes at once. */
import { constants } from 'node:os';
import type { Address } from '../../addr/index.ts';
import { KernelError } from '../errors.ts';
import { decodeForwarding, encodeForwarding, encodeForwardingDump, type ForwardingEntry } from './fdb.ts';
import { MessageWriter } from './message.ts';
import { decodeNeighbour, encodeNeighbour, encodeNeighbourDump, type Neighbour } from './neighbour.ts';
import { BATCH } from './requests.ts';
import type { RequestSocket } from './socket.ts';

/** On the interface of its index; permanent. */
export type NeighbourChange =
  | {
      readonly type: 'neighbour';
      readonly op: 'replace' | 'delete';
      readonly entry: { readonly link: number; readonly address: Address; readonly mac?: string | undefined };
    }
  | { readonly type: 'forwarding'; readonly op: 'replace' | 'delete'; readonly entry: ForwardingEntry };

/** @param link  index of an interface; undefined: all */
export function listNeighbours(socket: RequestSocket, link: number | undefined): Promise<Neighbour[]> {
  return socket.dump('RTM_GETNEIGH', encodeNeighbourDump, (bytes, { start, end }) => {
    const neighbour = decodeNeighbour(bytes, start, end);
    return link === undefined || neighbour?.link === link ? neighbour : undefined;
  });
}

/** See `Netlink.listForwarding`. */
export function listForwarding(socket: RequestSocket, link: number): Promise<ForwardingEntry[]> {
  return socket.dump(
    'RTM_GETNEIGH AF_BRIDGE',
    (w) => encodeForwardingDump(w, link),
    (bytes, { start, end }) => {
      const entry = decodeForwarding(bytes, start, end);
      return entry?.link === link ? entry : undefined;
    },
  );
}

/** See `Netlink.applyNeighbours`. */
export async function applyNeighbours(
  socket: RequestSocket,
  changes: readonly NeighbourChange[],
): Promise<KernelError[]> {
  const refused: KernelError[] = [];
  for (let at = 0; at < changes.length; at += BATCH) {
    const part = changes.slice(at, at + BATCH);
    const writer = new MessageWriter(64 * part.length);
    for (const change of part) {
      const { op } = change;
      if (change.type === 'forwarding') encodeForwarding(writer, op, change.entry);
      else encodeNeighbour(writer, op, change.entry.link, change.entry.address, change.entry.mac);
    }
    for (const [i, { errno, text }] of (await socket.batch(writer)).entries()) {
      const change = part[i];
      const gone = change?.op === 'delete' && errno === constants.errno.ENOENT;
      if (errno === 0 || change === undefined || gone) continue;
      refused.push(new KernelError(errno, `${change.type} ${change.op} ${change.entry.mac ?? ''}`, text));
    }
  }
  return refused;
}
