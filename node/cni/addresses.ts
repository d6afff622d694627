/** The addresses of an attachment, from IPAM: those that were asked for, and one of each other family that it gets. */
import {
  formatProblem,
  type IPPool,
  type Labels,
  parseSelector,
  PoplinError,
  unwrap,
} from '../../api/index.ts';
import { CniCode, CniFailure } from '../../cni-plugin/error.ts';
import type { NetConf } from '../../cni-plugin/netconf.ts';
import type { Address, IpVersion } from '../../net/addr/index.ts';
import { ATTACHMENT_ATTRIBUTE, type Attachment } from './attachment.ts';
import type { Guest } from './burst.ts';
import type { CniPorts } from './ports.ts';

/**
 * All of them or none. IPv4 first.
 *
 * @throws CniFailure `noAddress` with IPAM's own reason; PoplinError when the store cannot be reached
 */
export async function takeAddresses(
  ports: CniPorts,
  attachment: Attachment,
  conf: NetConf,
  nodeLabels: Labels,
  guest: Guest,
): Promise<Address[]> {
  const { ipam, client, node } = ports;
  const wish = wishOf(conf, familiesOf(unwrap(await client.list('IPPool')), nodeLabels));
  if (wish.given.length + wish.automatic.length === 0) {
    throw new CniFailure(
      CniCode.noAddress,
      `there is no enabled IPPool that selects node ${node}; create one with: poplin apply -f pool.yaml`,
    );
  }
  const { handle } = attachment;
  const attributes = attributesOf(ports, attachment);
  const { ipv4Pools, ipv6Pools } = conf.ipam;
  await guest.before('addresses');
  try {
    // In one go: what other containers of this moment ask for is written along with it.
    const { v4, v6 } = unwrap(
      await ipam.autoAssign({
        host: node,
        handle,
        attributes,
        addresses: wish.given,
        v4: wish.automatic.includes(4) ? 1 : 0,
        v6: wish.automatic.includes(6) ? 1 : 0,
        ...(ipv4Pools === undefined ? {} : { v4Pools: ipv4Pools }),
        ...(ipv6Pools === undefined ? {} : { v6Pools: ipv6Pools }),
        nodeLabels,
      }),
    );
    return [...v4, ...v6];
  } catch (error) {
    await ipam.releaseByHandle(handle);
    if (error instanceof PoplinError && !error.problems.some(({ code }) => code.startsWith('STORE_'))) {
      throw new CniFailure(CniCode.noAddress, error.problems.map(formatProblem).join('; '));
    }
    throw error;
  }
}

/**
 * Once the endpoint is written, of an ADD that took long: the garbage collector frees addresses that no endpoint has had
 * for a grace period, and does not know of an ADD that is stalled.
 *
 * @throws CniFailure `tryAgainLater` when an address is not the attachment's any more
 */
export async function assertHeld(
  { ipam }: Pick<CniPorts, 'ipam'>,
  { handle }: Pick<Attachment, 'handle'>,
  addresses: readonly Address[],
): Promise<void> {
  for (const address of addresses) {
    const holder = await ipam.whoHas(address);
    if (holder?.handle === handle) continue;
    const now = holder === undefined ? 'free' : `held by ${holder.handle ?? 'nobody'}`;
    throw new CniFailure(
      CniCode.tryAgainLater,
      `attaching took so long that ${address.toString()} was given back, and is ${now} now; the runtime tries again`,
    );
  }
}

/** What is stored beside the addresses: Calico's keys, and ours, by which the sweep knows them. */
function attributesOf({ node, clock }: CniPorts, attachment: Attachment): Record<string, string> {
  const { network, containerId, ifName, workload } = attachment;
  return {
    node,
    namespace: workload.namespace,
    ...(workload.orchestrator === 'k8s' ? { pod: workload.pod } : {}),
    timestamp: clock.wall().toISOString(),
    [ATTACHMENT_ATTRIBUTE]: [network, containerId, ifName].join('/'),
  };
}

interface Wish {
  readonly given: readonly Address[];
  /** Versions of which any address will do. */
  readonly automatic: readonly IpVersion[];
}

/** A family is wanted when the configuration says so, or names pools of it, or says nothing and there is a pool. Pure. */
export function wishOf(conf: NetConf, families: ReadonlySet<IpVersion>): Wish {
  const said = { 4: conf.ipam.assignIPv4, 6: conf.ipam.assignIPv6 };
  const named = { 4: conf.ipam.ipv4Pools, 6: conf.ipam.ipv6Pools };
  const automatic = ([4, 6] as const).filter(
    (version) =>
      (said[version] ?? (named[version] !== undefined || families.has(version))) &&
      !conf.requestedIps.some((address) => address.version === version),
  );
  return { given: conf.requestedIps, automatic };
}

/**
 * The IP versions a workload gets when its configuration does not say: those of the pools that would give this node an
 * address unasked, being enabled, automatic, for workloads, and selecting the node. Pure.
 */
export function familiesOf(pools: readonly IPPool[], nodeLabels: Labels): ReadonlySet<IpVersion> {
  const fitting = pools.filter(
    ({ spec }) =>
      spec.disabled !== true &&
      spec.assignmentMode === 'Automatic' &&
      spec.allowedUses.includes('Workload') &&
      selects(spec.nodeSelector, nodeLabels),
  );
  return new Set(fitting.map(({ spec }) => (spec.cidr.includes(':') ? 6 : 4)));
}

function selects(selector: string, labels: Labels): boolean {
  const parsed = parseSelector(selector);
  return parsed.ok && parsed.value.matches(labels);
}
