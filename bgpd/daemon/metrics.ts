/** Every metric that bgpd serves, in the order in which it does. */
import { one, type Metric } from '../../daemon/metrics.ts';
import { PROCESS_METRICS } from '../../daemon/process-metrics.ts';
import { PEER_METRICS, RIB_METRICS, type Measured } from '../speaker/metrics.ts';
import type { Subject } from './subject.ts';

const DAEMON_METRICS: readonly Metric<Subject>[] = [
  {
    name: 'poplin_bgp_configured',
    type: 'gauge',
    help: '1 once the whole configuration has been seen',
    labels: [],
    read: ({ synced }) => one(synced ? 1 : 0),
  },
  {
    name: 'poplin_bgp_problems',
    type: 'gauge',
    help: 'What is wrong with configuration, port or kernel at the moment, as GET /status lists it',
    labels: [],
    read: ({ problems }) => one(problems.length),
  },
  {
    name: 'poplin_bgp_kernel_routes_missing',
    type: 'gauge',
    help: 'Routes that the kernel does not have as they should be, by what is the matter',
    labels: ['state'],
    read: ({ engine }) => {
      const counts = new Map([
        ['refused', 0],
        ['yielded', 0],
        ['degraded', 0],
      ]);
      for (const { state } of engine.fib?.obstacles() ?? []) counts.set(state, (counts.get(state) ?? 0) + 1);
      return [...counts].map(([state, value]) => ({ labels: [state], value }));
    },
  },
];

/** A metric of the speaker, as one of the daemon. */
function ofSpeaker(metric: Metric<Measured>): Metric<Subject> {
  return {
    ...metric,
    read: ({ engine }) => metric.read({ speaker: engine.speaker, now: engine.clock.now() }),
  };
}

export const BGPD_METRICS: readonly Metric<Subject>[] = [
  ...DAEMON_METRICS,
  ...PEER_METRICS.map(ofSpeaker),
  ...RIB_METRICS.map(ofSpeaker),
  ...PROCESS_METRICS,
];
