/**
 * A netlink socket that asks and waits for the answer.
 *
 * Sending is where the kernel does the work, all of it before write(2) returns; so it happens in libuv's thread
 * pool (a batch of routes takes milliseconds, deleting a veth 20 ms), unless who asks knows that the kernel is done with as
 * little as this before the pool's thread is awake: on a busy machine that alone takes longer than most changes. The
 * answers then wait in the socket's buffer and are taken without blocking, in slices that leave the event loop its turn.
 *
 * One question at a time: the next one waits until the last is answered.
 */
import { close, closeSync, write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { PoplinError } from '../../../api/problem.ts';
import { KernelError } from '../errors.ts';
import { bindNetlink, netlinkSocket, receiveNow, setBufferSizes, setSocketOption } from '../libc.ts';
import { inNamespace } from '../netns.ts';
import { type Answer, BatchAnswer, DumpAnswer } from './answer.ts';
import { type Message, MessageWriter, splitDatagram, type Verdict } from './message.ts';

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
export const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

/** An error answer occupies about a kilobyte of buffer, extras included: a batch that fails throughout must fit. */
export const RECEIVE_BUFFER = 4 * 1024 * 1024;
const SEND_BUFFER = 1024 * 1024;

/** Parts of dumps are at most 32 KiB. Shared by all sockets: filled and decoded within one turn. */
const datagram = Buffer.alloc(256 * 1024);

/** How long decoding may hold the event loop. */
const SLICE_MS = 8;
const DUMP_ATTEMPTS = 10;

const writeFile = promisify(write);

/** Opens a socket of this netlink family in the namespace at `netns` (ours by default). Throws {@link KernelError}. */
export function openNetlinkSocket(
  netns: string | undefined,
  receiveBuffer: number,
  family: number = NETLINK_ROUTE,
  sendBuffer: number = SEND_BUFFER,
): number {
  const openHere = () => netlinkSocket(family);
  const fd = netns === undefined ? openHere() : inNamespace(netns, openHere);
  try {
    setBufferSizes(fd, receiveBuffer, sendBuffer);
    setSocketOption(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
    setSocketOption(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
    // Kernels before 4.20 do not know it, and answer more than was asked; who asks filters anyway.
    try {
      setSocketOption(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
    } catch {}
    bindNetlink(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

/**
 * Takes the messages of one datagram.
 *
 * @param visit  must decode at once: the buffer is used again
 * @returns false when none was waiting
 * @throws KernelError, with ENOBUFS when datagrams were lost
 */
export function takeDatagram(fd: number, visit: (bytes: Buffer, message: Message) => void): boolean {
  const length = receiveNow(fd, datagram);
  if (length === undefined) return false;
  if (length > datagram.length) throw new RangeError(`netlink: a datagram of ${length} octets`);
  for (const message of splitDatagram(datagram, length)) visit(datagram, message);
  return true;
}

/** Octets, at the kernel's count (a datagram counts for more than its length). */
export interface BufferSizes {
  readonly receive?: number;
  /** All messages of one send have to fit. */
  readonly send?: number;
}

/** One message at least, ready to be numbered: see {@link MessageWriter}. */
export type Messages = Pick<MessageWriter, 'count' | 'finish'>;

const SUCCESS: Verdict = { errno: 0, text: undefined };

export class RequestSocket {
  private readonly fd: number;
  private sequence = 1;
  private tail: Promise<unknown> = Promise.resolve();
  private closed = false;

  constructor(netns: string | undefined, family: number = NETLINK_ROUTE, buffers: BufferSizes = {}) {
    this.fd = openNetlinkSocket(netns, buffers.receive ?? RECEIVE_BUFFER, family, buffers.send);
  }

  /** Sends one message and waits for its acknowledgement. Messages in answer go to `visit`. */
  async request(
    call: string,
    encode: (w: MessageWriter) => void,
    visit?: (bytes: Buffer, message: Message) => void,
  ): Promise<void> {
    const writer = new MessageWriter();
    encode(writer);
    const [verdict] = await this.batch(writer, visit);
    if (verdict !== undefined && verdict.errno !== 0)
      throw new KernelError(verdict.errno, call, verdict.text);
  }

  /**
   * Sends all of the messages at once, which the kernel carries out in order, each for itself.
   *
   * @returns a verdict per message
   */
  async batch(messages: Messages, visit?: (bytes: Buffer, message: Message) => void): Promise<Verdict[]> {
    const failures = await this.failures(messages, visit);
    return Array.from({ length: messages.count }, (_, i) => failures.get(i) ?? SUCCESS);
  }

  /** As {@link batch}. @returns the verdicts of those that failed, by place */
  failures(
    messages: Messages,
    visit?: (bytes: Buffer, message: Message) => void,
  ): Promise<ReadonlyMap<number, Verdict>> {
    return this.exclusively(async () => {
      const first = this.take(messages.count);
      const answer = new BatchAnswer(first, messages.count, visit);
      await this.send(messages.finish(first, true));
      await this.receive(answer);
      return answer.failures;
    });
  }

  /**
   * Sends all of the writer's messages as they are and takes whatever the kernel has answered by the time it has
   * carried them out: for transactions, whose answers follow no order that a batch could count on.
   *
   * @param visit  gets the index of the message that is answered; answers to nobody's message are passed over
   * @param options.atOnce  a send of at most so many octets blocks the event loop; default: none does
   * @throws KernelError, with ENOBUFS when answers were lost: what was asked for has happened or not as a whole
   */
  burst(
    writer: MessageWriter,
    visit: (index: number, bytes: Buffer, message: Message) => void,
    { atOnce = 0 }: { readonly atOnce?: number } = {},
  ): Promise<void> {
    return this.exclusively(async () => {
      const first = this.take(writer.count);
      await this.send(writer.finish(first, false), atOnce);
      const turn = { since: performance.now() };
      while (
        takeDatagram(this.fd, (bytes, message) => {
          const index = message.sequence - first;
          if (index >= 0 && index < writer.count) visit(index, bytes, message);
        })
      )
        await breathe(turn);
    });
  }

  /**
   * Asks for all objects of a kind.
   *
   * Asks again when the kernel says that the objects changed under the dump so that it may be inconsistent.
   *
   * @param decode  undefined for what is not to be in the result; must not keep the buffer
   */
  dump<T>(
    call: string,
    encode: (w: MessageWriter) => void,
    decode: (bytes: Buffer, message: Message) => T | undefined,
  ): Promise<T[]> {
    return this.exclusively(async () => {
      for (let attempt = 1; attempt <= DUMP_ATTEMPTS; attempt++) {
        const found = await this.dumpOnce(call, encode, decode);
        if (found !== undefined) return found;
      }
      throw new PoplinError([
        {
          code: 'KERNEL_DUMP_INTERRUPTED',
          what: `${call}: the kernel's objects changed during each of ${DUMP_ATTEMPTS} attempts to list them`,
          remedy: 'try again when fewer changes are under way',
        },
      ]);
    });
  }

  /** Undefined when the dump was interrupted by changes. */
  private async dumpOnce<T>(
    call: string,
    encode: (w: MessageWriter) => void,
    decode: (bytes: Buffer, message: Message) => T | undefined,
  ): Promise<T[] | undefined> {
    const writer = new MessageWriter();
    encode(writer);
    const sequence = this.take(1);
    const answer = new DumpAnswer(sequence, decode);
    await this.send(writer.finish(sequence, false));
    await this.receive(answer);
    const { verdict, broken, interrupted, found } = answer;
    if (verdict !== undefined && verdict.errno !== 0)
      throw new KernelError(verdict.errno, call, verdict.text);
    if (broken !== undefined) throw broken.error;
    return interrupted ? undefined : found;
  }

  private exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.tail.then(() => {
      if (this.closed) throw new Error('netlink: the socket is closed');
      return work();
    });
    this.tail = result.catch(() => undefined);
    return result;
  }

  /** Reserves sequence numbers. They never wrap inside a batch, so that a message's number tells its place. */
  private take(count: number): number {
    if (this.sequence + count > 0xffffffff) this.sequence = 1;
    const first = this.sequence;
    this.sequence += count;
    return first;
  }

  private async send(bytes: Buffer, atOnce = 0): Promise<void> {
    try {
      if (bytes.length <= atOnce) writeSync(this.fd, bytes, 0, bytes.length, null);
      else await writeFile(this.fd, bytes, 0, bytes.length, null);
    } catch (error) {
      const errno = error instanceof Error && 'errno' in error ? Number(error.errno) : 0;
      throw new KernelError(-errno, 'netlink write');
    }
  }

  /** Takes datagrams until the answer is complete. The kernel has answered before the sending ended, or as we read. */
  private async receive(answer: Answer): Promise<void> {
    const turn = { since: performance.now() };
    while (!answer.complete) {
      if (!takeDatagram(this.fd, (bytes, message) => answer.take(bytes, message)))
        throw new Error('netlink: the kernel has not answered');
      await breathe(turn);
    }
  }

  /** Lets the question under way be answered; later ones are refused. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    void this.tail.then(() => close(this.fd));
  }
}

/** Gives the event loop its turn when we have held it long enough. */
export async function breathe(turn: { since: number }): Promise<void> {
  if (performance.now() - turn.since <= SLICE_MS) return;
  await new Promise((resolve) => setImmediate(resolve));
  turn.since = performance.now();
}
