/**
 * ADD: address, cable, endpoint, policy; in this order, so that an endpoint is announced only when packets to it arrive.
 *
 * Each step's trace can be found again by the sweep: an address by its handle, a cable by its alias, an endpoint by its
 * record. So a crash between any two steps leaks nothing for longer than the agent is away.
 */
import { deviceRoutes, type Node, podMtu, unwrap, type WorkloadEndpoint } from '../../api/index.ts';
import type { Invocation } from '../../cni-plugin/environment.ts';
import { CniCode, CniFailure } from '../../cni-plugin/error.ts';
import type { NetConf } from '../../cni-plugin/netconf.ts';
import { type CniResult, appendResult } from '../../cni-plugin/result.ts';
import type { Millis } from '../../clock/clock.ts';
import { type Address, parseInterfaceAddress, Prefix } from '../../net/addr/index.ts';
import { namespaceIdentity } from '../../net/kernel/index.ts';
import { assertHeld, takeAddresses } from './addresses.ts';
import { type Attachment, handleOf } from './attachment.ts';
import type { Burst, Guest } from './burst.ts';
import type { Delegate } from './delegate.ts';
import { removeEndpoint } from './del.ts';
import { endpointFor, profileOf, recordOf } from './endpoint.ts';
import { shape } from './limit-keeper.ts';
import { mayShapeAtOnce } from './limits.ts';
import { podOf } from './pod.ts';
import { withWishes } from './pod-wishes.ts';
import { refuseWhileLocked } from './lock.ts';
import type { CniPorts } from './ports.ts';
import { type Cable, HOST_MAC, lookInto, type PodSpace, type Wired, unwire, wire } from './wiring.ts';

/** From taking addresses to having written the endpoint; well below the grace period of the garbage collector. */
const PROMPT: Millis = 10_000;

export interface Added {
  readonly result: CniResult;
  /** As stored: its revision is what felix-lite has to have seen. */
  readonly endpoint: WorkloadEndpoint;
}

/** Everything but the wait for policy. On failure nothing of the attachment is left, or the error says what is. */
export async function add(
  ports: CniPorts,
  attachment: Attachment,
  invocation: Invocation,
  conf: NetConf,
  { burst, delegate }: Company,
): Promise<Added> {
  refuseWhileLocked(ports);
  const guest = burst.join();
  try {
    const { netns, pod } = await enter(ports, invocation);
    try {
      return await attach(ports, attachment, invocation, conf, { netns, space: pod, delegate, guest });
    } finally {
      pod.netlink.close();
    }
  } finally {
    guest.end();
  }
}

/** Who else has a part in it. */
export interface Company {
  readonly burst: Burst;
  /** Who gives addresses in our place. */
  readonly delegate: Delegate | undefined;
}

interface Circumstances {
  /** Identity of the workload's namespace. */
  readonly netns: string;
  readonly space: PodSpace;
  readonly delegate: Delegate | undefined;
  readonly guest: Guest;
}

async function attach(
  ports: CniPorts,
  attachment: Attachment,
  invocation: Invocation,
  asked: NetConf,
  { netns, space, delegate, guest }: Circumstances,
): Promise<Added> {
  const [found, pod] = await Promise.all([
    ports.client.get('Node', ports.node),
    podOf(ports, attachment, asked),
    clearTheWay(ports, attachment),
  ]);
  const own = found.ok ? found.value : undefined;
  const wishes = withWishes(asked, pod?.object.metadata.annotations ?? {}, pod?.namespace ?? {});
  if (!wishes.ok) throw new CniFailure(wishes.error.code, wishes.error.msg, wishes.error.details);
  const { conf, withoutIpam } = wishes.value;
  const begun = ports.clock.now();
  const ask = (from: Delegate): Promise<Given> => delegated(from, conf, own, guest);
  const late = withoutIpam.length === 0 && delegate?.needsInterface === true ? delegate : undefined;
  const { routes } = conf.ipam;
  let given: Given =
    withoutIpam.length > 0
      ? { addresses: withoutIpam, routes, from: 'annotation' }
      : late !== undefined
        ? { addresses: [], routes, from: late.type }
        : delegate !== undefined
          ? await ask(delegate)
          : {
              addresses: await takeAddresses(ports, attachment, conf, own?.metadata.labels ?? {}, guest),
              routes,
              from: undefined,
            };
  const { from } = given;
  try {
    const felix = ports.inventory.felix();
    const uplink = async (): Promise<number> => ports.mtu.of(addressesOfNode(own), felix.mtuIfacePattern);
    const mtu = conf.mtu ?? podMtu(await uplink(), ports.inventory.pools(), felix).mtu;
    const cable: Cable = {
      handle: attachment.handle,
      hostInterface: attachment.hostInterface,
      netns: invocation.netns,
      ifName: attachment.ifName,
      mtu,
      mac: conf.requestedMac,
      addresses: given.addresses,
      routes: given.routes,
      includeDefaultRoutes: conf.includeDefaultRoutes,
      allowIpForwarding: conf.allowIpForwarding,
      deviceRoutes: deviceRoutes(felix),
    };
    const wired = await wire(ports.host, space, cable, late && (async () => (given = await ask(late))));
    const { addresses } = given;
    await ensureProfile(ports, attachment);
    const wanted = endpointFor(
      attachment,
      conf,
      ports.node,
      {
        addresses,
        mac: wired.mac,
        netns,
        addressesFrom: from,
      },
      pod?.object,
    );
    if (mayShapeAtOnce(pod?.object.metadata.annotations ?? {}, conf)) await shape(ports, wanted);
    await guest.before('endpoint');
    const endpoint = unwrap(await ports.client.apply(wanted));
    const isLate = ports.clock.now() - begun > PROMPT;
    if (isLate && from === undefined) await assertHeld(ports, attachment, addresses);
    return {
      endpoint,
      result: appendResult(conf.prevResult, resultOf(attachment, invocation, conf, addresses, wired, mtu)),
    };
  } catch (error) {
    await undo(ports, attachment);
    // Its own words about that would hide why we are here.
    if (from !== undefined) await delegate?.call('DEL').catch(() => {});
    throw error;
  }
}

interface Given {
  readonly addresses: readonly Address[];
  readonly routes: readonly Prefix[] | undefined;
  /** Who gave; undefined: IPAM. */
  readonly from: string | undefined;
}

/** Addresses and routes as another IPAM plugin gives them; its gateways mean nothing on a cable of ours. */
async function delegated(
  delegate: Delegate,
  conf: NetConf,
  own: Node | undefined,
  guest: Guest,
): Promise<Given> {
  // It takes its own time, a minute where a server must answer first.
  guest.end();
  const result = await delegate.add(own?.status?.podCIDRs);
  const routes = result.routes.flatMap(({ dst }) => Prefix.parse(dst) ?? []);
  return {
    addresses: result.ips.flatMap(({ address }) => parseInterfaceAddress(address)?.address ?? []),
    routes: routes.length > 0 ? routes : conf.ipam.routes,
    from: delegate.type,
  };
}

/** The workload's namespace: its identity, and a way in that the caller closes. */
async function enter(
  ports: CniPorts,
  { netns, ifName }: Invocation,
): Promise<{ readonly netns: string; readonly pod: PodSpace }> {
  const refused = (error: unknown): never => {
    if (error instanceof CniFailure) throw error;
    throw new CniFailure(
      CniCode.invalidNetns,
      `CNI_NETNS ${netns} is not a network namespace that can be entered; check that the container still exists`,
      String(error),
    );
  };
  let identity = '';
  try {
    identity = namespaceIdentity(netns);
  } catch (error) {
    refused(error);
  }
  if (identity === namespaceIdentity(ports.host.netns)) {
    throw new CniFailure(
      CniCode.invalidNetns,
      `CNI_NETNS ${netns} is the host's own network namespace; a container on the host network needs no plugin`,
    );
  }
  return { netns: identity, pod: await lookInto(netns, ifName).catch(refused) };
}

/**
 * An endpoint of this name that is still recorded belongs to a dead sandbox of the same pod (or to this very attachment,
 * whose namespace has lost its interface): it makes way. Its own DEL may still come, and will find nothing to do.
 */
async function clearTheWay(ports: CniPorts, attachment: Attachment): Promise<void> {
  const { client, ipam, log } = ports;
  const { endpoint: name, workload, network } = attachment;
  const found = await client.get('WorkloadEndpoint', name, workload.namespace);
  if (found.ok) {
    const { interfaceName, containerID } = found.value.spec;
    log.info({ endpoint: name, container: containerID }, 'replacing the endpoint of a dead container');
    await removeEndpoint(ports, found.value);
    if (interfaceName !== undefined) await unwire(ports.host, interfaceName);
    // Calico's plugin leaves no record, but its handle follows from the container.
    const handle =
      recordOf(found.value)?.handle ?? (containerID && handleOf(network, containerID, attachment.ifName));
    if (handle !== undefined && handle !== '') await ipam.releaseByHandle(handle);
  }
  // What a crash between taking addresses and writing the endpoint left.
  await ipam.releaseByHandle(attachment.handle);
}

/**
 * A container that is no pod stands under the profile of its network; Calico's plugin makes it on first use, open among
 * its members. A pod's profile comes from its namespace, and a pod without one is dropped on purpose.
 */
async function ensureProfile(ports: CniPorts, attachment: Attachment): Promise<void> {
  if (attachment.workload.orchestrator !== 'cni') return;
  const name = profileOf(attachment);
  if ((await ports.client.get('Profile', name)).ok) return;
  const created = await ports.client.create({
    apiVersion: 'projectcalico.org/v3',
    kind: 'Profile',
    metadata: { name },
    spec: {
      labelsToApply: { [name]: '' },
      ingress: [{ action: 'Allow', source: { selector: `has(${name})` } }],
      egress: [{ action: 'Allow' }],
    },
  });
  // Fifty first containers of a network may do this together; all but one find it done.
  if (!created.ok && !(await ports.client.get('Profile', name)).ok) unwrap(created);
}

/** As the node's BGP peers know it. */
function addressesOfNode(node: Node | undefined): Address[] {
  const { ipv4Address, ipv6Address } = node?.spec.bgp ?? {};
  return [ipv4Address, ipv6Address].flatMap((text) =>
    text === undefined ? [] : (parseInterfaceAddress(text)?.address ?? []),
  );
}

/** The cable first: it needs no store. What cannot be undone now has no endpoint, so the sweep will find it. */
async function undo({ client, host, ipam, log }: CniPorts, attachment: Attachment): Promise<void> {
  try {
    await unwire(host, attachment.hostInterface);
    await client.delete('WorkloadEndpoint', attachment.endpoint, attachment.workload.namespace);
    await ipam.releaseByHandle(attachment.handle);
  } catch (error) {
    log.warn(
      { handle: attachment.handle, error: String(error) },
      'a failed ADD is not undone yet; the sweep will do it',
    );
  }
}

function resultOf(
  attachment: Attachment,
  { netns }: Invocation,
  conf: NetConf,
  addresses: readonly Address[],
  wired: Wired,
  mtu: number,
): CniResult {
  return {
    interfaces: [
      { name: attachment.hostInterface, mac: HOST_MAC, mtu },
      { name: attachment.ifName, mac: wired.mac, mtu, sandbox: netns },
    ],
    // Without a gateway, as Calico answers: portmap would take 169.254.1.1 for an address of the host.
    ips: addresses.map((address) => ({ address: Prefix.host(address).toString(), interface: 1 })),
    routes: wired.routes.map(({ destination, gateway }) => ({
      dst: destination.toString(),
      gw: gateway.toString(),
    })),
    dns: { ...conf.dns },
  };
}
