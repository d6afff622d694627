/** What felix-lite answers on its control socket, and on a TCP port where Prometheus is to read it. */
import { formatProblem } from '../../api/problem.ts';
import { type ControlRoutes, respond } from '../../daemon/control.ts';
import type { Log } from '../../daemon/log.ts';
import { EXPOSITION, exposition } from '../../daemon/metrics.ts';
import { type MetricsEndpoint, serveMetrics } from '../../daemon/metrics-server.ts';
import { streamed } from '../../daemon/stream.ts';
import type { Routing } from '../routing/routing.ts';
import { explain } from './explain.ts';
import type { Felix } from './felix.ts';
import { FELIX_METRICS, type FelixMeasured } from './metrics.ts';

export function controlRoutes(felix: Felix, routing: Pick<Routing, 'status' | 'measure'>): ControlRoutes {
  return {
    'GET /status': () => ({
      pid: process.pid,
      uptimeSeconds: Math.round(process.uptime()),
      ...felix.status(),
      routing: routing.status(),
    }),
    'GET /explain': async ({ query }) => {
      const explained = await explain(felix, query);
      return explained.ok ? explained.value : respond(400, { problems: explained.problems });
    },
    'GET /counters': async () => ({ node: felix.node, counters: await felix.counters() }),
    'GET /metrics': async () =>
      streamed(EXPOSITION, exposition(FELIX_METRICS, await measure(felix, routing))),
  };
}

/** What the kernel counts is left out while it cannot be read; all else is told. */
async function measure(felix: Felix, routing: Pick<Routing, 'measure'>): Promise<FelixMeasured> {
  const counters = await felix.counters().catch(() => []);
  const wireguard = await routing.measure().catch(() => []);
  return { status: felix.status(), counters, wireguard };
}

/** The TCP port for Prometheus: opened, moved and closed as it is wanted. Nobody's policy depends on it. */
export class MetricsPort {
  readonly #felix: Felix;
  readonly #routing: Pick<Routing, 'measure'>;
  readonly #log: Log;
  #wanted: MetricsEndpoint | undefined;
  #changing: Promise<void> = Promise.resolve();
  #close: () => void = () => undefined;

  constructor(felix: Felix, routing: Pick<Routing, 'measure'>, log: Log) {
    this.#felix = felix;
    this.#routing = routing;
    this.#log = log;
  }

  follow(endpoint: MetricsEndpoint | undefined): void {
    if (JSON.stringify(endpoint) === JSON.stringify(this.#wanted)) return;
    this.#wanted = endpoint;
    this.#changing = this.#changing.then(() => this.#open(endpoint));
  }

  async close(): Promise<void> {
    this.follow(undefined);
    await this.#changing;
  }

  /** A port that cannot be had is told in the log. */
  async #open(endpoint: MetricsEndpoint | undefined): Promise<void> {
    this.#close();
    this.#close = () => undefined;
    if (endpoint === undefined || endpoint !== this.#wanted) return;
    let measured = await measure(this.#felix, this.#routing);
    const subject: FelixMeasured = {
      get status() {
        return measured.status;
      },
      get counters() {
        return measured.counters;
      },
      get wireguard() {
        return measured.wireguard;
      },
    };
    const served = await serveMetrics(endpoint, FELIX_METRICS, subject, async () => {
      measured = await measure(this.#felix, this.#routing);
    });
    if (served.ok) {
      this.#log.info({ address: endpoint.address, port: served.value.port }, 'metrics are served');
      this.#close = () => served.value.close();
    } else for (const problem of served.problems) this.#log.error({}, formatProblem(problem));
  }
}
