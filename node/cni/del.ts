/**
 * DEL: cable, endpoint, addresses. The cable first, because it needs no store; the addresses last, so that none is given
 * out again while it is still wired or announced.
 *
 * It removes what this (network, container, interface) made and nothing else: a late DEL of a pod's old sandbox finds the
 * new one under its names and leaves it alone. It never enters the workload's namespace: removing the host end removes
 * both, and a namespace path may have been reused since.
 */
import { unwrap, type WorkloadEndpoint } from '../../api/index.ts';
import type { Attachment } from './attachment.ts';
import { belongsTo } from './endpoint.ts';
import type { CniPorts } from './ports.ts';
import { handleOfLink, unwire } from './wiring.ts';

/** Succeeds when there is nothing (left) to delete. @throws PoplinError when the store cannot be reached; the cable is gone then too */
export async function del(ports: CniPorts, attachment: Attachment): Promise<void> {
  const known = ports.inventory.endpoint(attachment.endpoint, attachment.workload.namespace);
  // The kernel takes its time over a cable; the store needs less, and does not have to wait for it.
  const [cable, endpoint] = await Promise.allSettled([
    unplug(ports, attachment, known !== undefined && belongsTo(known, attachment) ? known : undefined),
    forget(ports, attachment),
  ]);
  for (const outcome of [cable, endpoint]) if (outcome.status === 'rejected') throw outcome.reason;
  await ports.ipam.releaseByHandle(attachment.handle);
}

/** By the names it should have; whoever has another name is found by its alias, which asks for all of the host's interfaces. */
async function unplug(
  { host }: CniPorts,
  { hostInterface, handle }: Attachment,
  known: WorkloadEndpoint | undefined,
): Promise<void> {
  const name = known?.spec.interfaceName ?? hostInterface;
  const link = await host.netlink.getLink(name);
  if (link !== undefined && handleOfLink(link) === handle) {
    await unwire(host, name);
    return;
  }
  const ours = (await host.netlink.listLinks()).filter((one) => handleOfLink(one) === handle);
  await Promise.all(ours.map((one) => unwire(host, one.name)));
}

async function forget(ports: CniPorts, attachment: Attachment): Promise<void> {
  const endpoint = await findEndpoint(ports, attachment);
  if (endpoint !== undefined) {
    await removeEndpoint(ports, endpoint);
    if (endpoint.spec.interfaceName !== undefined) await removeNameless(ports, endpoint.spec.interfaceName);
  } else if (!(await isTaken(ports, attachment))) {
    await removeNameless(ports, attachment.hostInterface);
  }
}

/** A cable that got no alias: Calico's plugin made it. */
async function removeNameless({ host }: CniPorts, name: string): Promise<void> {
  const link = await host.netlink.getLink(name);
  if (link?.kind === 'veth' && link.alias === undefined) await unwire(host, name);
}

/** Whether another container has the names of this attachment by now. */
async function isTaken(ports: CniPorts, attachment: Attachment): Promise<boolean> {
  return (await ports.client.get('WorkloadEndpoint', attachment.endpoint, attachment.workload.namespace)).ok;
}

/** By its name, else by its record: a repeated DEL may come without the CNI_ARGS that gave the name. */
async function findEndpoint(ports: CniPorts, attachment: Attachment): Promise<WorkloadEndpoint | undefined> {
  const named = await ports.client.get(
    'WorkloadEndpoint',
    attachment.endpoint,
    attachment.workload.namespace,
  );
  if (named.ok && belongsTo(named.value, attachment)) return named.value;
  return ports.inventory.endpoints().find((endpoint) => belongsTo(endpoint, attachment));
}

export async function removeEndpoint(ports: CniPorts, endpoint: WorkloadEndpoint): Promise<void> {
  const { name, namespace } = endpoint.metadata;
  const removed = await ports.client.delete('WorkloadEndpoint', name, namespace);
  if (!removed.ok && removed.problems.some(({ code }) => code !== 'RESOURCE_MISSING')) unwrap(removed);
}
