/**
 * Between the engine and the API server: it speaks HTTP to the one and HTTPS to the other, so that a test can say what
 * becomes of a request: lost on its way, its answer lost, an answer of the test's own.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import type { Socket } from 'node:net';
import type { KubeServer } from './server.ts';

export type Fate =
  /** It never arrives. */
  | 'lose-request'
  /** It arrives, and is answered to nobody. */
  | 'lose-answer'
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body: unknown };

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly body: string;
}

interface Trap {
  readonly matches: (asked: Asked) => boolean;
  readonly fate: Fate;
  /** After the fate, before the connection of the client breaks. */
  readonly meanwhile: () => Promise<void>;
}

export class Relay {
  readonly #server: Server;
  readonly #target: KubeServer;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #sockets = new Set<Socket>();
  readonly #traps: Trap[] = [];
  /** All requests, in order. */
  readonly asked: Asked[] = [];
  isDown = false;
  caught = 0;
  /** Of those whose answer was to be lost: not even the request arrived. */
  undelivered = 0;

  static async before(target: KubeServer): Promise<Relay> {
    const relay = new Relay(target);
    await new Promise<void>((resolve) => relay.#server.listen(0, '127.0.0.1', resolve));
    return relay;
  }

  private constructor(target: KubeServer) {
    this.#target = target;
    this.#server = createServer((asked, answer) => void this.#serve(asked, answer));
    this.#server.on('connection', (socket) => {
      if (this.isDown) socket.destroy();
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  get location(): string {
    const address = this.#server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    return `kubernetes://${this.#target.kubeconfig('admin', { server: `http://127.0.0.1:${port}` })}`;
  }

  /** The next request that matches, once. */
  trap(matches: Trap['matches'], fate: Fate, meanwhile: Trap['meanwhile'] = async () => {}): void {
    this.#traps.push({ matches, fate, meanwhile });
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    this.#agent.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of incoming) body += String(chunk);
    const asked = { method: incoming.method ?? '', url: incoming.url ?? '', body };
    this.asked.push(asked);
    const at = this.#traps.findIndex(({ matches }) => matches(asked));
    const [trap] = at < 0 ? [] : this.#traps.splice(at, 1);
    if (trap === undefined) {
      this.#forward(asked, incoming, answer);
      return;
    }
    this.caught++;
    if (typeof trap.fate === 'object') {
      const { status, headers, body: told } = trap.fate;
      answer.writeHead(status, { 'content-type': 'application/json', ...headers });
      answer.end(JSON.stringify(told));
      return;
    }
    if (trap.fate === 'lose-answer') {
      const { status } = await this.#target.ask(asked.url, askedAs(asked));
      if (status === 0) this.undelivered++;
    }
    await trap.meanwhile();
    answer.destroy();
  }

  #forward({ method, url, body }: Asked, incoming: IncomingMessage, answer: ServerResponse): void {
    const options = {
      host: '127.0.0.1',
      port: this.#target.port,
      path: url,
      method,
      headers: incoming.headers,
      agent: this.#agent,
      rejectUnauthorized: false,
    };
    const onward = request(options, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      answer.flushHeaders();
      response.pipe(answer);
      response.on('error', () => answer.destroy());
      response.on('aborted', () => answer.destroy());
    });
    onward.on('error', () => answer.destroy());
    answer.on('close', () => onward.destroy());
    onward.end(body);
  }
}

function askedAs({ method, body }: Asked) {
  return { method, ...(body === '' ? {} : { body: JSON.parse(body) as unknown }) };
}
