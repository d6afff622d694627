/**
 * Probes without a pause, from a thread of their own, while something happens to policy: of flows that every state of it
 * allows none may be cut, of those that every state denies none may pass.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import type { TestNetwork } from './network.ts';
import type { Flow, StationSpec } from './wire.ts';

export interface StreamTask {
  readonly stations: readonly StationSpec[];
  readonly flows: readonly Flow[];
}

export interface Streamed {
  /** Allowed and arrived. */
  readonly passed: number;
  /** Denied, and did not arrive. */
  readonly stopped: number;
  /** What went wrong, in words: first some of it. */
  readonly cut: readonly string[];
  readonly leaked: readonly string[];
}

export class Stream {
  readonly #worker: Worker;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  /** Resolves when the first of each flow was sent. */
  static async start({ stations }: TestNetwork, flows: readonly Flow[]): Promise<Stream> {
    const worker = new Worker(new URL('./stream-thread.ts', import.meta.url), {
      workerData: { stations, flows } satisfies StreamTask,
      // Node does not know of sockets that are opened by number.
      trackUnmanagedFds: false,
    });
    await once(worker, 'message');
    return new Stream(worker);
  }

  /** It goes on until enough was seen to judge by, however slow the machine is. */
  async stop(): Promise<Streamed> {
    const answer = once(this.#worker, 'message') as Promise<[Streamed]>;
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- not a window
    this.#worker.postMessage('stop');
    const [streamed] = await answer;
    await this.#worker.terminate();
    return streamed;
  }
}

/** Nothing wrong was seen, and enough to have seen it. */
export function expectUnbroken({ passed, stopped, cut, leaked }: Streamed): void {
  expect(leaked, 'packets that every policy denies').to.deep.equal([]);
  expect(cut, 'packets that every policy allows').to.deep.equal([]);
  expect(Math.min(passed, stopped)).to.be.greaterThan(100);
}
