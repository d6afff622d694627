/**
 * A TCP proxy in front of one etcd that can lose what goes through it: a request that carries chosen text is caught
 * on its way, and the test says what becomes of it before the connection breaks.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface Caught {
  /** Hands the request to etcd; whatever etcd answers from now on is lost. May be called after the cut. */
  deliver(): void;
}

interface Trap {
  readonly text: string;
  /** `pass` lets the request go its way after all. */
  readonly fate: (request: Caught) => Promise<'pass' | void>;
}

export class Proxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #silent = new WeakSet<Socket>();
  readonly #traps: Trap[] = [];
  /** Cut off, new connections too. */
  isDown = false;
  caught = 0;
  /** Connections that clients have made. */
  connections = 0;
  /** Octets on their way to clients, all told. */
  answered = 0;

  static async to(endpoint: string): Promise<Proxy> {
    const [host, port] = endpoint.split(':');
    const proxy = new Proxy((client) => proxy.#serve(client, connect(Number(port), host)));
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  private constructor(serve: (client: Socket) => void) {
    this.#server = createServer(serve);
  }

  get endpoint(): string {
    const address = this.#server.address();
    return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  /** The next request with `text` in it is caught, once. The connection of the client is cut when `fate` is done. */
  trap(text: string, fate: Trap['fate']): void {
    this.#traps.push({ text, fate });
  }

  /** Hands nothing on any more over the connections that there are, without a word: as a network that lost the way. */
  silence(): void {
    for (const socket of this.#sockets) this.#silent.add(socket);
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(client: Socket, etcd: Socket): void {
    if (this.isDown) {
      client.destroy();
      etcd.destroy();
      return;
    }
    this.connections++;
    let isCaught = false;
    for (const socket of [client, etcd]) {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    }
    client.on('close', () => {
      if (!isCaught) etcd.destroy();
    });
    etcd.on('close', () => client.destroy());
    etcd.on('data', (data: Buffer) => {
      if (isCaught || this.#silent.has(client)) return;
      this.answered += data.length;
      // At the pace of the client, as a network has it.
      if (client.write(data)) return;
      etcd.pause();
      client.once('drain', () => etcd.resume());
    });
    client.on('data', (data: Buffer) => {
      if (isCaught || this.#silent.has(client)) return;
      const trap = this.#traps.find(({ text }) => data.includes(text));
      if (trap === undefined) {
        etcd.write(data);
        return;
      }
      isCaught = true;
      this.caught++;
      this.#traps.splice(this.#traps.indexOf(trap), 1);
      const cutOrGoOn = (isPassed: boolean): void => {
        if (isPassed) isCaught = false;
        else client.destroy();
      };
      void this.#decide(trap, data, etcd).then(cutOrGoOn);
    });
  }

  async #decide({ fate }: Trap, data: Buffer, etcd: Socket): Promise<boolean> {
    const deliver = (): void => void etcd.write(data);
    const verdict = await fate({ deliver });
    if (verdict === 'pass') deliver();
    return verdict === 'pass';
  }
}
