/** The port that Prometheus reads, where somebody asked for one. */
import { formatProblem } from '../../api/problem.ts';
import type { Log } from '../../daemon/log.ts';
import { serveMetrics, type MetricsEndpoint } from '../../daemon/metrics-server.ts';
import { BGPD_METRICS } from './metrics.ts';
import type { Subject } from './subject.ts';

/** A port that cannot be had is told in the log: nobody's routes depend on metrics. @returns what closes it */
export async function openMetricsPort(
  endpoint: MetricsEndpoint | undefined,
  subject: Subject,
  log: Log,
): Promise<() => void> {
  if (endpoint === undefined) return () => undefined;
  const served = await serveMetrics(endpoint, BGPD_METRICS, subject);
  if (served.ok) {
    log.info({ address: endpoint.address, port: served.value.port }, 'metrics are served');
    return () => served.value.close();
  }
  for (const problem of served.problems) log.error({}, formatProblem(problem));
  return () => undefined;
}
