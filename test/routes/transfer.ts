/**
 * TCP between workloads, over sockets that this process opens in their namespaces: where starting a program takes seconds, as
 * in a user-mode kernel, none is started for it.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { BoundSocket, connect, createServer, type Server, type Socket } from 'node:net';
import { inNamespace } from '../../net/kernel/index.ts';

export const PORT = 7007;
const CHUNK = 64 * 1024;
const SILENCE_MS = 60_000;
const KNOCK_MS = 1_000;

/** Sends back whatever it is sent, from every address of the namespace. */
export async function echoIn(netns: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  // Without a host name the socket is made before `listen` returns.
  inNamespace(netns, () => server.listen(PORT));
  await once(server, 'listening');
  return server;
}

function connectFrom(netns: string, address: string): Socket {
  const host = address.includes(':') ? '::' : '0.0.0.0';
  const handle = inNamespace(netns, () => new BoundSocket({ host, port: 0 }));
  return connect({ handle, host: address, port: PORT });
}

/** A connection to an echo. What breaks it, or comes back other than it went, is thrown by whatever is called next. */
export class Transfer {
  readonly #socket: Socket;
  readonly #sent = createHash('sha256');
  readonly #received = createHash('sha256');
  readonly #ended: Promise<void>;
  #count = 0;
  #back = 0;

  constructor(netns: string, address: string) {
    const socket = connectFrom(netns, address);
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received.update(chunk);
      this.#back += chunk.length;
    });
    this.#ended = new Promise((resolve, reject) => {
      socket.on('end', resolve);
      socket.on('error', reject);
      socket.setTimeout(SILENCE_MS, () => reject(new Error('silence for a minute')));
    });
    // Not nobody's: whoever sends or finishes hears of it.
    this.#ended.catch(() => {});
  }

  /** Resolves when the socket takes more. */
  async send(octets: number): Promise<void> {
    for (let left = octets; left > 0; left -= CHUNK) {
      const chunk = Buffer.alloc(Math.min(CHUNK, left), this.#count % 251);
      this.#sent.update(chunk);
      this.#count += chunk.length;
      if (this.#socket.write(chunk)) continue;
      await Promise.race([new Promise((resolve) => this.#socket.once('drain', resolve)), this.#ended]);
    }
  }

  /** Resolves when all that went has come back. */
  async finish(): Promise<void> {
    try {
      this.#socket.end();
      await this.#ended;
    } catch (error) {
      throw new Error(`${this.#count} octets went, ${this.#back} came back: ${String(error)}`, {
        cause: error,
      });
    } finally {
      this.#socket.destroy();
    }
    if (this.#sent.digest('hex') !== this.#received.digest('hex'))
      throw new Error(`${this.#count} octets went, ${this.#back} came back, or others than went`);
  }
}

/** Whether somebody at the address answers within a second, if only to refuse. */
export function knockFrom(netns: string, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectFrom(netns, address);
    const end = (answered: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answered);
    };
    // What came while this process stood still is heard first.
    const timer = setTimeout(() => setImmediate(() => end(false)), KNOCK_MS);
    socket.once('connect', () => end(true));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code === 'ECONNREFUSED'));
  });
}

/** Of equal octets other than zero, one after another: of a transfer in plain text there are thousands. */
export function longestRun(bytes: Buffer): number {
  let longest = 0;
  let run = 0;
  for (let at = 1; at < bytes.length; at++) {
    run = bytes[at] !== 0 && bytes[at] === bytes[at - 1] ? run + 1 : 0;
    if (run > longest) longest = run;
  }
  return longest;
}
