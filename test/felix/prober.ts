/** One end of probes and of connections: a network namespace with the addresses that it sends from. */
import { type Server, Socket, createServer } from 'node:net';
import { inNamespace } from '../../net/kernel/index.ts';
import { tcpSocket } from '../../net/kernel/raw-socket.ts';
import { TCP, UDP } from './probe-packet.ts';
import type { Wire } from './wire.ts';

export interface Addresses {
  readonly 4: string;
  readonly 6: string;
}

const PATIENCE_MS = 30_000;
/** After which nothing comes any more on a connection that was cut. */
const SILENCE_MS = 700;

export class Prober {
  readonly name: string;
  readonly #netns: string;
  readonly #wire: Wire;
  readonly #own: () => Addresses;
  readonly #stationOf: (address: string) => string;
  readonly #open = new Map<number, Socket>();
  readonly #servers: Server[] = [];
  #count = 0;

  /**
   * @param own  addresses that it sends from when not told otherwise
   * @param stationOf  whose an address is
   */
  constructor(
    name: string,
    netns: string,
    wire: Wire,
    own: () => Addresses,
    stationOf: (address: string) => string,
  ) {
    this.name = name;
    this.#netns = netns;
    this.#wire = wire;
    this.#own = own;
    this.#stationOf = stationOf;
  }

  /**
   * Whether a packet gets there and its answer back.
   *
   * @param hoped  what should be: what should get through is tried again for as long as a busy machine may need
   */
  reach(protocol: 'tcp' | 'udp', host: string, port: number, hoped: boolean): Promise<boolean> {
    return this.#wire.reach({
      from: this.name,
      to: this.#stationOf(host),
      source: this.#own()[host.includes(':') ? 6 : 4],
      destination: host,
      protocol: protocol === 'tcp' ? TCP : UDP,
      destinationPort: port,
      expected: hoped,
    });
  }

  /** Echoes on a TCP port, both families. */
  listen(port: number): void {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.pipe(socket);
    });
    // Without a host name the socket is made before `listen` returns.
    inNamespace(this.#netns, () => server.listen(port));
    this.#servers.push(server);
  }

  /** The id of a connection that stays open, or undefined when it could not be made. */
  async open(host: string, port: number): Promise<number | undefined> {
    const socket = new Socket({ fd: tcpSocket(this.#netns, host.includes(':') ? 6 : 4) });
    const connected = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), PATIENCE_MS);
      const settle = (ok: boolean) => (): void => {
        clearTimeout(timer);
        resolve(ok);
      };
      socket.on('error', settle(false));
      socket.connect({ host, port }, settle(true));
    });
    if (!connected) {
      socket.destroy();
      return undefined;
    }
    this.#open.set(++this.#count, socket);
    return this.#count;
  }

  /**
   * Whether data still goes both ways on an open connection.
   *
   * @param hoped  as with {@link reach}
   */
  ping(connection: number, hoped: boolean): Promise<boolean> {
    const socket = this.#open.get(connection);
    if (socket === undefined || socket.destroyed) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (ok: boolean): void => {
        clearTimeout(timer);
        socket.removeAllListeners('data');
        resolve(ok);
      };
      const timer = setTimeout(() => settle(false), hoped ? PATIENCE_MS : SILENCE_MS);
      socket.on('data', () => settle(true));
      socket.write('still there?');
    });
  }

  close(): void {
    for (const socket of this.#open.values()) socket.destroy();
    for (const server of this.#servers) server.close();
  }
}
