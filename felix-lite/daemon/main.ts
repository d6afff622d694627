/** The executable of felix-lite: `node felix-lite/daemon/main.ts --node N --datastore PATH --run-dir DIR [--metrics ENDPOINT]`. */
import { join } from 'node:path';
import { ok, PoplinError, type Problem, formatProblem } from '../../api/problem.ts';
import { SystemClock } from '../../clock/system.ts';
import { serveControl } from '../../daemon/control.ts';
import { yieldHelpers } from '../../daemon/helper-threads.ts';
import { createLog } from '../../daemon/log.ts';
import { parseMetricsEndpoint } from '../../daemon/metrics-server.ts';
import { parseDaemonOptions } from '../../daemon/options.ts';
import { onShutdown } from '../../daemon/process.ts';
import { openStore, reachStore } from '../../datastore/index.ts';
import { Routing } from '../routing/routing.ts';
import { controlRoutes, MetricsPort } from './control.ts';
import { controlRoute } from './control-route.ts';
import { Felix } from './felix.ts';

yieldHelpers();
const parsed = parseDaemonOptions(process.argv.slice(2), process.env, ['metrics', 'state-dir']);
if (!parsed.ok) refuse(parsed.problems);
const { node, datastore, runDir, logLevel, extra } = parsed.value;
const stateDir = extra['state-dir'] ?? process.env['POPLIN_STATE_DIR'];
const endpoint = extra.metrics ?? process.env['POPLIN_FELIX_METRICS'];
const metrics = endpoint === undefined || endpoint === '' ? ok(undefined) : parseMetricsEndpoint(endpoint);
if (!metrics.ok) refuse(metrics.problems);
const log = createLog('felix', logLevel);

try {
  const clock = new SystemClock();
  const store = await reachStore(async () => openStore(datastore), {
    clock,
    onWait: (error) => log.warn({ error: String(error) }, 'the datastore is out of reach; waiting for it'),
  });
  const felix = new Felix({
    node,
    store,
    runDir,
    clock,
    log,
    // What the process was told comes before what the cluster wants of its nodes.
    onMetrics: (wanted) => port.follow(metrics.value ?? wanted),
  });
  const routing = new Routing({ node, store, clock, log, ...(stateDir === undefined ? {} : { stateDir }) });
  const port = new MetricsPort(felix, routing, log);
  const control = await serveControl(join(runDir, 'felix.sock'), {
    ...controlRoutes(felix, routing),
    ...controlRoute(routing),
  });
  port.follow(metrics.value);
  onShutdown(async (signal) => {
    log.info({ signal }, 'leaving; the policy stays in the kernel');
    await felix.stop();
    await routing.stop();
    await port.close();
    await control.close();
    await store.close();
  });
  felix.start();
  routing.start();
  log.info({ node, datastore, runDir }, 'started');
} catch (error) {
  const problems =
    error instanceof PoplinError ? error.problems.map(formatProblem).join('\n') : String(error);
  log.error({ error: problems }, 'could not start');
  process.exit(1);
}

function refuse(problems: readonly Problem[]): never {
  process.stderr.write(`${problems.map(formatProblem).join('\n')}\n`);
  process.exit(2);
}
