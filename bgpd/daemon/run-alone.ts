/** The process around {@link Standalone}: logs, signals, the control socket, the memory of having run before. */
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { flushCompileCache } from 'node:module';
import { dirname } from 'node:path';
import { PoplinError } from '../../api/problem.ts';
import { SystemClock } from '../../clock/system.ts';
import { serveControl, type ControlRoutes } from '../../daemon/control.ts';
import { createLog, type Level } from '../../daemon/log.ts';
import type { MetricsEndpoint } from '../../daemon/metrics-server.ts';
import { onShutdown } from '../../daemon/process.ts';
import { Netlink } from '../../net/kernel/index.ts';
import type { ReadRouter } from '../config/index.ts';
import { controlRoutes } from './control.ts';
import { openMetricsPort } from './metrics-port.ts';
import { rehearse } from './rehearsal.ts';
import { Standalone } from './standalone.ts';

/**
 * Runs until a signal ends it. SIGHUP: reads the file again. SIGTERM: leaves without a word, so that peers keep our
 * routes until we are back. SIGINT: says goodbye, and peers drop our routes at once.
 *
 * @param read  the file as it was checked before
 * @param options.metrics  where Prometheus may read; undefined: on the control socket only
 * @throws PoplinError where the kernel or the control socket cannot be had
 */
export async function runAlone(
  file: string,
  read: ReadRouter,
  { level, metrics }: { readonly level: Level; readonly metrics: MetricsEndpoint | undefined },
): Promise<void> {
  const log = createLog('bgpd', level);
  const { setup } = read;
  const netlink = Netlink.open();
  const mark = `${setup.controlSocket}.running`;
  await mkdir(dirname(mark), { recursive: true });
  const began = performance.now();
  if (await rehearse()) log.debug({ ms: Math.round(performance.now() - began) }, 'rehearsed');
  const daemon = await Standalone.open(file, read, {
    clock: new SystemClock(),
    random: Math.random.bind(Math),
    log,
    observed: netlink,
    ...(setup.kernelExport ? { netlink } : { restarted: await exists(mark) }),
  });
  // First of all: where another daemon has the socket, this one must not disturb its peers.
  const control = await serveControl(setup.controlSocket, {
    ...controlRoutes(daemon),
    ...reloadRoutes(daemon),
  });
  await writeFile(mark, '');
  daemon.begin(read);
  const closeMetrics = await openMetricsPort(metrics, daemon, log);
  log.info({ config: file, control: setup.controlSocket }, 'bgpd is running');
  // Else it is written at an orderly end only. One who starts without it takes twice the time, and 10 MiB for stripping types.
  flushCompileCache();
  process.on('SIGHUP', () => void daemon.reload());
  onShutdown(async (signal) => {
    const farewell = signal === 'SIGINT';
    log.info(
      { signal },
      farewell ? 'leaving for good' : 'leaving; peers keep our routes for the restart time',
    );
    await daemon.stop(farewell ? 'shutdown' : 'restart');
    closeMetrics();
    await control.close();
    if (farewell) await rm(mark, { force: true });
    netlink.close();
  });
}

function reloadRoutes(daemon: Standalone): ControlRoutes {
  return {
    'POST /reload': async ({ query }) => {
      const result = await daemon.reload(query.get('pretend') === 'true');
      if (!result.ok) throw new PoplinError(result.problems);
      return result.value;
    },
  };
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}
