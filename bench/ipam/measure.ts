/** Callers that ask again as soon as they are answered, for a while. */
import { quantile } from '../report.ts';
import type { BenchEtcd } from './etcd.ts';
import type { Peer, PeerNode } from './peers.ts';

export interface Load {
  readonly nodes: number;
  /** On each node. */
  readonly callers: number;
}

export interface Rate {
  readonly peer: string;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Addresses to a transaction. */
  readonly perCommit: number;
  readonly refused: number;
  /** Of the wall-clock time; 1 is one core. */
  readonly clientCpu: number;
  readonly etcdCpu: number;
  readonly syncing: number;
}

/** Addresses of a node in one go: within twenty blocks, which is what a host may have. */
const ROUND = { most: 1000, all: 10_000 };

export async function measure(
  peer: Peer,
  { nodes, callers }: Load,
  etcd: BenchEtcd,
  location: string,
  seconds: number,
): Promise<Rate> {
  const opened = await Promise.all(
    Array.from({ length: nodes }, async (_, i) => peer.open(location, `node-${i}`)),
  );
  try {
    const each = Math.max(callers * 2, Math.min(ROUND.most, Math.floor(ROUND.all / nodes)));
    // Once without looking: connections, first blocks, compiled code.
    await round(opened, callers, Math.min(each, callers * 3), Number.POSITIVE_INFINITY);
    const sum = { ms: 0, client: 0, etcd: 0, syncing: 0, commits: 0, refused: 0 };
    const latencies: number[] = [];
    while (sum.ms < seconds * 1000) {
      const before = { ...(await stateOf(etcd, opened)), ms: performance.now() };
      const given = await round(opened, callers, each, before.ms + seconds * 1000 - sum.ms, async () => {
        const after = await stateOf(etcd, opened);
        sum.ms += performance.now() - before.ms;
        sum.client += after.client - before.client;
        sum.etcd += after.etcd - before.etcd;
        sum.syncing += after.syncing - before.syncing;
        sum.commits += after.commits - before.commits;
        sum.refused += after.refused - before.refused;
      });
      latencies.push(...given);
    }
    return {
      peer: peer.name,
      perSecond: (latencies.length * 1000) / sum.ms,
      p50Ms: quantile(latencies, 0.5),
      p99Ms: quantile(latencies, 0.99),
      perCommit: latencies.length / sum.commits,
      refused: sum.refused,
      clientCpu: (sum.client * 1000) / sum.ms,
      etcdCpu: (sum.etcd * 1000) / sum.ms,
      syncing: (sum.syncing * 1000) / sum.ms,
    };
  } finally {
    await Promise.all(opened.map(async (node) => node.close()));
  }
}

let ids = 0;

/** @returns how long each request took, in milliseconds */
async function round(
  nodes: readonly PeerNode[],
  callers: number,
  each: number,
  deadline: number,
  ended: () => Promise<void> = async () => {},
): Promise<number[]> {
  const latencies: number[] = [];
  const given = nodes.map((): string[] => []);
  await Promise.all(
    nodes.flatMap((node, i) => {
      let left = each;
      return Array.from({ length: callers }, async () => {
        while (left-- > 0 && performance.now() < deadline) {
          const id = `bench.${ids++}`;
          const asked = performance.now();
          await node.give(id);
          latencies.push(performance.now() - asked);
          given[i]?.push(id);
        }
      });
    }),
  );
  await ended();
  await Promise.all(nodes.map(async (node, i) => node.reset(given[i] ?? [])));
  return latencies;
}

async function stateOf(
  etcd: BenchEtcd,
  nodes: readonly PeerNode[],
): Promise<{ client: number; etcd: number; syncing: number; commits: number; refused: number }> {
  const { user, system } = process.cpuUsage();
  const { cpuSeconds, syncSeconds } = await etcd.cost();
  return {
    client: (user + system) / 1e6,
    etcd: cpuSeconds,
    syncing: syncSeconds,
    commits: nodes.reduce((sum, { counts }) => sum + counts.commits, 0),
    refused: nodes.reduce((sum, { counts }) => sum + counts.refused, 0),
  };
}
