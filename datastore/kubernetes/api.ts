/**
 * HTTP to an API server: one request, one answer, or a stream of lines. No policy but the deadline of a request: who
 * may be asked again, and how often, is said in `client.ts`.
 *
 * HTTP/1.1, so each watch holds a connection of its own: about ten of bgpd, twenty of felix-lite and ten of the agent on each
 * node. HTTP/2 would need one, but also a way back for proxies and servers without it, and the handling of GOAWAY.
 */
import {
  type AgentOptions,
  Agent as HttpAgent,
  type IncomingMessage,
  request as httpRequest,
} from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Agent as HttpsAgent, type RequestOptions, request as httpsRequest } from 'node:https';
import type { Clock, Millis } from '../../clock/clock.ts';
import { PoplinError } from '../../api/problem.ts';
import type { Credentials } from './credentials.ts';

export interface Ask {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** From the root of the API, encoded: `/apis/GROUP/VERSION/...`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** JSON text. */
  readonly body?: string;
  /** Of the body; default `application/json`. */
  readonly contentType?: string;
  /** Of the answer; default `application/json`. */
  readonly accept?: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** Of the header Retry-After, where the server asks to wait. */
  readonly retryAfter: Millis | undefined;
}

/** No answer: the server was not reached, or the connection broke before the answer was whole. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
  /** False when the request certainly did not reach the server. */
  readonly mayHaveArrived: boolean;
  /** The server showed a certificate that we do not trust. */
  readonly isDistrust: boolean;

  constructor(error: unknown) {
    super(error instanceof Error ? error.message || codeOf(error) : String(error), { cause: error });
    const code = codeOf(error);
    this.isDistrust = DISTRUST.test(code);
    this.mayHaveArrived = !this.isDistrust && !NOT_CONNECTED.has(code);
  }
}

/** Of OpenSSL's verification, and Node's of the name. */
const DISTRUST =
  /^(?:CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|INVALID_CA|PATH_LENGTH|CRL_|ERR_TLS_CERT_ALTNAME)/;
const unzip = promisify(gunzip);

const NOT_CONNECTED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);
/** A connection whose other end vanished without a word is found out in half a minute: this, and ten probes a second apart. */
const KEEP_ALIVE: Millis = 15_000;

export class Api {
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #streams: HttpAgent | HttpsAgent;

  constructor(credentials: Credentials, clock: Clock) {
    this.#credentials = credentials;
    this.#clock = clock;
    const make = (options: AgentOptions): HttpAgent | HttpsAgent =>
      credentials.server.startsWith('https:') ? new HttpsAgent(options) : new HttpAgent(options);
    this.#agent = make({ keepAlive: true, keepAliveMsecs: KEEP_ALIVE, maxSockets: 64 });
    // Watches hold their connections, however many there are, and must not take those of requests.
    this.#streams = make({ keepAlive: true, keepAliveMsecs: KEEP_ALIVE });
  }

  get server(): string {
    return this.#credentials.server;
  }

  /** After a refusal for want of credentials: the next request carries new ones. */
  forgetCredentials(): void {
    this.#credentials.forget();
  }

  /** @throws NoAnswer */
  async ask(ask: Ask, timeout: Millis): Promise<Answer> {
    const late = new AbortController();
    const cancel = this.#clock.after(timeout, 'give up a request to the API server', () =>
      late.abort(new Error(`no answer within ${timeout / 1000} s`)),
    );
    try {
      // Of long answers: a list of pods is a tenth then, and thousands of nodes may ask for it at once.
      const response = await this.#send(ask, late.signal, this.#agent, { 'accept-encoding': 'gzip' });
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      if (!response.complete) throw new Error('the answer broke off');
      const body = Buffer.concat(chunks);
      const isPacked = response.headers['content-encoding'] === 'gzip';
      return answerOf(response, (isPacked ? await unzip(body) : body).toString());
    } catch (error) {
      throw error instanceof NoAnswer || error instanceof PoplinError ? error : new NoAnswer(error);
    } finally {
      cancel();
    }
  }

  /**
   * Lines of an answer that goes on, as they come.
   * @param timeout  until the first octet of the answer
   * @throws NoAnswer, also when the connection breaks later
   */
  async stream(
    ask: Ask,
    timeout: Millis,
    signal: AbortSignal,
  ): Promise<Answer | { readonly status: 200; readonly lines: AsyncIterable<string> }> {
    const starting = new AbortController();
    const cancel = this.#clock.after(timeout, 'give up a watch that does not begin', () =>
      starting.abort(new Error(`no answer within ${timeout / 1000} s`)),
    );
    let response: IncomingMessage;
    try {
      response = await this.#send(ask, AbortSignal.any([signal, starting.signal]), this.#streams);
    } finally {
      cancel();
    }
    if (response.statusCode === 200) return { status: 200, lines: linesOf(response) };
    let text = '';
    try {
      for await (const chunk of response) text += String(chunk);
    } catch (error) {
      throw new NoAnswer(error);
    }
    return answerOf(response, text);
  }

  close(): void {
    this.#agent.destroy();
    this.#streams.destroy();
  }

  async #send(
    { method, path, query, body, contentType, accept = 'application/json' }: Ask,
    signal: AbortSignal,
    agent: HttpAgent | HttpsAgent,
    more: Readonly<Record<string, string>> = {},
  ): Promise<IncomingMessage> {
    const search = query === undefined ? '' : `?${new URLSearchParams(query).toString()}`;
    const url = new URL(`${this.#credentials.server}${path}${search}`);
    const credentials = await this.#credentials.options();
    const headers = {
      accept,
      'user-agent': 'poplin',
      ...more,
      ...(body === undefined
        ? {}
        : { 'content-type': contentType ?? 'application/json', 'content-length': Buffer.byteLength(body) }),
      ...(credentials.headers as Record<string, string>),
    };
    const options: RequestOptions = { agent, ...credentials, method, headers, signal };
    return new Promise((resolve, reject) => {
      const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
      const request = send(url, options, resolve);
      request.on('error', (error) => reject(new NoAnswer(signal.aborted ? signal.reason : error)));
      request.end(body);
    });
  }
}

function answerOf(response: IncomingMessage, text: string): Answer {
  const seconds = Number(response.headers['retry-after']);
  return {
    status: response.statusCode ?? 0,
    text,
    retryAfter: Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined,
  };
}

async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  let rest = '';
  response.setEncoding('utf8');
  try {
    for await (const chunk of response) {
      const parts = (rest + String(chunk)).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) if (part !== '') yield part;
    }
  } catch (error) {
    throw new NoAnswer(error);
  } finally {
    response.destroy();
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
