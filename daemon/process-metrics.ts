/** What every process of ours tells about itself; names as Prometheus' client libraries have them. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type Metric, one } from './metrics.ts';

/** From the first time somebody asks; a histogram of fixed size. */
let delays: ReturnType<typeof monitorEventLoopDelay> | undefined;

const RESOLUTION_MS = 5;

/** Of the time since it was last asked for. */
function loopDelays(): { readonly p99: number; readonly longest: number } {
  if (delays === undefined) {
    delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    delays.enable();
    return { p99: 0, longest: 0 };
  }
  const told = { p99: delays.percentile(99) / 1e9, longest: delays.max / 1e9 };
  delays.reset();
  return told;
}

export const PROCESS_METRICS: readonly Metric<unknown>[] = [
  {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    help: 'CPU time of the process, user and system',
    labels: [],
    read: () => {
      const { user, system } = process.cpuUsage();
      return one((user + system) / 1e6);
    },
  },
  {
    name: 'process_start_time_seconds',
    type: 'gauge',
    help: 'When the process started, in seconds since 1970',
    labels: [],
    read: () => one(Math.round(Date.now() / 1000 - process.uptime())),
  },
  {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    help: 'Resident memory',
    labels: [],
    read: () => one(process.memoryUsage.rss()),
  },
  {
    name: 'nodejs_heap_size_used_bytes',
    type: 'gauge',
    help: 'JavaScript heap in use',
    labels: [],
    read: () => one(process.memoryUsage().heapUsed),
  },
  {
    name: 'nodejs_eventloop_delay_seconds',
    type: 'gauge',
    help: 'How late the event loop was since the metrics were last read: 99th percentile and longest',
    labels: ['quantile'],
    read: () => {
      const { p99, longest } = loopDelays();
      return [
        { labels: ['0.99'], value: p99 },
        { labels: ['1'], value: longest },
      ];
    },
  },
];
