/** The processes of a lab's Poplin nodes: who they are, whether what a restart left open is over, and an end for them. */
import { join } from 'node:path';
import { nodeRunDir } from '../../containerlab/runner/paths.ts';
import { askControl } from '../../daemon/control.ts';
import { type Pace, waitUntil } from '../routes/watch.ts';

export type Part = 'agent' | 'bgpd' | 'felix';

export interface Restart {
  readonly title: string;
  readonly parts: readonly Part[];
  readonly signal: NodeJS.Signals;
  /** That are other processes afterwards. */
  readonly anew: readonly Part[];
}

const ALL: readonly Part[] = ['agent', 'bgpd', 'felix'];
export const KILLED: Restart = {
  title: 'all of the node is killed at once',
  parts: ALL,
  signal: 'SIGKILL',
  anew: ALL,
};
/** Of a whole node. */
export const WHOLE: readonly Restart[] = [
  KILLED,
  { title: 'the agent ends in order and takes all with it', parts: ['agent'], signal: 'SIGTERM', anew: ALL },
];

export class Parts {
  readonly #lab: string;
  readonly #nodes: readonly string[];
  readonly #pace: Pace;

  /** @param nodes  two, each of which has a session of either IP version with the other */
  constructor(lab: string, nodes: readonly string[], pace: Pace) {
    this.#lab = lab;
    this.#nodes = nodes;
    this.#pace = pace;
  }

  /** Empty while one of them does not run, or does not say. */
  async pids(node: string): Promise<Partial<Record<Part, number>>> {
    type Status = { pid: number; daemons: Record<string, { pid?: number }> };
    const agent = await this.#ask<Status>(node, 'agent');
    const { bgpd, felix } = agent?.daemons ?? {};
    if (agent === undefined || bgpd?.pid === undefined || felix?.pid === undefined) return {};
    return { agent: agent.pid, bgpd: bgpd.pid, felix: felix.pid };
  }

  /** Resolves when the node is whole again. */
  async restart(node: string, { parts, signal, anew }: Restart): Promise<void> {
    const before = await this.pids(node);
    for (const part of parts) {
      const pid = before[part];
      if (pid === undefined) throw new Error(`${node} has no ${part}`);
      process.kill(pid, signal);
    }
    const again = async (): Promise<boolean> => {
      const now = await this.pids(node);
      return anew.every((part) => now[part] !== undefined && now[part] !== before[part]);
    };
    await waitUntil(this.#pace, `${anew.join()} of ${node} anew`, again, Boolean);
    await this.settled();
  }

  /** Until the restart is over on the side of BGP too, on both nodes, and each has looked at its kernel. */
  async settled(): Promise<void> {
    for (const node of this.#nodes) {
      await waitUntil(this.#pace, `BGP of ${node} confirmed`, () => this.#isConfirmed(node), Boolean);
      await waitUntil(this.#pace, `felix-lite of ${node} ready`, () => this.#isReady(node), Boolean);
    }
  }

  async #isReady(node: string): Promise<boolean> {
    const felix = await this.#ask<{ ready: boolean; routing: { passes: number } }>(node, 'felix');
    return felix?.ready === true && felix.routing.passes > 0;
  }

  /** Both sessions are up, and nothing is only kept from before: a restart before that loses it (RFC 4724 §4.2). */
  async #isConfirmed(node: string): Promise<boolean> {
    type Peer = { state: string; prefixesStale: number };
    const bgpd = await this.#ask<{ synced: boolean; restarting: boolean; peers: Peer[] }>(node, 'bgpd');
    if (bgpd === undefined || !bgpd.synced || bgpd.restarting || bgpd.peers.length !== 2) return false;
    return bgpd.peers.every(({ state, prefixesStale }) => state === 'Established' && prefixesStale === 0);
  }

  async #ask<T>(node: string, part: Part): Promise<T | undefined> {
    const socket = join(nodeRunDir(this.#lab, node), `${part}.sock`);
    const answer = await askControl<T>(socket, 'GET', '/status', { deadlineMs: 10_000 });
    return answer.ok ? answer.value : undefined;
  }
}
