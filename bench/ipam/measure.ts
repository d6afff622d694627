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
  /** CPU time for one address; says more than the rate on a machine that does other things, too. */
  readonly clientMicros: number;
  readonly etcdMicros: number;
  /** Of the wall-clock time, in which etcd waited for its disk. */
  readonly syncing: number;
}

/** Addresses of a node in one go: within twenty blocks, which is what a host may have. */
const ROUND = { most: 1000, all: 10_000 };

/** One peer on all nodes of a cluster. */
export class Session {
  readonly #peer: Peer;
  readonly #nodes: readonly PeerNode[];
  readonly #load: Load;
  readonly #etcd: BenchEtcd;
  readonly #latencies: number[] = [];
  readonly #sum = { ms: 0, client: 0, etcd: 0, syncing: 0, commits: 0, refused: 0 };

  private constructor(peer: Peer, nodes: readonly PeerNode[], load: Load, etcd: BenchEtcd) {
    this.#peer = peer;
    this.#nodes = nodes;
    this.#load = load;
    this.#etcd = etcd;
  }

  static async open(peer: Peer, load: Load, etcd: BenchEtcd, location: string): Promise<Session> {
    const nodes = await Promise.all(
      Array.from({ length: load.nodes }, async (_, i) => peer.open(location, `node-${i}`)),
    );
    const session = new Session(peer, nodes, load, etcd);
    // Once without looking: connections, first blocks, compiled code.
    await round(nodes, load.callers, load.callers * 3, Number.POSITIVE_INFINITY);
    return session;
  }

  /** Measures for a while; several times give one rate. */
  async run(seconds: number): Promise<void> {
    const { nodes, callers } = this.#load;
    const each = Math.max(callers * 2, Math.min(ROUND.most, Math.floor(ROUND.all / nodes)));
    const end = this.#sum.ms + seconds * 1000;
    while (this.#sum.ms < end) {
      const before = await stateOf(this.#etcd, this.#nodes);
      const deadline = before.ms + end - this.#sum.ms;
      const given = await round(this.#nodes, callers, each, deadline, async () => {
        const after = await stateOf(this.#etcd, this.#nodes);
        for (const key of Object.keys(this.#sum) as (keyof typeof after)[])
          this.#sum[key] += after[key] - before[key];
      });
      this.#latencies.push(...given);
    }
  }

  get rate(): Rate {
    const { ms, client, etcd, syncing, commits, refused } = this.#sum;
    const count = this.#latencies.length;
    return {
      peer: this.#peer.name,
      perSecond: (count * 1000) / ms,
      p50Ms: quantile(this.#latencies, 0.5),
      p99Ms: quantile(this.#latencies, 0.99),
      perCommit: count / commits,
      refused,
      clientMicros: (client * 1e6) / count,
      etcdMicros: (etcd * 1e6) / count,
      syncing: (syncing * 1000) / ms,
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map(async (node) => node.close()));
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

interface State {
  readonly ms: number;
  /** Seconds of CPU. */
  readonly client: number;
  readonly etcd: number;
  readonly syncing: number;
  readonly commits: number;
  readonly refused: number;
}

async function stateOf(etcd: BenchEtcd, nodes: readonly PeerNode[]): Promise<State> {
  const { cpuSeconds, syncSeconds } = await etcd.cost();
  const { user, system } = process.cpuUsage();
  return {
    ms: performance.now(),
    client: (user + system) / 1e6,
    etcd: cpuSeconds,
    syncing: syncSeconds,
    commits: nodes.reduce((sum, { counts }) => sum + counts.commits, 0),
    refused: nodes.reduce((sum, { counts }) => sum + counts.refused, 0),
  };
}
