/** The scenarios: what is measured, beside which limits, and what it is held to. */
import { join } from 'node:path';
import { Nftables, run } from '../../net/kernel/index.ts';
import { bareChainChange, bareLoads, bareMember, inFreshNamespace, netlinkChainChange } from './bare.ts';
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
  readonly churnSeconds: number;
  readonly streamSeconds: number;
}

export type Scenario = (backend: BackendName, size: BenchSize) => Promise<readonly Row[]>;

const WORKER = join(import.meta.dirname, 'worker.ts');

async function poplin(order: Order): Promise<Figures> {
  const flags = ['--disable-warning=ExperimentalWarning', WORKER, JSON.stringify(order)];
  const { stdout } = await run(process.execPath, flags, { deadlineMs: 600_000 });
  return JSON.parse(stdout) as Figures;
}

function scaled(count: number, { scale }: BenchSize): number {
  return Math.max(1, Math.round(count * scale));
}

const MIB = 2 ** 20;

/** (a): 250 endpoints of this node and 750 others, 1,000 policies, 10,000 remote endpoints that feed sets. */
const load: Scenario = async (backend, bench) =>
  inFreshNamespace(async (netns) => {
    const size: WorldSize = {
      local: scaled(250, bench),
      remote: scaled(10_750, bench),
      policies: scaled(1000, bench),
    };
    const { ms, cpuSeconds, peakBytes } = await poplin({ measure: 'load', backend, netns, size });
    const [took = Number.NaN] = ms;
    const bare = await bareLoads(backend, netns);
    const best = Math.min(...bare.map((each) => each.ms));
    const ratio = took / best;
    return [
      {
        scenario: 'a',
        backend,
        figures: {
          ms: took,
          'CPU s': cpuSeconds,
          'peak MiB': peakBytes / MIB,
          ...Object.fromEntries(bare.map((each) => [`${each.name} ms`, each.ms])),
          'x best tool': ratio,
        },
        target: { text: 'at most 1.3 x the fastest bare tool', met: ratio <= 1.3 },
      },
    ];
  });

const CLUSTERS = [100, 1000, 10_000];
/** Of the endpoints that this node has, however large the cluster is. */
const LOCAL = 50;

/** (b): the label of one pod changes, in clusters of three sizes. */
const relabel: Scenario = async (backend, bench) => {
  const rows: Row[] = [];
  for (const endpoints of CLUSTERS)
    for (const whose of ['remote', 'local', 'moving'] as const)
      rows.push(
        await inFreshNamespace(async (netns) => {
          const count = scaled(endpoints, bench);
          const local = Math.min(LOCAL, Math.ceil(count / 2));
          const size: WorldSize = { local, remote: count - local, policies: scaled(1000, bench) };
          const order = {
            measure: 'relabel',
            backend,
            netns,
            size,
            of: whose,
            rounds: bench.rounds,
          } as const;
          const { ms } = await poplin(order);
          const { p50, p99 } = latencyOf(ms);
          const limits = await chainLimits(backend, netns);
          const name = `b ${endpoints} ${whose}`;
          const figures = { 'p50 ms': p50, 'p99 ms': p99, ...limits.figures };
          if (backend === 'nftables')
            return { scenario: name, backend, figures, target: { text: 'p99 under 2 ms', met: p99 < 2 } };
          return {
            scenario: name,
            backend,
            figures: { ...figures, 'p50 x tool': p50 / limits.tool },
            target: { text: 'p50 within 1.5 x the tool', met: p50 <= 1.5 * limits.tool },
          };
        }),
      );
  return rows;
};

const LIMIT_ROUNDS = 15;

/** One endpoint's chain written anew, by the bare tool and by bare netlink. */
async function chainLimits(
  backend: BackendName,
  netns: string,
): Promise<{ readonly tool: number; readonly figures: Readonly<Record<string, number>> }> {
  const bare = `cali-tw-${interfaceOf(1)}`;
  const chain = backend === 'nftables' ? `filter-${bare}` : bare;
  const tools: number[] = [];
  for (let i = 0; i < LIMIT_ROUNDS; i++) tools.push(await bareChainChange(backend, netns, chain));
  const tool = quantile(tools, 0.5);
  if (backend !== 'nftables') return { tool, figures: { 'tool ms': tool } };
  using nft = Nftables.open({ netns });
  const netlink: number[] = [];
  for (let i = 0; i < LIMIT_ROUNDS; i++) netlink.push(await netlinkChainChange(nft, chain));
  return { tool, figures: { 'tool ms': tool, 'netlink ms': quantile(netlink, 0.5) } };
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
        target: { text: 'p50 under 1 ms', met: p50 < 1 },
      },
    ];
  });

/** (d): 1,000 changes of endpoints a second. */
const churn: Scenario = async (backend, bench) =>
  inFreshNamespace(async (netns) => {
    const size: WorldSize = { local: LOCAL, remote: scaled(10_000, bench), policies: scaled(1000, bench) };
    const figures = await poplin({
      measure: 'churn',
      backend,
      netns,
      size,
      perSecond: 1000,
      seconds: bench.churnSeconds,
    });
    const { p50, p99, max } = latencyOf(figures.ms);
    const { seconds = Number.NaN, changes = 0 } = figures;
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
          'CPU s': figures.cpuSeconds,
          'peak MiB': figures.peakBytes / MIB,
        },
        target: { text: 'no backlog: done within 1 s of the last change', met: behind < 1 },
      },
    ];
  });

/** (e): packets a second past 10, 100 and 1,000 policies of others. */
const forward: Scenario = async (backend, bench) => {
  const results = await forwarding(backend, [10, 100, 1000], bench.streamSeconds);
  const rates = results.map(({ packetsPerSecond }) => packetsPerSecond);
  const spread = (Math.max(...rates) - Math.min(...rates)) / Math.max(...rates);
  return [
    {
      scenario: 'e',
      backend,
      figures: {
        ...Object.fromEntries(
          results.map(({ policies, packetsPerSecond }) => [`kpps at ${policies}`, packetsPerSecond / 1000]),
        ),
        'spread %': spread * 100,
      },
      target: { text: 'flat within 5 %', met: spread <= 0.05 },
    },
  ];
};

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  a: load,
  b: relabel,
  c: member,
  d: churn,
  e: forward,
};
