/**
 * bgpd and the routing of felix-lite in one process, for a kernel where starting a process takes seconds. They share nothing
 * but the process and the clock.
 */
import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { Bgpd } from '../../bgpd/daemon/bgpd.ts';
import { controlRoutes } from '../../bgpd/daemon/control.ts';
import { SystemClock } from '../../clock/system.ts';
import { serveControl } from '../../daemon/control.ts';
import { createLog } from '../../daemon/log.ts';
import { parseDaemonOptions } from '../../daemon/options.ts';
import { onShutdown } from '../../daemon/process.ts';
import { openStore } from '../../datastore/index.ts';
import { Routing } from '../../felix-lite/routing/routing.ts';
import { Netlink } from '../../net/kernel/index.ts';

const parsed = parseDaemonOptions(process.argv.slice(2), process.env);
if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
const { node, datastore, runDir } = parsed.value;
const clock = new SystemClock();
const log = createLog(node, 'info');
const store = await openStore(datastore);
const netlink = Netlink.open();
const bgpd = await Bgpd.start({ node, store, netlink, clock, random: Math.random.bind(Math), log });
const routing = new Routing({ node, store, clock, log, grace: 1_000 });
routing.start();
const control = await serveControl(join(runDir, 'both.sock'), controlRoutes(bgpd));
// Nobody waits for our end, where it would be written.
flushCompileCache();
onShutdown(async () => {
  await control.close();
  await bgpd.stop();
  await routing.stop();
});
