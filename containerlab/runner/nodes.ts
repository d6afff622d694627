/** Makes sure that a node runs and is configured. */
import { isAlive } from '../../daemon/process.ts';
import type { LabNode } from '../topology/topology.ts';
import { configure } from './configure.ts';
import type { Interrupt } from './interrupt.ts';
import type { RunningLab } from './lab.ts';
import { pause } from './members.ts';
import { startNode, stopNode } from './node.ts';

/** @param rewired  the node has new interfaces, which have no addresses yet */
export async function ensureNode(
  lab: RunningLab,
  node: LabNode,
  rewired: boolean,
  interrupt: Interrupt,
): Promise<void> {
  const state = lab.state.nodes[node.name] ?? { namespace: lab.namespace(node.name) };
  lab.state.nodes[node.name] = state;
  const stands = state.init !== undefined && isAlive(state.init);
  if (!stands) {
    // An init that was killed leaves its program behind, in folders that a new init would not share.
    await stopNode(lab.topology.name, node.name);
    if (node.startupDelaySeconds > 0) await pause(node.startupDelaySeconds * 1000);
    state.init = await startNode(lab.topology.name, node);
    lab.save();
  }
  if (!stands || rewired) await configure(lab.on(node.name), interrupt);
}
