/**
 * A netlink socket that asks and waits for the answer.
 *
 * Sending is where the kernel does the work, all of it before write(2) returns; so it happens in libuv's thread
 * pool (a batch of routes takes milliseconds, deleting a veth 20 ms). The answers then wait in the socket's
 * buffer and are taken without blocking, in slices that leave the event loop its turn.
 *
 * One question at a time: the next one waits until the last is answered.
 */
import { close, closeSync, write } from 'node:fs';
import { promisify } from 'node:util';
import { PoplinError } from '../../../api/problem.ts';
import { KernelError } from '../errors.ts';
import { bindNetlink, netlinkSocket, receiveNow, setBufferSizes, setSocketOption } from '../libc.ts';
import { inNamespace } from '../netns.ts';
import { type Answer, BatchAnswer, DumpAnswer } from './answer.ts';
import { type Message, MessageWriter, splitDatagram, type Verdict } from './message.ts';

const NETLINK_ROUTE = 0;
export const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

/** An error answer occupies about a kilobyte of buffer, extras included: a batch that fails throughout must fit. */
const RECEIVE_BUFFER = 4 * 1024 * 1024;
const SEND_BUFFER = 1024 * 1024;

/** Parts of dumps are at most 32 KiB. Shared by all sockets: filled and decoded within one turn. */
const datagram = Buffer.alloc(256 * 1024);

/** How long decoding may hold the event loop. */
const SLICE_MS = 8;
const DUMP_ATTEMPTS = 10;

const writeFile = promisify(write);

const openHere = () => netlinkSocket(NETLINK_ROUTE);

/** Opens an rtnetlink socket in the namespace at `netns` (ours by default). Throws {@link KernelError}. */
export function openRouteSocket(netns: string | undefined, receiveBuffer: number): number {
  const fd = netns === undefined ? openHere() : inNamespace(netns, openHere);
  try {
    setBufferSizes(fd, receiveBuffer, SEND_BUFFER);
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

export class RequestSocket {
  private readonly fd: number;
  private sequence = 1;
  private tail: Promise<unknown> = Promise.resolve();
  private closed = false;

  constructor(netns: string | undefined) {
    this.fd = openRouteSocket(netns, RECEIVE_BUFFER);
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
   * Sends all of the writer's messages at once, which the kernel carries out in order, each for itself.
   *
   * @returns a verdict per message
   */
  batch(writer: MessageWriter, visit?: (bytes: Buffer, message: Message) => void): Promise<Verdict[]> {
    return this.exclusively(async () => {
      const first = this.take(writer.count);
      const answer = new BatchAnswer(first, writer.count, visit);
      await this.send(writer.finish(first, true));
      await this.receive(answer);
      return answer.verdicts;
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

  private async send(bytes: Buffer): Promise<void> {
    try {
      await writeFile(this.fd, bytes, 0, bytes.length, null);
    } catch (error) {
      const errno = error instanceof Error && 'errno' in error ? Number(error.errno) : 0;
      throw new KernelError(-errno, 'netlink write');
    }
  }

  /** Takes datagrams until the answer is complete. The kernel has answered before the sending ended, or as we read. */
  private async receive(answer: Answer): Promise<void> {
    let turn = performance.now();
    while (!answer.complete) {
      if (!takeDatagram(this.fd, (bytes, message) => answer.take(bytes, message)))
        throw new Error('netlink: the kernel has not answered');
      if (performance.now() - turn > SLICE_MS) {
        await new Promise((resolve) => setImmediate(resolve));
        turn = performance.now();
      }
    }
  }

  /** Lets the question under way be answered; later ones are refused. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    void this.tail.then(() => close(this.fd));
  }
}
