/**
 * A port of this network namespace, had in another one too: a listener there hands what comes over a Unix socket, which
 * knows no namespaces, to the port of the same number here. The datastore then has one address in both.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

const LISTENER = `
const { connect, createServer } = require('node:net');
const [port, path] = process.argv.slice(1);
createServer((near) => {
  const far = connect(path);
  for (const [a, b] of [[near, far], [far, near]]) a.pipe(b), a.on('error', () => b.destroy()), a.on('close', () => b.destroy());
}).listen(Number(port), '127.0.0.1', () => process.stdout.write('listening'));
`;

export class Crossing {
  readonly #port: number;
  readonly #path: string;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #listener: ChildProcess | undefined;
  readonly #netns: string;

  /** @param path  of the Unix socket, to be made */
  constructor(netns: string, port: number, path: string) {
    this.#netns = netns;
    this.#port = port;
    this.#path = path;
    this.#server = createServer((near) => {
      const far = connect(this.#port, '127.0.0.1');
      for (const [a, b] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(a);
        a.pipe(b);
        a.on('error', () => b.destroy());
        a.on('close', () => {
          this.#sockets.delete(a);
          b.destroy();
        });
      }
    });
  }

  /** Nothing listens there before. */
  async open(): Promise<void> {
    this.#server.listen(this.#path);
    await once(this.#server, 'listening');
    const command = [process.execPath, '-e', LISTENER, String(this.#port), this.#path];
    const listener = spawn('nsenter', [`--net=${this.#netns}`, '--', ...command], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#listener = listener;
    await once(listener.stdout, 'data');
  }

  async close(): Promise<void> {
    this.#listener?.kill('SIGKILL');
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
