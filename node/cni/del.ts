/**
 * DEL: cable, endpoint, addresses. The cable first, because it needs no store; the addresses last, so that none is given
 * out again while it is still wired or announced.
 *
 * It removes what this (network, container, interface) made and nothing else: a late DEL of a pod's old sandbox finds the
 * new one under its names and leaves it alone. It never enters the workload's namespace: removing the host end removes
 * both, and a namespace path may have been reused since.
 */
import { unwrap, type WorkloadEndpoint } from '../../api/index.ts';
import type { Link } from '../../net/kernel/index.ts';
import type { Attachment } from './attachment.ts';
import { belongsTo } from './endpoint.ts';
import type { CniPorts } from './ports.ts';
import { handleOfLink, unwire } from './wiring.ts';

/** Succeeds when there is nothing (left) to delete. @throws PoplinError when the store cannot be reached; the cable is gone then too */
export async function del(ports: CniPorts, attachment: Attachment): Promise<void> {
  const links = await ports.host.netlink.listLinks();
  for (const link of links) if (handleOfLink(link) === attachment.handle) await unwire(ports.host, link.name);

  const endpoint = await findEndpoint(ports, attachment);
  if (endpoint !== undefined) {
    await removeEndpoint(ports, endpoint);
    if (endpoint.spec.interfaceName !== undefined)
      await removeNameless(ports, links, endpoint.spec.interfaceName);
  } else if (!(await isTaken(ports, attachment))) {
    await removeNameless(ports, links, attachment.hostInterface);
  }
  await ports.ipam.releaseByHandle(attachment.handle);
}

/** A cable that got no alias: a crash came before it, or Calico's plugin made it. */
async function removeNameless(ports: CniPorts, links: readonly Link[], name: string): Promise<void> {
  const link = links.find((one) => one.name === name);
  if (link?.kind === 'veth' && link.alias === undefined) await unwire(ports.host, name);
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
