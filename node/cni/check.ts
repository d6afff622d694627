/**
 * CHECK: is the attachment in kernel, store and IPAM what its ADD answered? Every difference is told, not only the first.
 * What later plugins of the chain added or changed is tolerated: prevResult, not memory, says what should be.
 */
import type { Clock, Millis } from '../../clock/clock.ts';
import type { Invocation } from '../../cni-plugin/environment.ts';
import { CniCode, CniFailure } from '../../cni-plugin/error.ts';
import type { NetConf } from '../../cni-plugin/netconf.ts';
import type { CniInterface, CniResult, CniRoute } from '../../cni-plugin/result.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import { Netlink, type Route, routeKey } from '../../net/kernel/index.ts';
import type { Attachment } from './attachment.ts';
import { ADDRESSES_FROM, belongsTo } from './endpoint.ts';
import type { CniPorts } from './ports.ts';
import { GATEWAY_4, GATEWAY_6, HOST_MAC, workloadRoute } from './wiring.ts';

/** "A reasonable convergence delay" (specification, CHECK). */
const CONVERGENCE: Millis = 5000;
const PAUSE: Millis = 100;

/** @throws CniFailure `checkFailed` with the differences */
export async function check(
  ports: CniPorts,
  attachment: Attachment,
  invocation: Invocation,
  conf: NetConf,
): Promise<void> {
  if (conf.prevResult === undefined) {
    throw new CniFailure(
      CniCode.invalidConfiguration,
      'prevResult is missing: CHECK compares with what ADD answered',
    );
  }
  const expected = oursIn(conf.prevResult, attachment, invocation);
  const differences = [
    ...(await checkPod(invocation, expected)),
    ...(await checkHost(ports, attachment, expected.addresses)),
    ...(await checkRecords(ports, attachment, expected.addresses)),
    ...(await checkLimits(ports, attachment)),
  ];
  if (differences.length > 0) {
    throw new CniFailure(
      CniCode.checkFailed,
      `${attachment.ifName} of ${attachment.containerId} differs from what ADD made: ${differences[0]}`,
      differences.join('\n'),
    );
  }
}

interface Expected {
  readonly pod: CniInterface | undefined;
  readonly addresses: readonly Address[];
  readonly routes: readonly CniRoute[];
}

/** The part of prevResult that our interface carries. */
function oursIn(previous: CniResult, { ifName }: Attachment, { netns }: Invocation): Expected {
  const index = previous.interfaces.findIndex(({ name, sandbox }) => name === ifName && sandbox === netns);
  const ips = previous.ips.filter((ip) => ip.interface === index);
  const gateways = [GATEWAY_4.toString(), GATEWAY_6.toString()];
  return {
    pod: previous.interfaces[index],
    addresses: ips.flatMap(({ address }) => Address.parse(address.split('/')[0] ?? '') ?? []),
    routes: previous.routes.filter(({ gw }) => gw !== undefined && gateways.includes(gw)),
  };
}

async function checkPod({ netns, ifName }: Invocation, expected: Expected): Promise<string[]> {
  if (expected.pod === undefined) return [`prevResult has no interface ${ifName} in ${netns}`];
  const differences: string[] = [];
  try {
    using pod = Netlink.open({ netns });
    const link = await pod.getLink(ifName);
    if (link === undefined) return [`${netns} has no interface ${ifName}`];
    if (!link.up) differences.push(`${ifName} is down`);
    const { mac } = expected.pod;
    if (mac !== undefined && link.mac !== mac.toLowerCase())
      differences.push(`${ifName} has MAC ${link.mac}, not ${mac}`);
    const addresses = await pod.listAddresses(ifName);
    for (const address of expected.addresses) {
      if (!addresses.some((one) => one.address.equals(address)))
        differences.push(`${ifName} lacks ${address.toString()}`);
    }
    const routes = (await pod.listRoutes()).filter((route) =>
      route.nextHops.some((hop) => hop.interface === ifName),
    );
    for (const route of expected.routes) {
      if (!routes.some((one) => isRoute(one, route))) {
        differences.push(`${netns} lacks the route to ${route.dst} via ${route.gw} on ${ifName}`);
      }
    }
  } catch (error) {
    differences.push(`${netns} cannot be entered: ${String(error)}`);
  }
  return differences;
}

function isRoute(route: Route, expected: CniRoute): boolean {
  const destination = Prefix.parse(expected.dst);
  return (
    destination !== undefined &&
    route.destination.equals(destination) &&
    route.nextHops.some(({ gateway }) => gateway?.toString() === expected.gw)
  );
}

async function checkHost(
  { host, inventory }: CniPorts,
  { hostInterface }: Attachment,
  addresses: readonly Address[],
): Promise<string[]> {
  const link = await host.netlink.getLink(hostInterface);
  if (link === undefined) return [`the host has no interface ${hostInterface}`];
  const differences: string[] = [];
  if (!link.up) differences.push(`${hostInterface} on the host is down`);
  if (link.mac !== HOST_MAC)
    differences.push(`${hostInterface} on the host has MAC ${link.mac}, not ${HOST_MAC}`);
  const routes = new Map(
    (await host.netlink.listRoutes({ table: 254 })).map((route) => [routeKey(route), route]),
  );
  const wished = inventory.deviceRoutes();
  for (const address of addresses) {
    const found = routes.get(routeKey(workloadRoute(address, hostInterface, wished)));
    if (found?.nextHops[0]?.interface !== hostInterface) {
      differences.push(`the host has no route to ${address.toString()} on ${hostInterface}`);
    }
  }
  return differences;
}

async function checkRecords(
  { client, ipam, status, policyWait, clock }: CniPorts,
  attachment: Attachment,
  addresses: readonly Address[],
): Promise<string[]> {
  const { endpoint: name, workload } = attachment;
  const found = await client.get('WorkloadEndpoint', name, workload.namespace);
  if (!found.ok) return [`the datastore has no WorkloadEndpoint ${workload.namespace}/${name}`];
  const endpoint = found.value;
  if (!belongsTo(endpoint, attachment)) {
    return [`the WorkloadEndpoint ${workload.namespace}/${name} is another container's`];
  }
  const differences: string[] = [];
  for (const address of addresses) {
    const network = Prefix.host(address).toString();
    if (endpoint.spec.ipNetworks?.includes(network) !== true) {
      differences.push(`the WorkloadEndpoint ${workload.namespace}/${name} lacks ${network}`);
    }
    // Who else gave the address answers for it.
    if (endpoint.metadata.annotations?.[ADDRESSES_FROM] !== undefined) continue;
    const holder = await ipam.whoHas(address);
    if (holder?.handle !== attachment.handle) {
      differences.push(
        `${address.toString()} is held by ${holder?.handle ?? 'nobody'}, not ${attachment.handle}`,
      );
    }
  }
  // An agent told not to wait for policy runs without a felix-lite beside it. Any revision will do: a change of the
  // endpoint leaves the policy of before in place until the new one is.
  const isUp = (): boolean => policyWait === 0 || status.read(workload.namespace, name)?.status === 'up';
  if (!(await soon(isUp, clock))) {
    differences.push('felix-lite has not said that the policy is in the kernel');
  }
  return differences;
}

/** What shapes the workload where its endpoint has limits: ours, or the bandwidth plugin's. */
async function checkLimits(
  { host, inventory, clock }: CniPorts,
  { hostInterface, endpoint, workload }: Attachment,
): Promise<string[]> {
  const qos = inventory.endpoint(endpoint, workload.namespace)?.spec.qosControls;
  if (qos === undefined || (await soon(() => host.shaper.shapes(hostInterface, qos), clock))) return [];
  return [`${hostInterface} does not keep the limits of its endpoint`];
}

/** CHECK may come right behind ADD: what others do in their own time gets some. */
async function soon(holds: () => boolean | Promise<boolean>, clock: Clock): Promise<boolean> {
  const deadline = clock.now() + CONVERGENCE;
  for (;;) {
    if (await holds()) return true;
    if (clock.now() >= deadline) return false;
    await new Promise<void>((resolve) => clock.after(PAUSE, 'CHECK waits for others', resolve));
  }
}
