#!/usr/bin/env node
/** `bgpd --node NAME --datastore LOCATION --run-dir FOLDER [--metrics ENDPOINT] [--secrets FOLDER]`: the BGP speaker of one node. */
import { join } from 'node:path';
import { formatProblem, PoplinError, type Problem } from '../../api/index.ts';
import { ok } from '../../api/problem.ts';
import { SystemClock } from '../../clock/system.ts';
import { serveControl } from '../../daemon/control.ts';
import { createLog } from '../../daemon/log.ts';
import { parseMetricsEndpoint } from '../../daemon/metrics-server.ts';
import { parseDaemonOptions } from '../../daemon/options.ts';
import { onShutdown } from '../../daemon/process.ts';
import { openStore, reachStore } from '../../datastore/index.ts';
import { Netlink } from '../../net/kernel/index.ts';
import { Bgpd } from './bgpd.ts';
import { controlRoutes } from './control.ts';
import { openMetricsPort } from './metrics-port.ts';
import { rehearse } from './rehearsal.ts';

const EXIT_USAGE = 2;

async function main(): Promise<void> {
  const parsed = parseDaemonOptions(process.argv.slice(2), process.env, ['metrics', 'secrets']);
  if (!parsed.ok) return refuse(parsed.problems);
  const { node, datastore, runDir, logLevel, extra } = parsed.value;
  const endpoint = extra.metrics ?? process.env['POPLIN_BGPD_METRICS'];
  const metrics = endpoint === undefined ? ok(undefined) : parseMetricsEndpoint(endpoint);
  if (!metrics.ok) return refuse(metrics.problems);
  const log = createLog('bgpd', logLevel);
  const clock = new SystemClock();
  const store = await reachStore(async () => openStore(datastore), {
    clock,
    onWait: (error) => log.warn({ error: String(error) }, 'the datastore is out of reach; waiting for it'),
  });
  const netlink = Netlink.open();
  const random = Math.random.bind(Math);
  const secrets = extra.secrets ?? process.env['POPLIN_BGPD_SECRETS'];
  const bgpd = await Bgpd.start({
    node,
    store,
    netlink,
    clock,
    random,
    log,
    rehearse: async () => {
      const began = performance.now();
      if (await rehearse()) log.info({ ms: Math.round(performance.now() - began) }, 'rehearsed: a reflector');
    },
    ...(secrets === undefined || secrets === '' ? {} : { secrets }),
  });
  const control = await serveControl(join(runDir, 'bgpd.sock'), controlRoutes(bgpd));
  const closeMetrics = await openMetricsPort(metrics.value, bgpd, log);
  log.info({ node, datastore }, 'bgpd is running');
  onShutdown(async (signal) => {
    log.info({ signal }, 'leaving; peers and kernel keep our routes for the restart time');
    await bgpd.stop();
    closeMetrics();
    await control.close();
    await store.close();
    netlink.close();
  });
}

function refuse(problems: readonly Problem[]): never {
  for (const problem of problems) console.error(`bgpd: ${formatProblem(problem)}`);
  process.exit(EXIT_USAGE);
}

try {
  await main();
} catch (error) {
  const text = error instanceof PoplinError ? error.problems.map(formatProblem).join('\n') : String(error);
  console.error(`bgpd: ${text}`);
  process.exit(1);
}
