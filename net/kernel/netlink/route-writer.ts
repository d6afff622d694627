/**
 * Many changes of routes to the kernel, on a socket of their own. The kernel carries them out in another thread, and has
 * answered the moment it is done: whoever is in the middle of something can {@link RouteSending.poll} and send what is next, in place
 * of letting the kernel wait until the event loop has its turn (bench routes).
 */
import { close, write } from 'node:fs';
import { KernelError } from '../errors.ts';
import { BatchAnswer } from './answer.ts';
import type { Verdict } from './message.ts';
import type { RouteBatch } from './route-batch.ts';
import { openNetlinkSocket, RECEIVE_BUFFER, takeDatagram } from './socket.ts';

/** What failed, by place; all others are done. */
export type RouteFailures<Failure> = ReadonlyMap<number, Failure>;

export interface RouteSending<Failure> {
  /** @throws KernelError when the socket fails, with the fate of the changes unknown */
  readonly outcome: Promise<RouteFailures<Failure>>;
  /** The outcome where the kernel has answered already; also before {@link outcome} is settled. */
  poll(): RouteFailures<Failure> | undefined;
}

export class RouteWriter {
  readonly #fd: number;
  #sequence = 1;
  #under: Sending | undefined;
  /** Calls of write(2) that have not come back: what they write to must stay open. */
  #writes = 0;
  #closed = false;

  /** @throws as `openNetlinkSocket` */
  constructor(netns: string | undefined) {
    this.#fd = openNetlinkSocket(netns, RECEIVE_BUFFER);
  }

  /** One batch at a time, of one change at least. It may be used again once there is an outcome. */
  send(batch: RouteBatch): RouteSending<Verdict> {
    if (this.#closed) throw new Error('netlink: the socket is closed');
    if (this.#under?.isOver === false) throw new Error('netlink: routes are under way already');
    if (this.#sequence + batch.count > 0xffffffff) this.#sequence = 1;
    const sending = new Sending(this.#fd, new BatchAnswer(this.#sequence, batch.count));
    const octets = batch.finish(this.#sequence, true);
    this.#sequence += batch.count;
    this.#under = sending;
    this.#writes++;
    write(this.#fd, octets, 0, octets.length, null, (error) => {
      sending.written(error);
      this.#writes--;
      this.#closeIfDone();
    });
    return sending;
  }

  /** What is under way is still answered. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.#closed && this.#writes === 0) close(this.#fd);
  }
}

class Sending implements RouteSending<Verdict> {
  readonly #fd: number;
  readonly #answer: BatchAnswer;
  readonly #settled = Promise.withResolvers<RouteFailures<Verdict>>();
  isOver = false;

  constructor(fd: number, answer: BatchAnswer) {
    this.#fd = fd;
    this.#answer = answer;
  }

  get outcome(): Promise<RouteFailures<Verdict>> {
    return this.#settled.promise;
  }

  poll(): RouteFailures<Verdict> | undefined {
    if (!this.isOver) this.#take();
    return this.#answer.complete ? this.#answer.failures : undefined;
  }

  /** The call of write(2) has come back. The kernel has answered before that. */
  written(error: NodeJS.ErrnoException | null): void {
    if (this.isOver) return;
    if (error !== null) this.#fail(new KernelError(-(error.errno ?? 0), 'netlink write'));
    else if (this.poll() === undefined) this.#fail(new Error('netlink: the kernel has not answered'));
  }

  #take(): void {
    const take = (bytes: Buffer, message: Parameters<BatchAnswer['take']>[1]): void =>
      this.#answer.take(bytes, message);
    try {
      while (!this.#answer.complete && takeDatagram(this.#fd, take));
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (!this.#answer.complete) return;
    this.isOver = true;
    this.#settled.resolve(this.#answer.failures);
  }

  #fail(error: unknown): void {
    this.isOver = true;
    this.#settled.reject(error);
  }
}
