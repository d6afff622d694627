/**
 * HTTP/1.1 to an API server: for those that speak nothing newer, and through proxies. Each watch holds a connection of its
 * own.
 */
import {
  type AgentOptions,
  Agent as HttpAgent,
  type IncomingMessage,
  request as httpRequest,
} from 'node:http';
import { Agent as HttpsAgent, type RequestOptions, request as httpsRequest } from 'node:https';
import type { Millis } from '../../clock/clock.ts';
import { NoAnswer, type Received, type Sent, type Transport } from './exchange.ts';

/** A connection whose other end vanished without a word is found out in half a minute: this, and ten probes a second apart. */
const KEEP_ALIVE: Millis = 15_000;

export class Http1 implements Transport {
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #streams: HttpAgent | HttpsAgent;

  constructor(server: string) {
    const make = (options: AgentOptions): HttpAgent | HttpsAgent =>
      server.startsWith('https:') ? new HttpsAgent(options) : new HttpAgent(options);
    this.#agent = make({ keepAlive: true, keepAliveMsecs: KEEP_ALIVE, maxSockets: 64 });
    // Watches hold their connections, however many there are, and must not take those of requests.
    this.#streams = make({ keepAlive: true, keepAliveMsecs: KEEP_ALIVE });
  }

  async send(
    { url, method, headers, body, credentials, isStream }: Sent,
    signal: AbortSignal,
  ): Promise<Received> {
    const agent = isStream ? this.#streams : this.#agent;
    const options: RequestOptions = { agent, ...credentials, method, headers, signal };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
      const request = send(url, options, resolve);
      request.on('error', (error) => reject(new NoAnswer(signal.aborted ? signal.reason : error)));
      request.end(body);
    });
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: whole(response),
      discard: () => response.destroy(),
    };
  }

  close(): void {
    this.#agent.destroy();
    this.#streams.destroy();
  }
}

async function* whole(response: IncomingMessage): AsyncGenerator<Buffer> {
  for await (const chunk of response) yield chunk as Buffer;
  if (!response.complete) throw new Error('the answer broke off');
}
