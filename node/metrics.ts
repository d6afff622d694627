/** Every metric that the node agent serves, in the order in which it does. */
import { type Metric, one } from '../daemon/metrics.ts';
import { PROCESS_METRICS } from '../daemon/process-metrics.ts';
import type { FindingKind } from '../ipam/gc/index.ts';
import type { CollectorState } from './ipam-collector.ts';

export interface AgentMeasured {
  /** Undefined until the datastore was reached. */
  readonly collector: () => CollectorState | undefined;
}

const KINDS: readonly FindingKind[] = [
  'endpoint',
  'address',
  'rested',
  'handle',
  'lost-affinity',
  'stale-affinity',
  'gone-node',
  'spare-block',
  'nobodys-block',
];

type Counted = 'found' | 'done' | 'failed';

function byKind(counts: Counted): Metric<AgentMeasured>['read'] {
  return ({ collector }) =>
    KINDS.map((kind) => ({ labels: [kind], value: collector()?.[counts].get(kind) ?? 0 }));
}

const COLLECTOR_METRICS: readonly Metric<AgentMeasured>[] = [
  {
    name: 'poplin_ipam_gc_leader',
    type: 'gauge',
    help: '1 in the agent that collects the garbage of IPAM; the others below are kept by that one alone',
    labels: [],
    read: ({ collector }) => one(collector()?.leader === true ? 1 : 0),
  },
  {
    name: 'poplin_ipam_gc_looks_total',
    type: 'counter',
    help: 'How often this agent has looked for garbage in IPAM',
    labels: [],
    read: ({ collector }) => one(collector()?.looks ?? 0),
  },
  {
    name: 'poplin_ipam_gc_last_look_timestamp_seconds',
    type: 'gauge',
    help: 'When it looked last, in seconds since 1970; 0 if never',
    labels: [],
    read: ({ collector }) => one(collector()?.lastLook ?? 0),
  },
  {
    name: 'poplin_ipam_gc_addresses_held',
    type: 'gauge',
    help: 'Addresses that are held in all blocks, at the last look',
    labels: [],
    read: ({ collector }) => one(collector()?.held ?? 0),
  },
  {
    name: 'poplin_ipam_gc_findings',
    type: 'gauge',
    help: 'What was wrong at the last look, old enough to be put right or not, by kind',
    labels: ['kind'],
    read: byKind('found'),
  },
  {
    name: 'poplin_ipam_gc_repairs_total',
    type: 'counter',
    help: 'What was put right, by kind; of the kind address: leaked addresses that were freed',
    labels: ['kind'],
    read: byKind('done'),
  },
  {
    name: 'poplin_ipam_gc_failures_total',
    type: 'counter',
    help: 'What could not be put right, by kind; it is tried again',
    labels: ['kind'],
    read: byKind('failed'),
  },
  {
    name: 'poplin_ipam_gc_doubts',
    type: 'gauge',
    help: 'Reasons to hold still until a person looks, at the last look',
    labels: [],
    read: ({ collector }) => one(collector()?.doubts.length ?? 0),
  },
];

export const AGENT_METRICS: readonly Metric<AgentMeasured>[] = [...COLLECTOR_METRICS, ...PROCESS_METRICS];
