/** Token buckets on both ways of an interface of one network namespace. */
import { constants } from 'node:os';
import { KernelError } from '../errors.ts';
import { encodeLinkChange, encodeNewLink } from './link.ts';
import { MessageWriter } from './message.ts';
import {
  type Discipline,
  decodeDiscipline,
  encodeBucket,
  encodeDisciplineDump,
  encodeIngress,
  encodeIngressDelete,
  encodeRedirect,
  encodeRedirectDelete,
  encodeRootDelete,
  type TokenBucket,
} from './shaping.ts';
import { RequestSocket } from './socket.ts';

const { EEXIST, EINVAL, ENODEV, ENOENT } = constants.errno;

export class TrafficControl {
  readonly #socket: RequestSocket;

  /** @param netns  path of the namespace; undefined: this process's. @throws KernelError */
  constructor(netns: string | undefined) {
    this.#socket = new RequestSocket(netns);
  }

  close(): void {
    this.#socket.close();
  }

  /** What is queued how, on all interfaces: the kernel has no shorter answer. */
  disciplines(): Promise<Discipline[]> {
    return this.#socket.dump('RTM_GETQDISC', encodeDisciplineDump, (bytes, { start, end }) =>
      decodeDiscipline(bytes, start, end),
    );
  }

  /**
   * Shapes what leaves by the interface. A discipline with another handle makes way.
   *
   * @param handle  `major:0`, major in the upper 16 bits
   * @throws KernelError, EINVAL for a peak rate not above the rate
   */
  shape(link: number, handle: number, bucket: TokenBucket): Promise<void> {
    return this.#perform([(w) => encodeBucket(w, link, handle, bucket)]);
  }

  /** Nothing happens where no discipline of that handle is there. */
  unshape(link: number, handle: number): Promise<void> {
    return this.#perform([(w) => encodeRootDelete(w, link, handle)], [ENOENT, EINVAL, ENODEV]);
  }

  /** A device whose only use is that packets can queue on it; there already, it stays. Switched on. */
  async createIfb(name: string, mtu: number, alias: string): Promise<void> {
    await this.#perform([(w) => encodeNewLink(w, { name, mtu }, 'ifb', () => {})], [EEXIST]);
    await this.#perform([(w) => encodeLinkChange(w, name, { up: true, mtu, alias })]);
  }

  /** All that comes in by `link` goes through the queue of `through` first. */
  redirect(link: number, through: number): Promise<void> {
    return this.#perform(
      [
        (w) => encodeIngress(w, link),
        (w) => encodeRedirectDelete(w, link),
        (w) => encodeRedirect(w, link, through),
      ],
      [EEXIST, ENOENT, EINVAL],
      2,
    );
  }

  /** Everything that hangs on the interface's ingress goes. */
  noRedirect(link: number): Promise<void> {
    return this.#perform([(w) => encodeIngressDelete(w, link)], [ENOENT, EINVAL, ENODEV]);
  }

  /** @param strict  from this place in `messages` on no refusal is forgiven */
  async #perform(
    messages: readonly ((w: MessageWriter) => void)[],
    forgiven: readonly number[] = [],
    strict = messages.length,
  ): Promise<void> {
    const writer = new MessageWriter();
    for (const encode of messages) encode(writer);
    for (const [i, { errno, text }] of (await this.#socket.batch(writer)).entries()) {
      if (errno !== 0 && (i >= strict || !forgiven.includes(errno)))
        throw new KernelError(errno, 'traffic control', text);
    }
  }
}
