/**
 * HTTP to an API server: one request, one answer, or a stream of lines. No policy but the deadline of a request: who
 * may be asked again, and how often, is said in `client.ts`; what goes over the wire, in `http2.ts` and `http1.ts`.
 */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Clock, Millis } from '../../clock/clock.ts';
import { PoplinError } from '../../api/problem.ts';
import type { Credentials } from './credentials.ts';
import { NoAnswer, type Received, TooLate, type Transport } from './exchange.ts';
import { Http1 } from './http1.ts';
import { Http2 } from './http2.ts';

export { NoAnswer } from './exchange.ts';

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

const unzip = promisify(gunzip);

export class Api {
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  readonly #transport: Transport;

  constructor(credentials: Credentials, clock: Clock) {
    this.#credentials = credentials;
    this.#clock = clock;
    const http1 = new Http1(credentials.server);
    this.#transport = isHttp2(credentials) ? new Http2(credentials.server, clock, http1) : http1;
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
      late.abort(new TooLate(`no answer within ${timeout / 1000} s`)),
    );
    try {
      // Of long answers: a list of pods is a tenth then, and thousands of nodes may ask for it at once.
      const response = await this.#send(ask, late.signal, false);
      const body = await bodyOf(response, late.signal);
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
      starting.abort(new TooLate(`no answer within ${timeout / 1000} s`)),
    );
    let response: Received;
    try {
      response = await this.#send(ask, AbortSignal.any([signal, starting.signal]), true);
    } finally {
      cancel();
    }
    if (response.status === 200) return { status: 200, lines: linesOf(response) };
    try {
      return answerOf(response, (await bodyOf(response, signal)).toString());
    } catch (error) {
      throw error instanceof NoAnswer ? error : new NoAnswer(error);
    }
  }

  close(): void {
    this.#transport.close();
  }

  async #send(
    { method, path, query, body, contentType, accept = 'application/json' }: Ask,
    signal: AbortSignal,
    isStream: boolean,
  ): Promise<Received> {
    const search = query === undefined ? '' : `?${new URLSearchParams(query).toString()}`;
    const url = new URL(`${this.#credentials.server}${path}${search}`);
    const credentials = await this.#credentials.options();
    const headers = {
      accept,
      'user-agent': 'poplin',
      // Of long answers: a list of pods is a tenth then, and thousands of nodes may ask for it at once.
      ...(isStream ? {} : { 'accept-encoding': 'gzip' }),
      ...(body === undefined
        ? {}
        : { 'content-type': contentType ?? 'application/json', 'content-length': Buffer.byteLength(body) }),
      ...inLowerCase(credentials.headers as Record<string, string>),
    };
    return this.#transport.send({ url, method, headers, body, credentials, isStream }, signal);
  }
}

/** As in Kubernetes' own clients, the variable is for what stands in between and does HTTP/2 wrong. */
function isHttp2({ server }: Credentials): boolean {
  return server.startsWith('https:') && (process.env['DISABLE_HTTP2'] ?? '') === '';
}

function inLowerCase(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

async function bodyOf(response: Received, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response.body) chunks.push(chunk);
  } catch (error) {
    throw new NoAnswer(signal.aborted ? signal.reason : error);
  }
  return Buffer.concat(chunks);
}

function answerOf(response: Received, text: string): Answer {
  const seconds = Number(response.headers['retry-after']);
  return {
    status: response.status,
    text,
    retryAfter: Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined,
  };
}

async function* linesOf(response: Received): AsyncGenerator<string> {
  let rest = '';
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) if (part !== '') yield part;
    }
  } catch (error) {
    throw new NoAnswer(error);
  } finally {
    response.discard();
  }
}
