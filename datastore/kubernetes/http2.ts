/**
 * HTTP/2 to an API server: all requests and watches of a process share one connection. On a node three processes follow
 * some forty collections, so that 5,000 nodes would hold 200,000 connections with HTTP/1.1, and hold 15,000 with this.
 *
 * A server that wants to be left says GOAWAY: what is under way ends on the old connection, and what is new goes over a
 * new one. A connection whose other end vanished is found out by pings, and at once where a request waits in vain.
 */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
} from 'node:http2';
import type { RequestOptions } from 'node:https';
import { isIP } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Cancel, Clock, Millis } from '../../clock/clock.ts';
import { NoAnswer, type Received, type Sent, TooLate, type Transport } from './exchange.ts';

/** As Go's client: a ping where nothing came for this long. */
const QUIET: Millis = 15_000;
const PING: Millis = 15_000;
/**
 * What the server may send before we have read it: of one answer, and of all. A watch whose reader is slow holds back its
 * own stream only: thirty of them do not fill the connection.
 */
const STREAM_WINDOW = 1024 * 1024;
const CONNECTION_WINDOW = 64 * 1024 * 1024;
/** In megabytes; Node's ten are less than what may lie in our windows. */
const SESSION_MEMORY = 256;

/** Undefined: the server speaks HTTP/1.1 only. */
type Opening = Promise<Session | undefined>;

export class Http2 implements Transport {
  readonly #origin: URL;
  readonly #clock: Clock;
  readonly #fallback: Transport;
  #opening: { readonly identity: string; readonly session: Opening } | undefined;
  readonly #sessions = new Set<Session>();
  #isSpoken = true;
  #isClosed = false;

  /** @param fallback  for a server that turns out not to speak HTTP/2 */
  constructor(server: string, clock: Clock, fallback: Transport) {
    this.#origin = new URL(server);
    this.#clock = clock;
    this.#fallback = fallback;
  }

  async send(sent: Sent, signal: AbortSignal): Promise<Received> {
    const { agent, auth } = sent.credentials;
    // Ways through a proxy, and names with passwords, are HTTP/1.1's.
    if (!this.#isSpoken || agent !== undefined || typeof auth === 'string')
      return this.#fallback.send(sent, signal);
    const session = await this.#session(sent.credentials, signal);
    if (session !== undefined) return session.send(sent, signal);
    this.#isSpoken = false;
    return this.#fallback.send(sent, signal);
  }

  close(): void {
    this.#isClosed = true;
    for (const session of this.#sessions) session.destroy(new Error('the connection has been closed'));
    this.#fallback.close();
  }

  /** One for as long as it takes requests and the certificate that we show is the same. */
  async #session(credentials: RequestOptions, signal: AbortSignal): Opening {
    const options = tlsOptions(this.#origin, credentials);
    const identity = Object.entries(options).map(textOf).join('\n');
    if (this.#opening?.identity !== identity) this.#opening = { identity, session: this.#open(options) };
    const { session: opening } = this.#opening;
    try {
      const session = await unlessAborted(opening, signal);
      if (session === undefined || session.isUsable) return session;
    } catch (error) {
      if (this.#opening.session === opening && !signal.aborted) this.#opening = undefined;
      throw error;
    }
    // Of those who find it gone, the first opens another.
    if (this.#opening.session === opening) this.#opening = undefined;
    return this.#session(credentials, signal);
  }

  async #open(options: ConnectionOptions): Opening {
    const socket = await handshake(options, this.#clock);
    if (this.#isClosed || socket.alpnProtocol !== 'h2') {
      socket.destroy();
      return undefined;
    }
    const session = new Session(socket, this.#origin, this.#clock, () => this.#sessions.delete(session));
    this.#sessions.add(session);
    return session;
  }
}

class Session {
  readonly #http2: ClientHttp2Session;
  readonly #socket: TLSSocket;
  readonly #clock: Clock;
  #pinging: Cancel;
  #heard: number;

  constructor(socket: TLSSocket, origin: URL, clock: Clock, onEnd: () => void) {
    this.#socket = socket;
    this.#clock = clock;
    this.#http2 = connectHttp2(origin, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
      maxSessionMemory: SESSION_MEMORY,
    });
    this.#http2.once('connect', () => this.#http2.setLocalWindowSize(CONNECTION_WINDOW));
    // What was under way hears of it by itself.
    this.#http2.on('error', () => {});
    this.#http2.on('goaway', () => this.#http2.close());
    this.#heard = socket.bytesRead;
    this.#pinging = this.#pingLater();
    this.#http2.once('close', () => {
      this.#pinging();
      onEnd();
    });
  }

  get isUsable(): boolean {
    return !this.#http2.closed && !this.#http2.destroyed;
  }

  destroy(error: Error): void {
    this.#http2.destroy(error);
  }

  async send({ url, method, headers, body }: Sent, signal: AbortSignal): Promise<Received> {
    if (signal.aborted) throw new NoAnswer(signal.reason);
    const heard = this.#socket.bytesRead;
    const stream = this.#begin(url, method, headers, body);
    const abort = (): void => {
      stream.close(constants.NGHTTP2_CANCEL);
      // Whoever waited in vain on a connection that brought nothing at all to anybody had better try another.
      if (signal.reason instanceof TooLate && this.#socket.bytesRead === heard)
        this.destroy(new Error('the connection brings nothing any more'));
    };
    signal.addEventListener('abort', abort, { once: true });
    const release = (): void => signal.removeEventListener('abort', abort);
    stream.once('close', release);
    try {
      const head = await headOf(stream);
      const { ':status': status = 0, ...others } = head;
      return {
        status,
        headers: others,
        body: whole(stream),
        discard: () => stream.close(constants.NGHTTP2_CANCEL),
      };
    } catch (error) {
      throw new NoAnswer(signal.aborted ? signal.reason : error);
    }
  }

  #begin(url: URL, method: string, headers: Sent['headers'], body: string | undefined): ClientHttp2Stream {
    try {
      const stream = this.#http2.request(
        { ...headers, ':method': method, ':path': `${url.pathname}${url.search}` },
        { endStream: body === undefined },
      );
      if (body !== undefined) stream.end(body);
      return stream;
    } catch (error) {
      throw new NoAnswer(error);
    }
  }

  #pingLater(): Cancel {
    return this.#clock.after(QUIET, 'see whether the API server is still there', () => {
      const { bytesRead } = this.#socket;
      if (bytesRead === this.#heard) this.#ping();
      this.#heard = bytesRead;
      this.#pinging = this.#pingLater();
    });
  }

  #ping(): void {
    const cancel = this.#clock.after(PING, 'give up a silent connection to the API server', () =>
      this.destroy(new Error('the connection has gone silent')),
    );
    const isSent = this.isUsable && this.#http2.ping(cancel);
    if (!isSent) cancel();
  }
}

async function handshake(options: ConnectionOptions, clock: Clock): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const socket = connectTls(options, () => resolve(socket));
  const cancel = clock.after(HANDSHAKE, 'give up a handshake with the API server', () =>
    socket.destroy(new Error(`no connection within ${HANDSHAKE / 1000} s`)),
  );
  socket.setNoDelay(true);
  socket.on('error', (error) => reject(new NoAnswer(error)));
  socket.on('close', () => reject(new NoAnswer(new Error('the connection was closed'))));
  try {
    return await promise;
  } finally {
    cancel();
  }
}

const HANDSHAKE: Millis = 10_000;

function tlsOptions(origin: URL, credentials: RequestOptions): ConnectionOptions {
  const { headers: _headers, agent: _agent, servername, ...tls } = credentials;
  const host = origin.hostname.replace(/^\[|\]$/g, '');
  const name = servername ?? (isIP(host) === 0 ? host : undefined);
  return {
    ...(tls as ConnectionOptions),
    host,
    port: Number(origin.port === '' ? 443 : origin.port),
    ALPNProtocols: ['h2', 'http/1.1'],
    ...(name === undefined ? {} : { servername: name }),
  };
}

function textOf([name, value]: readonly [string, unknown]): string {
  return `${name}=${value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : JSON.stringify(value)}`;
}

async function headOf(stream: ClientHttp2Stream) {
  type Head = { readonly ':status'?: number } & Received['headers'];
  return new Promise<Head>((resolve, reject) => {
    stream.once('response', (headers) => resolve(headers as unknown as Head));
    stream.on('error', reject);
    stream.once('close', () => reject(new Error(endOf(stream))));
  });
}

async function* whole(stream: ClientHttp2Stream): AsyncGenerator<Buffer> {
  for await (const chunk of stream) yield chunk as Buffer;
  if (stream.rstCode !== constants.NGHTTP2_NO_ERROR || stream.aborted) throw new Error(endOf(stream));
}

function endOf({ rstCode }: ClientHttp2Stream): string {
  return `the answer broke off${rstCode === undefined || rstCode === 0 ? '' : ` (HTTP/2 error ${rstCode})`}`;
}

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(new NoAnswer(signal.reason));
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
