#!/usr/bin/env node
/** `bgpd --node NAME --datastore LOCATION --run-dir FOLDER`: the BGP speaker of one node. */
import { join } from 'node:path';
import { formatProblem, PoplinError } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { serveControl } from '../../daemon/control.ts';
import { createLog } from '../../daemon/log.ts';
import { parseDaemonOptions } from '../../daemon/options.ts';
import { onShutdown } from '../../daemon/process.ts';
import { openStore } from '../../datastore/index.ts';
import { Netlink } from '../../net/kernel/index.ts';
import { Bgpd } from './bgpd.ts';
import { controlRoutes } from './control.ts';

const EXIT_USAGE = 2;

async function main(): Promise<void> {
  const parsed = parseDaemonOptions(process.argv.slice(2), process.env);
  if (!parsed.ok) {
    for (const problem of parsed.problems) console.error(`bgpd: ${formatProblem(problem)}`);
    process.exit(EXIT_USAGE);
  }
  const { node, datastore, runDir, logLevel } = parsed.value;
  const log = createLog('bgpd', logLevel);
  const store = await openStore(datastore);
  const netlink = Netlink.open();
  const random = Math.random.bind(Math);
  const bgpd = await Bgpd.start({ node, store, netlink, clock: new SystemClock(), random, log });
  const control = await serveControl(join(runDir, 'bgpd.sock'), controlRoutes(bgpd));
  log.info({ node, datastore }, 'bgpd is running');
  onShutdown(async (signal) => {
    log.info({ signal }, 'leaving; peers and kernel keep our routes for the restart time');
    await bgpd.stop();
    await control.close();
    await store.close();
    netlink.close();
  });
}

try {
  await main();
} catch (error) {
  const text = error instanceof PoplinError ? error.problems.map(formatProblem).join('\n') : String(error);
  console.error(`bgpd: ${text}`);
  process.exit(1);
}
