/**
 * A way into another network namespace: a Unix socket is reached from all of them. One process inside the namespace hands
 * what comes through each socket to its address; here, a port on loopback stands for each.
 *
 * As a program (`node door.ts PATH HOST:PORT [PATH HOST:PORT...]`) it is that process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class Door {
  readonly path: string;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  constructor(path: string) {
    this.path = path;
    this.#server = createServer((socket) => join(socket, connect(path), this.#sockets));
  }

  /** Opens doors inside the namespace; all of them, when this resolves. @param pairs  socket, address, socket, address, ... */
  static async openAll(namespace: string, pairs: readonly string[]): Promise<ChildProcess> {
    const child = spawn(
      'ip',
      ['netns', 'exec', namespace, process.execPath, import.meta.filename, ...pairs],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve());
      child.once('exit', (code) => reject(new Error(`no door into ${namespace}: exit ${code}`)));
    });
    return child;
  }

  get endpoint(): string {
    const address = this.#server.address();
    return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Each ends with the other, and however it ends. */
function join(a: Socket, b: Socket, both: Set<Socket>): void {
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    one.setNoDelay(true);
    both.add(one);
    one.on('error', () => {});
    one.on('close', () => {
      both.delete(one);
      other.destroy();
    });
    one.pipe(other);
  }
}

if (import.meta.main) {
  const pairs = process.argv.slice(2);
  for (let i = 0; i < pairs.length; i += 2) {
    const [path = '', address = ''] = pairs.slice(i);
    const [host, port] = address.split(':');
    rmSync(path, { force: true });
    const server = createServer((socket) => join(socket, connect(Number(port), host), new Set()));
    await new Promise<void>((resolve) => server.listen(path, resolve));
  }
  process.stdout.write('open\n');
}
