/**
 * Puts right what crashes left apart. Three things must go together: an endpoint in the store, a cable in the kernel, an
 * address under the attachment's handle. When an agent starts, one without the others is a leftover:
 *
 * - a cable (a veth with our alias) whose handle no endpoint of this node has: removed;
 * - an endpoint of this node with our record whose cable is gone (the machine was restarted, its namespace removed behind
 *   our back): removed, with its addresses;
 * - addresses in blocks of this node that carry our attribute and its name, under a handle that no endpoint has: released.
 *   Those that it borrowed from others' blocks are left to the garbage collector of IPAM, which reads all blocks for all.
 *
 * It is careful: what lacks our alias, record or attributes is never touched (Calico's endpoints, a user's, tunnel
 * addresses), nothing is done before the whole world is known or while a
 * migration holds the datastore, and no ADD or DEL is under way meanwhile.
 * Endpoints that do have their cable get their host end checked: routes and settings that are missing return.
 */
import { type DeviceRoutes, unwrap, type WorkloadEndpoint } from '../../api/index.ts';
import { Prefix } from '../../net/addr/index.ts';
import { type Link, routeKey, sameRoute, TABLE_MAIN } from '../../net/kernel/index.ts';
import { ATTACHMENT_ATTRIBUTE } from './attachment.ts';
import { removeEndpoint } from './del.ts';
import { type EndpointRecord, recordOf } from './endpoint.ts';
import { refuseWhileLocked } from './lock.ts';
import type { CniPorts } from './ports.ts';
import { type Host, handleOfLink, prepareHostEnd, unwire, workloadRoute } from './wiring.ts';

export interface Swept {
  readonly cables: string[];
  readonly endpoints: string[];
  readonly handles: string[];
  readonly repaired: number;
}

/** Whether an endpoint with its cable in place may stay. GC lets stay what the runtime still knows. */
export type Keep = (record: EndpointRecord) => boolean;

/**
 * Needs to be alone: no ADD or DEL under way.
 *
 * @throws CniFailure while a migration holds the datastore: the world is half known then, and nothing is done
 * @throws PoplinError when the store cannot be reached; what was done so far was right
 */
export async function sweep(ports: CniPorts, keep: Keep = () => true): Promise<Swept> {
  refuseWhileLocked(ports);
  const { host, ipam } = ports;
  const links = await host.netlink.listLinks();
  const swept: Swept = { cables: [], endpoints: [], handles: [], repaired: 0 };
  const kept = new Map<string, WorkloadEndpoint>();
  for (const endpoint of await endpointsOf(ports)) {
    const record = recordOf(endpoint);
    if (record === undefined) continue;
    if (keep(record) && links.some((link) => isCableOf(link, endpoint, record))) {
      kept.set(record.handle, endpoint);
      continue;
    }
    await removeEndpoint(ports, endpoint);
    swept.endpoints.push(`${endpoint.metadata.namespace}/${endpoint.metadata.name}`);
  }
  const stray = links.filter((link) => {
    const handle = handleOfLink(link);
    return handle !== undefined && !kept.has(handle);
  });
  await Promise.all(stray.map(({ name }) => unwire(host, name)));
  swept.cables.push(...stray.map(({ name }) => name));
  for (const handle of await handlesOf(ports)) {
    if (kept.has(handle)) continue;
    await ipam.releaseByHandle(handle);
    swept.handles.push(handle);
  }
  await limit(ports, [...kept.values()]);
  const repaired = await repair(host, [...kept.values()], links, ports.inventory.deviceRoutes());
  return { ...swept, repaired };
}

/** Asked of the store itself: a mirror may be a moment behind what this agent wrote. */
async function endpointsOf({ client, node }: CniPorts): Promise<WorkloadEndpoint[]> {
  const all = unwrap(await client.list('WorkloadEndpoint'));
  return all.filter(({ spec }) => spec.node === node);
}

function isCableOf(link: Link, endpoint: WorkloadEndpoint, record: EndpointRecord): boolean {
  return link.name === endpoint.spec.interfaceName && handleOfLink(link) === record.handle;
}

async function handlesOf({ ipam, node }: CniPorts): Promise<Set<string>> {
  const handles = new Set<string>();
  for (const block of await ipam.blocksOf(node)) {
    for (const { handle, attributes } of block.allocations) {
      if (
        handle !== undefined &&
        attributes['node'] === node &&
        attributes[ATTACHMENT_ATTRIBUTE] !== undefined
      ) {
        handles.add(handle);
      }
    }
  }
  return handles;
}

/** As many as the endpoints say, and no more: limits may have been changed while nobody was here. */
async function limit({ host, log }: CniPorts, endpoints: readonly WorkloadEndpoint[]): Promise<void> {
  const wanted = new Map(
    endpoints.map(({ spec }) => [spec.interfaceName ?? '', spec.qosControls ?? {}] as const),
  );
  try {
    for (const what of await host.shaper.reconcile(wanted)) log.warn({}, what);
  } catch (error) {
    log.warn({ error: String(error) }, 'not all workloads could be limited');
  }
}

/** @returns how many host ends lacked something */
async function repair(
  host: Host,
  endpoints: readonly WorkloadEndpoint[],
  links: readonly Link[],
  wished: DeviceRoutes,
): Promise<number> {
  const routes = new Map(
    (await host.netlink.listRoutes({ table: TABLE_MAIN })).map((route) => [routeKey(route), route]),
  );
  let repaired = 0;
  for (const { spec } of endpoints) {
    const { interfaceName: name = '', ipNetworks = [] } = spec;
    const addresses = ipNetworks.flatMap((network) => Prefix.parse(network)?.address ?? []);
    const link = links.find((one) => one.name === name);
    if (link === undefined) continue;
    const isWhole =
      link.up &&
      addresses.every((address) => {
        const wanted = workloadRoute(address, name, wished);
        const actual = routes.get(routeKey(wanted));
        return actual !== undefined && sameRoute(wanted, actual);
      });
    if (isWhole) continue;
    await prepareHostEnd(host, link, addresses, wished);
    repaired++;
  }
  return repaired;
}
