/** Poplin's policy pipeline on one backend in a namespace of its own: resources in, kernel out. */
import { formatProblem } from '../../api/problem.ts';
import type { ResourceChange } from '../../felix-lite/calc/calculator.ts';
import { readSettings } from '../../felix-lite/daemon/config.ts';
import type { BackendWishes } from '../../felix-lite/dataplane/backend.ts';
import { Pipeline } from '../../felix-lite/daemon/pipeline.ts';
import { NODE } from './world.ts';

export const BACKENDS = ['nftables', 'iptables-nft', 'iptables-legacy'] as const;
export type BackendName = (typeof BACKENDS)[number];

export function openPipeline(backend: BackendName, netns: string): Promise<Pipeline> {
  const iptables = backend === 'iptables-nft' ? 'nft' : 'legacy';
  const wishes: BackendWishes =
    backend === 'nftables' ? { nftables: true, iptables: undefined } : { nftables: false, iptables };
  const settings = { ...readSettings(undefined, undefined), forwarding: false };
  return Pipeline.create({ node: NODE, netns, settings: { ...settings, backend: wishes } });
}

/**
 * Takes the changes in and has the kernel hold them.
 *
 * @returns milliseconds from the change, as the datastore's mirror would tell it, to the kernel's answer
 */
export async function bring(pipeline: Pipeline, changes: readonly ResourceChange[]): Promise<number> {
  const began = performance.now();
  pipeline.update(changes);
  let applied = await pipeline.apply(false);
  const took = performance.now() - began;
  // What was left aside would cost nothing, and the figures would be of another cluster.
  const [problem] = pipeline.problems;
  if (problem !== undefined) throw new Error(formatProblem(problem));
  if (applied.failures.length > 0) throw new Error(String(applied.failures[0]?.error));
  // Removals of sets that are put off belong to nobody's latency, but must not pile up.
  while (applied.leftover > 0) applied = await pipeline.apply(false);
  return took;
}
