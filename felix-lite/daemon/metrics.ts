/** Every metric that felix-lite serves, in the order in which it does. */
import { type Metric, one, type Sample } from '../../daemon/metrics.ts';
import { PROCESS_METRICS } from '../../daemon/process-metrics.ts';
import { WIREGUARD_METRICS, type WireGuardSubject } from '../routing/wireguard/metrics.ts';
import type { FelixStatus } from './felix.ts';
import type { PolicyCounter } from './policy-counters.ts';

export interface FelixMeasured extends WireGuardSubject {
  readonly status: FelixStatus;
  readonly counters: readonly PolicyCounter[];
}

/** Rules of policies, and problems, that are told at most: a cluster's own number is not bounded. */
const RULES = 10_000;
const PROBLEMS = 1_000;

const count = (
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  read: (status: FelixStatus) => number,
) => ({
  name,
  type,
  help,
  labels: [],
  read: ({ status }: FelixMeasured) => one(read(status)),
});

const STATE: readonly Metric<FelixMeasured>[] = [
  count('poplin_felix_synced', 'gauge', '1 once the datastore has been seen in full', ({ synced }) =>
    synced ? 1 : 0,
  ),
  count(
    'poplin_felix_ready',
    'gauge',
    '1 while the kernel took all that it was to hold at the last pass',
    ({ ready }) => (ready ? 1 : 0),
  ),
  count('poplin_felix_passes_total', 'counter', 'Passes that the kernel took', ({ passes }) => passes),
  count(
    'poplin_felix_failures_total',
    'counter',
    'Passes that the kernel did not take; they are tried again',
    ({ failures }) => failures,
  ),
  count(
    'poplin_felix_last_pass_seconds',
    'gauge',
    'How long the last pass took',
    ({ lastPass }) => (lastPass?.millis ?? 0) / 1000,
  ),
  count(
    'poplin_felix_endpoints',
    'gauge',
    'Workload endpoints of this node under policy',
    ({ endpoints }) => endpoints.length,
  ),
  {
    name: 'poplin_felix_policy_closes_endpoints',
    type: 'gauge',
    help: 'Endpoints of this node that a policy closes because it cannot be enforced as it is written; of at most 1,000 policies',
    labels: ['policy'],
    read: ({ status }) =>
      status.closed.slice(0, PROBLEMS).map(({ policy, count: value }) => ({ labels: [policy], value })),
  },
  {
    name: 'poplin_felix_problems',
    type: 'gauge',
    help: 'What cannot be enforced as it is written, and why, as GET /status lists it; of at most 1,000',
    labels: ['code', 'resource', 'field'],
    read: ({ status }) => {
      const samples = new Map<string, Sample>();
      for (const { code, resource = '', field = '' } of status.problems.slice(0, PROBLEMS)) {
        const labels = [code, resource, field];
        const known = samples.get(labels.join('\0'))?.value ?? 0;
        samples.set(labels.join('\0'), { labels, value: known + 1 });
      }
      return samples.values();
    },
  },
];

function ofRules(what: 'packets' | 'bytes'): Metric<FelixMeasured> {
  return {
    name: `poplin_felix_policy_${what}_total`,
    type: 'counter',
    help: `${what === 'packets' ? 'Packets' : 'Octets of the packets'} that a rule decided since it was written into the kernel, established connections apart; of at most 10,000 rules`,
    labels: ['kind', 'namespace', 'name', 'tier', 'direction', 'rule', 'action', 'ip_version'],
    read: ({ counters }) =>
      counters.slice(0, RULES).map((each) => ({
        labels: [
          each.kind,
          each.namespace,
          each.name,
          each.tier,
          each.direction,
          each.rule,
          each.action,
          String(each.version),
        ],
        value: each[what],
      })),
  };
}

export const FELIX_METRICS: readonly Metric<FelixMeasured>[] = [
  ...STATE,
  ofRules('packets'),
  ofRules('bytes'),
  ...WIREGUARD_METRICS,
  ...PROCESS_METRICS,
];
