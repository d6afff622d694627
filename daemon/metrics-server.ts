/** Metrics on a TCP port, for a Prometheus that cannot open the control socket. Off unless asked for; GET /metrics alone. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Problem, type Result, fail, ok } from '../api/problem.ts';
import { EXPOSITION, exposition, type Metric } from './metrics.ts';
import { sendStream, streamed } from './stream.ts';

export interface MetricsEndpoint {
  readonly address: string;
  readonly port: number;
}

export interface MetricsServer {
  /** The one it was given, unless that was 0. */
  readonly port: number;
  close(): void;
}

/** `9179` (the loopback), `10.0.0.1:9179`, `[fd00::1]:9179`. */
export function parseMetricsEndpoint(text: string): Result<MetricsEndpoint> {
  const parts = /^(?:\[(?<v6>[0-9a-f:.]+)\]:|(?<v4>[0-9.]+):)?(?<port>[0-9]{1,5})$/i.exec(text)?.groups;
  const port = Number(parts?.['port']);
  if (parts === undefined || port > 65_535) {
    return fail({
      code: 'OPTION_INVALID',
      field: '--metrics',
      value: text,
      what: `${JSON.stringify(text)} is no endpoint for metrics`,
      remedy: 'write a port (9179: on the loopback), 10.0.0.1:9179 or [fd00::1]:9179',
    });
  }
  return ok({ address: parts['v6'] ?? parts['v4'] ?? '127.0.0.1', port });
}

/** Scrapes at once: more would only wait for each other. */
const CONNECTIONS = 16;

/** @param prepare  awaited before each answer, for what cannot be read at once */
export function serveMetrics<Subject>(
  { address, port }: MetricsEndpoint,
  metrics: readonly Metric<Subject>[],
  subject: Subject,
  prepare: () => Promise<void> = () => Promise.resolve(),
): Promise<Result<MetricsServer>> {
  const server = createServer(
    (request, response) => void answer(request, response, metrics, subject, prepare),
  );
  server.maxConnections = CONNECTIONS;
  return new Promise((resolve) => {
    server.once('error', (error) => resolve(fail(cannotServe({ address, port }, error))));
    server.listen(port, address, () => {
      const bound = server.address();
      resolve(
        ok({
          port: typeof bound === 'object' && bound !== null ? bound.port : port,
          close: () => {
            server.closeAllConnections();
            server.close();
          },
        }),
      );
    });
  });
}

async function answer<Subject>(
  { method, url }: IncomingMessage,
  response: ServerResponse,
  metrics: readonly Metric<Subject>[],
  subject: Subject,
  prepare: () => Promise<void>,
): Promise<void> {
  if (method !== 'GET' || url?.split('?')[0] !== '/metrics') {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('GET /metrics\n');
    return;
  }
  try {
    await prepare();
    await sendStream(streamed(EXPOSITION, exposition(metrics, subject)), response);
  } catch (error) {
    response.writeHead(500, { 'content-type': 'text/plain' }).end(`${String(error)}\n`);
  }
}

function cannotServe({ address, port }: MetricsEndpoint, error: Error): Problem {
  return {
    code: 'METRICS_LISTEN_FAILED',
    what: `metrics cannot be served on ${address} port ${port}: ${error.message}`,
    remedy: 'free the port, or choose another',
  };
}
