/** Which way a packet takes over one node, as far as policy is concerned: from what its addresses belong to. */
import type { Address } from '../../net/addr/index.ts';
import type { Packet } from './packet.ts';
import type { NodeView, Way } from './way.ts';
import { owns, type World } from './world.ts';

/**
 * @param interfaceTo  by which interface the node would send to an address that is neither its own nor a workload's of it
 * @returns undefined where neither end is on this node, or no route leads to the other
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
  const nameOf = (end: End, address: Address): Promise<string | undefined> =>
    typeof end === 'object' ? Promise.resolve(end.interfaceName) : interfaceTo(address);
  if (to === 'host') {
    const name = await nameOf(from, source);
    return name === undefined ? undefined : { journey: 'toHost', from: name };
  }
  const name = await nameOf(to, destination);
  if (name === undefined) return undefined;
  if (from === 'host') return { journey: 'fromHost', to: name };
  const came = await nameOf(from, source);
  return came === undefined ? undefined : { journey: 'forwarded', from: came, to: name };
}

type End = { readonly interfaceName: string } | 'host' | 'elsewhere';

function endOn(world: World, node: NodeView, address: Address): End {
  const workload = world.workloads.find(
    (each) => each.spec.node === node.name && owns(world.workload(each), address),
  );
  if (workload?.spec.interfaceName !== undefined) return { interfaceName: workload.spec.interfaceName };
  const text = address.toString();
  return [...node.interfaces.values()].some((addresses) => addresses.includes(text)) ? 'host' : 'elsewhere';
}
