/**
 * The control socket of a daemon: HTTP with JSON bodies on a Unix socket that only root may open.
 * Answers are values; a handler that fails answers with its problems and never takes the daemon down.
 */
import { type IncomingMessage, type ServerResponse, createServer, request } from 'node:http';
import { PoplinError, type Problem, type Result, fail, ok } from '../api/problem.ts';
import { isStreamed, sendStream } from './stream.ts';
import { listenPrivately } from './unix-socket.ts';

export interface ControlRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  /** Parsed JSON body; undefined when there was none. */
  readonly body: unknown;
  /** Aborts when the caller has gone away. */
  readonly signal: AbortSignal;
}

export interface ControlResponse {
  readonly status: number;
  readonly body: unknown;
}

/**
 * Key: `GET /status`. Exact paths only. A plain value answers 200; a {@link respond}ed one chooses its status; a
 * `streamed` one comes in pieces.
 */
export type ControlRoutes = Readonly<Record<string, (request: ControlRequest) => unknown>>;

export interface ControlServer {
  readonly path: string;
  close(): Promise<void>;
}

/** A netconf with its previous result is some KiB; anything near this is not one of ours. */
const BODY_LIMIT = 4 * 1024 * 1024;

const RESPONSE = Symbol('control response');

export function respond(status: number, body: unknown): ControlResponse {
  return Object.assign({ status, body }, { [RESPONSE]: true as const });
}

/**
 * Serves on `path`, replacing a socket file that a dead process left behind.
 * @throws PoplinError `CONTROL_IN_USE` when a living process answers there
 */
export async function serveControl(path: string, routes: ControlRoutes): Promise<ControlServer> {
  const server = createServer((incoming, outgoing) => void answer(routes, incoming, outgoing));
  await listenPrivately(server, path);
  return {
    path,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

async function answer(
  routes: ControlRoutes,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const url = new URL(incoming.url ?? '/', 'http://control');
  const route = `${incoming.method ?? 'GET'} ${url.pathname}`;
  const handler = Object.hasOwn(routes, route) ? routes[route] : undefined;
  const gone = new AbortController();
  outgoing.on('close', () => gone.abort());
  try {
    if (handler === undefined) {
      return send(
        outgoing,
        404,
        problems({
          code: 'NO_SUCH_ROUTE',
          what: `there is no ${route}`,
          remedy: `ask for one of ${Object.keys(routes).join(', ')}`,
        }),
      );
    }
    const body = await readBody(incoming);
    if (!body.ok) return send(outgoing, 400, { problems: body.problems });
    const result = await handler({
      path: url.pathname,
      query: url.searchParams,
      body: body.value,
      signal: gone.signal,
    });
    if (isStreamed(result)) await sendStream(result, outgoing);
    else if (isResponse(result)) send(outgoing, result.status, result.body);
    else send(outgoing, 200, result);
  } catch (error) {
    if (error instanceof PoplinError) send(outgoing, 500, { problems: error.problems });
    else
      send(
        outgoing,
        500,
        problems({
          code: 'INTERNAL',
          what: `${route}: ${String(error)}`,
          remedy: 'this is a defect; the log has the details',
        }),
      );
  }
}

function isResponse(value: unknown): value is ControlResponse {
  return typeof value === 'object' && value !== null && RESPONSE in value;
}

function problems(problem: Problem): { problems: readonly Problem[] } {
  return { problems: [problem] };
}

function send(outgoing: ServerResponse, status: number, body: unknown): void {
  if (outgoing.destroyed) return;
  outgoing.writeHead(status, { 'content-type': 'application/json' });
  outgoing.end(`${JSON.stringify(body ?? null)}\n`);
}

async function readBody(incoming: IncomingMessage): Promise<Result<unknown>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_LIMIT) {
      return fail({
        code: 'BODY_TOO_LARGE',
        what: `the request is larger than ${BODY_LIMIT} bytes`,
        remedy: 'send less',
      });
    }
    chunks.push(chunk);
  }
  if (size === 0) return ok(undefined);
  try {
    return ok(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  } catch (error) {
    return fail({
      code: 'BODY_INVALID',
      what: `the request is not JSON: ${String(error)}`,
      remedy: 'send a JSON body or none',
    });
  }
}

export interface AskOptions {
  readonly body?: unknown;
  /** The whole exchange, in milliseconds. */
  readonly deadlineMs?: number;
}

/**
 * Asks a daemon. Failure to reach it is a value: `CONTROL_UNREACHABLE` when nothing listens,
 * `CONTROL_TIMEOUT` when no answer came in time; otherwise the problems that the daemon told.
 */
export function askControl<T = unknown>(
  path: string,
  method: 'GET' | 'POST',
  url: string,
  options: AskOptions = {},
): Promise<Result<T>> {
  return new Promise((resolve) => {
    const text = options.body === undefined ? undefined : JSON.stringify(options.body);
    const deadlineMs = options.deadlineMs ?? 10_000;
    const outgoing = request({ socketPath: path, method, path: url, agent: false }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', (error) => resolve(unreachable(path, error.message)));
      incoming.on('end', () =>
        resolve(readAnswer<T>(incoming.statusCode ?? 500, Buffer.concat(chunks).toString('utf8'), path)),
      );
    });
    const timer = setTimeout(() => {
      resolve(
        fail({
          code: 'CONTROL_TIMEOUT',
          value: path,
          what: `no answer on ${path} within ${deadlineMs} ms`,
          remedy: 'look at the log of the daemon',
        }),
      );
      outgoing.destroy();
    }, deadlineMs);
    outgoing.on('close', () => clearTimeout(timer));
    outgoing.on('error', (error) => resolve(unreachable(path, error.message)));
    if (text !== undefined) outgoing.setHeader('content-type', 'application/json');
    outgoing.end(text);
  });
}

export function unreachable(path: string, why: string): Result<never> {
  return fail({
    code: 'CONTROL_UNREACHABLE',
    value: path,
    what: `nothing answers on ${path} (${why})`,
    remedy: 'start the daemon, or name its run directory',
  });
}

/** A whole answer, as the daemon sent it: its value, or the problems in it. */
export function readAnswer<T>(status: number, text: string, path: string): Result<T> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fail({
      code: 'CONTROL_GARBLED',
      value: path,
      what: `the answer on ${path} is not JSON`,
      remedy: 'check that a Poplin daemon serves that socket',
    });
  }
  if (status < 300) return ok(value as T);
  if (typeof value === 'object' && value !== null && 'problems' in value && Array.isArray(value.problems)) {
    return { ok: false, problems: value.problems as Problem[] };
  }
  return fail({
    code: 'CONTROL_REFUSED',
    value: path,
    what: `${path} answered with status ${status}`,
    remedy: 'look at the log of the daemon',
  });
}
