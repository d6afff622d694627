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

export function controlRoutes(felix: Felix, routing: Pick<Routing, 'status'>): ControlRoutes {
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
    'GET /metrics': async () => streamed(EXPOSITION, exposition(FELIX_METRICS, await measure(felix))),
  };
}

/** The kernel's counters are left out while they cannot be read; all else is told. */
async function measure(felix: Felix): Promise<FelixMeasured> {
  const counters = await felix.counters().catch(() => []);
  return { status: felix.status(), counters };
}

/** A port that cannot be had is told in the log: nobody's policy depends on metrics. @returns what closes it */
export async function openMetricsPort(
  endpoint: MetricsEndpoint | undefined,
  felix: Felix,
  log: Log,
): Promise<() => void> {
  if (endpoint === undefined) return () => undefined;
  let measured = await measure(felix);
  const subject: FelixMeasured = {
    get status() {
      return measured.status;
    },
    get counters() {
      return measured.counters;
    },
  };
  const served = await serveMetrics(endpoint, FELIX_METRICS, subject, async () => {
    measured = await measure(felix);
  });
  if (served.ok) {
    log.info({ address: endpoint.address, port: served.value.port }, 'metrics are served');
    return () => served.value.close();
  }
  for (const problem of served.problems) log.error({}, formatProblem(problem));
  return () => undefined;
}
