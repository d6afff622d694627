/** The connections that the kernel tracks in one network namespace. */
import type { IpVersion } from '../../addr/index.ts';
import { KernelError } from '../errors.ts';
import {
  type Connection,
  CONNTRACK_ENTRY,
  decodeConnection,
  encodeConnectionDelete,
  encodeConnectionDump,
} from './conntrack-codec.ts';
import { MessageWriter, NLMSG_ERROR, readVerdict } from './message.ts';
import { NETLINK_NETFILTER, RequestSocket } from './socket.ts';

const ENOENT = 2;
/** Messages of one send. */
const BATCH = 256;

export class Conntrack {
  readonly #socket: RequestSocket;

  private constructor(netns: string | undefined) {
    this.#socket = new RequestSocket(netns, NETLINK_NETFILTER);
  }

  /** @throws KernelError without permission; the file system's error when the namespace is gone */
  static open(options: { readonly netns?: string | undefined } = {}): Conntrack {
    return new Conntrack(options.netns);
  }

  close(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  list(version: IpVersion): Promise<readonly Connection[]> {
    return this.#socket.dump(
      `IPCTNL_MSG_CT_GET IPv${version}`,
      (w) => encodeConnectionDump(w, version),
      (bytes, message) => (message.type === CONNTRACK_ENTRY ? decodeConnection(bytes, message) : undefined),
    );
  }

  /**
   * Forgets connections; the next packet of each is a new one. One that has ended meanwhile is no failure.
   *
   * @returns how many there were
   */
  async forget(connections: readonly Connection[]): Promise<number> {
    let gone = connections.length;
    for (let at = 0; at < connections.length; at += BATCH) {
      const writer = new MessageWriter();
      for (const connection of connections.slice(at, at + BATCH)) encodeConnectionDelete(writer, connection);
      let failure: number | undefined;
      await this.#socket.burst(writer, (_, bytes, message) => {
        if (message.type !== NLMSG_ERROR) return;
        const { errno } = readVerdict(bytes, message);
        if (errno === 0) return;
        gone--;
        if (errno !== ENOENT) failure = errno;
      });
      if (failure !== undefined) throw new KernelError(failure, 'IPCTNL_MSG_CT_DELETE');
    }
    return gone;
  }
}
