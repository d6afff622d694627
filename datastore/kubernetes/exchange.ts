/** What goes over the wire for one request, whichever HTTP it is. */
import type { RequestOptions } from 'node:https';

export interface Sent {
  /** Whole, with the query. */
  readonly url: URL;
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: string | undefined;
  /** Certificates, names to check, a way through a proxy. */
  readonly credentials: RequestOptions;
  /** Whether the answer goes on for minutes. */
  readonly isStream: boolean;
}

/** The head of an answer, and its body as it comes. */
export interface Received {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Ends with an error where the connection breaks, or the server gives up. */
  readonly body: AsyncIterable<Buffer>;
  /** Whoever does not read to the end. */
  discard(): void;
}

export interface Transport {
  /** @throws NoAnswer */
  send(sent: Sent, signal: AbortSignal): Promise<Received>;
  close(): void;
}

/** Why a request was given up: a deadline, and not somebody's wish. */
export class TooLate extends Error {
  override readonly name = 'TooLate';
}

/** No answer: the server was not reached, or the connection broke before the answer was whole. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
  /** False when the request certainly did not reach the server, or was turned away unread. */
  readonly mayHaveArrived: boolean;
  /** The server showed a certificate that we do not trust. */
  readonly isDistrust: boolean;

  constructor(error: unknown) {
    super(error instanceof Error ? error.message || codeOf(error) : String(error), { cause: error });
    const code = codeOf(error);
    this.isDistrust = DISTRUST.test(code);
    this.mayHaveArrived = !this.isDistrust && !NOT_SENT.has(code);
  }
}

/** Of OpenSSL's verification, and Node's of the name. */
const DISTRUST =
  /^(?:CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|INVALID_CA|PATH_LENGTH|CRL_|ERR_TLS_CERT_ALTNAME)/;

const NOT_SENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  // Of a session of HTTP/2 that was over before the request could go on its way.
  'ERR_HTTP2_GOAWAY_SESSION',
  'ERR_HTTP2_INVALID_SESSION',
]);

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
