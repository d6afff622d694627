/** Which way a packet takes over one node, as far as policy is concerned: from what its addresses belong to. */
import type { Address } from '../../net/addr/index.ts';
import type { Packet } from './packet.ts';
import type { NodeView, Way } from './way.ts';
import type { World } from './world.ts';

/**
 * @param interfaceTo  by which interface the node would send to an address that is neither its own nor a workload's of it
 * @returns undefined where neither end is on this node. Where no route leads to the other end, {@link UNKNOWN} stands for its
 *   interface: one that no endpoint names
 */
export async function wayOver(
  world: World,
  node: NodeView,
  { source, destination }: Packet,
  interfaceTo: (address: Address) => Promise<string | undefined>,
): Promise<Way | undefined> {
  const [from, to] = [endOn(world, node, source), endOn(world, node, destination)];
  if (from === 'elsewhere' && to === 'elsewhere') return undefined;
  if (from === 'host' && to === 'host') return undefined;
  const nameOf = async (end: End, address: Address): Promise<string> =>
    typeof end === 'object' ? end.interfaceName : ((await interfaceTo(address)) ?? UNKNOWN);
  if (to === 'host') return { journey: 'toHost', from: await nameOf(from, source) };
  if (from === 'host') return { journey: 'fromHost', to: await nameOf(to, destination) };
  return {
    journey: 'forwarded',
    from: await nameOf(from, source),
    to: await nameOf(to, destination),
  };
}

export const UNKNOWN = 'unknown';

type End = { readonly interfaceName: string } | 'host' | 'elsewhere';

function endOn(world: World, node: NodeView, address: Address): End {
  // One that is gone from another node may still be told of there.
  const workload = world.workloadsAt(address).find(({ spec }) => spec.node === node.name);
  if (workload?.spec.interfaceName !== undefined) return { interfaceName: workload.spec.interfaceName };
  const text = address.toString();
  return [...node.interfaces.values()].some((addresses) => addresses.includes(text)) ? 'host' : 'elsewhere';
}
