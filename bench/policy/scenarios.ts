/** The scenarios: what is measured, beside which limits, and what it is held to. */
import { join } from 'node:path';
import { FELIX_FLAGS } from '../../felix-lite/daemon/node-flags.ts';
import { run } from '../../net/kernel/index.ts';
import { bareLoads, bareMember, inFreshNamespace, nftChainChange } from './bare.ts';
import { forwarding } from './forwarding.ts';
import { latencyOf, quantile } from './stats.ts';
import type { BackendName } from './subject.ts';
import type { Figures, Order } from './worker.ts';
import { interfaceOf, type WorldSize } from './world.ts';

export interface Row {
  readonly scenario: string;
  readonly backend: BackendName;
  /** Figures in the order in which they are to be read, with their units in the names. */
  readonly figures: Readonly<Record<string, number>>;
  readonly target?: { readonly text: string; readonly met: boolean };
}

export interface BenchSize {
  /** Fraction of the sizes. */
  readonly scale: number;
  readonly rounds: number;
  /** Endpoints of each cluster of (b). */
  readonly clusters: readonly number[];
  readonly churnSeconds: number;
  readonly streamSeconds: number;
}

export type Scenario = (backend: BackendName, size: BenchSize) => Promise<readonly Row[]>;

const WORKER = join(import.meta.dirname, 'worker.ts');

/** As the agent of a node has it. */
const COMPILE_CACHE = join(import.meta.dirname, '..', '..', '.cache', 'compile');

async function poplin(order: Order): Promise<Figures> {
  const flags = ['--disable-warning=ExperimentalWarning', ...FELIX_FLAGS, WORKER, JSON.stringify(order)];
  const env = { ...process.env, NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? COMPILE_CACHE };
  const { stdout } = await run(process.execPath, flags, { deadlineMs: 600_000, env });
  return JSON.parse(stdout) as Figures;
}

function scaled(count: number, { scale }: BenchSize): number {
  return Math.max(1, Math.round(count * scale));
}

const MIB = 2 ** 20;

const LOADS = 3;

/** (a): 250 endpoints of this node and 750 others, 1,000 policies, 10,000 remote endpoints that feed sets. */
const load: Scenario = async (backend, bench) => {
  const size: WorldSize = {
    local: scaled(250, bench),
    remote: scaled(10_750, bench),
    policies: scaled(1000, bench),
  };
  const loads: Figures[] = [];
  const once = (netns: string): Promise<Figures> => poplin({ measure: 'load', backend, netns, size });
  for (let i = 1; i < LOADS; i++) loads.push(await inFreshNamespace(once));
  return inFreshNamespace(async (netns) => {
    loads.push(await once(netns));
    const [best = { ms: [], cpuSeconds: Number.NaN, peakBytes: Number.NaN }] = loads.toSorted(
      (a, b) => (a.ms[0] ?? 0) - (b.ms[0] ?? 0),
    );
    const [took = Number.NaN] = best.ms;
    const bare = await bareLoads(backend, netns);
    const fastest = (tool: boolean): number =>
      Math.min(...bare.filter((each) => each.tool === tool).map(({ ms }) => ms));
    const ratio = took / fastest(true);
    return [
      {
        scenario: 'a',
        backend,
        figures: {
          ms: took,
          'CPU s': best.cpuSeconds,
          'peak MiB': best.peakBytes / MIB,
          ...Object.fromEntries(bare.map((each) => [`${each.name} ms`, each.ms])),
          'x tool': ratio,
          ...(Number.isFinite(fastest(false)) ? { 'x netlink': took / fastest(false) } : {}),
        },
        target: { text: 'at most 1.3 x the fastest bare tool', met: ratio <= 1.3 },
      },
    ];
  });
};

/** Of the endpoints that this node has, however large the cluster is. */
const LOCAL = 50;

/** (b): the label of one pod changes, in clusters of three sizes. */
const relabel: Scenario = async (backend, bench) => {
  const rows: Row[] = [];
  for (const endpoints of bench.clusters)
    for (const whose of ['remote', 'local', 'moving', 'arriving'] as const)
      rows.push(
        await inFreshNamespace((netns) =>
          inFreshNamespace(async (twin) => {
            const count = scaled(endpoints, bench);
            const local = Math.min(LOCAL, Math.ceil(count / 2));
            const size: WorldSize = { local, remote: count - local, policies: scaled(1000, bench) };
            const { rounds } = bench;
            const figures = await poplin({
              measure: 'relabel',
              backend,
              netns,
              twin,
              size,
              of: whose,
              rounds,
            });
            const scenario = `b ${endpoints} ${whose}`;
            return backend === 'nftables'
              ? relabelledByNetlink(scenario, figures, await chainLimit(netns))
              : relabelledByTools(scenario, backend, figures);
          }),
        ),
      );
  return rows;
};

function relabelledByNetlink(scenario: string, { ms, limitMs = [] }: Figures, tool: number): Row {
  const [ours, netlink] = [latencyOf(ms), latencyOf(limitMs)];
  return {
    scenario,
    backend: 'nftables',
    figures: {
      'p50 ms': ours.p50,
      'p99 ms': ours.p99,
      'netlink p50 ms': netlink.p50,
      'netlink p99 ms': netlink.p99,
      'p50 x netlink': ours.p50 / netlink.p50,
      'tool ms': tool,
    },
    target: { text: 'p99 under 2 ms', met: ours.p99 < 2 },
  };
}

function relabelledByTools(scenario: string, backend: BackendName, { ms, limitMs = [] }: Figures): Row {
  const [ours, tools] = [latencyOf(ms), latencyOf(limitMs)];
  return {
    scenario,
    backend,
    figures: {
      'p50 ms': ours.p50,
      'p99 ms': ours.p99,
      'tools p50 ms': tools.p50,
      'tools p99 ms': tools.p99,
      'p50 x tools': ours.p50 / tools.p50,
      'p99 x tools': ours.p99 / tools.p99,
    },
    target: {
      text: 'within 1.5 x the tools, at p50 and p99',
      met: ours.p50 <= 1.5 * tools.p50 && ours.p99 <= 1.5 * tools.p99,
    },
  };
}

const TOOL_ROUNDS = 15;

/** One endpoint's chain written anew by the bare tool. */
async function chainLimit(netns: string): Promise<number> {
  const tools: number[] = [];
  for (let i = 0; i < TOOL_ROUNDS; i++)
    tools.push(await nftChainChange(netns, `filter-cali-tw-${interfaceOf(1)}`));
  return quantile(tools, 0.5);
}

/** (c): one member more in a set of 100,000. */
const member: Scenario = async (backend, bench) =>
  inFreshNamespace(async (netns) => {
    const members = scaled(100_000, bench);
    const { ms, peakBytes } = await poplin({
      measure: 'member',
      backend,
      netns,
      members,
      rounds: bench.rounds,
    });
    const { p50, p99 } = latencyOf(ms);
    const bare = await bareMember(backend, members, 200);
    return [
      {
        scenario: 'c',
        backend,
        figures: {
          'p50 ms': p50,
          'p99 ms': p99,
          'peak MiB': peakBytes / MIB,
          'tool ms': quantile(bare.tool, 0.5),
          'netlink ms': quantile(bare.netlink, 0.5),
        },
        target: { text: 'p99 under 1 ms', met: p99 < 1 },
      },
    ];
  });

/** (d): 1,000 changes of endpoints a second. */
const churn: Scenario = async (backend, bench) =>
  inFreshNamespace((netns) =>
    inFreshNamespace(async (twin) => {
      const size: WorldSize = { local: LOCAL, remote: scaled(10_000, bench), policies: scaled(1000, bench) };
      const figures = await poplin({
        measure: 'churn',
        backend,
        netns,
        twin,
        size,
        perSecond: 1000,
        seconds: bench.churnSeconds,
      });
      const { p50, p99, max } = latencyOf(figures.ms);
      const { seconds = Number.NaN, changes = 0, churnCpuSeconds = Number.NaN } = figures;
      const behind = seconds - bench.churnSeconds;
      return [
        {
          scenario: 'd',
          backend,
          figures: {
            'changes/s': changes / seconds,
            'p50 ms': p50,
            'p99 ms': p99,
            'max ms': max,
            'CPU %': (100 * churnCpuSeconds) / seconds,
            'peak MiB': figures.peakBytes / MIB,
          },
          target: { text: 'no backlog: done within 1 s of the last change', met: behind < 1 },
        },
      ];
    }),
  );

const STREAMS = 9;

/** (e): packets a second past 10, 100 and 1,000 policies of others. */
const forward: Scenario = async (backend, bench) => {
  const results = await forwarding(backend, [10, 100, 1000], STREAMS, bench.streamSeconds / STREAMS);
  const costs = results.map(({ cpuMicrosPerPacket }) => cpuMicrosPerPacket);
  const rates = results.map(({ packetsPerSecond }) => packetsPerSecond);
  const spread = spreadOf(rates);
  return [
    {
      scenario: 'e',
      backend,
      figures: {
        ...Object.fromEntries(
          results.flatMap(({ policies, packetsPerSecond, cpuMicrosPerPacket }) => [
            [`kpps at ${policies}`, packetsPerSecond / 1000],
            [`us CPU/packet at ${policies}`, cpuMicrosPerPacket],
          ]),
        ),
        'spread of kpps %': spread,
        'spread of CPU %': spreadOf(costs),
      },
      target: { text: 'packets a second flat within 5 %', met: spread <= 5 },
    },
  ];
};

/** Of the least from the most, in percent. */
function spreadOf(values: readonly number[]): number {
  return (1 - Math.min(...values) / Math.max(...values)) * 100;
}

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  a: load,
  b: relabel,
  c: member,
  d: churn,
  e: forward,
};
