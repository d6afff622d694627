/** The executable of felix-lite: `node felix-lite/daemon/main.ts --node N --datastore PATH --run-dir DIR`. */
import { join } from 'node:path';
import { PoplinError, formatProblem } from '../../api/problem.ts';
import { SystemClock } from '../../clock/system.ts';
import { respond, serveControl } from '../../daemon/control.ts';
import { createLog } from '../../daemon/log.ts';
import { parseDaemonOptions } from '../../daemon/options.ts';
import { onShutdown } from '../../daemon/process.ts';
import { openStore, reachStore } from '../../datastore/index.ts';
import { Routing } from '../routing/routing.ts';
import { explain } from './explain.ts';
import { Felix } from './felix.ts';

const parsed = parseDaemonOptions(process.argv.slice(2), process.env);
if (!parsed.ok) {
  process.stderr.write(`${parsed.problems.map(formatProblem).join('\n')}\n`);
  process.exit(2);
}
const { node, datastore, runDir, logLevel } = parsed.value;
const log = createLog('felix', logLevel);

try {
  const clock = new SystemClock();
  const store = await reachStore(async () => openStore(datastore), {
    clock,
    onWait: (error) => log.warn({ error: String(error) }, 'the datastore is out of reach; waiting for it'),
  });
  const felix = new Felix({ node, store, runDir, clock, log });
  const routing = new Routing({ node, store, clock, log });
  const control = await serveControl(join(runDir, 'felix.sock'), {
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
  });
  onShutdown(async (signal) => {
    log.info({ signal }, 'leaving; the policy stays in the kernel');
    await felix.stop();
    await routing.stop();
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
