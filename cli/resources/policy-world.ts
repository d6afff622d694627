/** The cluster as policy sees it, out of the datastore; ends of packets as people name them. */
import type { Resource, WorkloadEndpoint } from '../../api/index.ts';
import { CALC_KINDS } from '../../felix-lite/calc/calculator.ts';
import type { Packet } from '../../felix-lite/explain/packet.ts';
import { STAGED_KINDS } from '../../felix-lite/explain/staged.ts';
import { readResources } from '../../felix-lite/explain/stored.ts';
import type { World } from '../../felix-lite/explain/world.ts';
import { Address, type IpVersion } from '../../net/addr/index.ts';
import { UsageError } from '../command.ts';
import type { OpenStore } from '../store.ts';

const PROTOCOLS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132, icmp: 1, icmpv6: 58 };
const ICMP = 1;
const ICMPV6 = 58;
const ECHO: Readonly<Record<IpVersion, number>> = { 4: 8, 6: 128 };

/** Beside what calc reads: policies on trial, ports that no policy closes, and where services are. */
const MORE_KINDS = [...STAGED_KINDS, 'FelixConfiguration', 'Service'] as const;

/** Everything that decides about packets. */
export async function readPolicyResources({ store }: OpenStore): Promise<readonly Resource[]> {
  const values: unknown[] = [];
  for (const kind of [...CALC_KINDS, ...MORE_KINDS])
    for (const { value } of (await store.list({ kind })).entries) values.push(value);
  return readResources(values);
}

export interface End {
  readonly name: string;
  readonly endpoint: WorkloadEndpoint | undefined;
  readonly addresses: readonly Address[];
}

/** A workload by namespace and pod, or an address, whose owner is asked if it has one. */
export function endOf(world: World, text: string): End {
  const address = Address.parse(text);
  if (address !== undefined) return endAt(world, address);
  const found = world.workloads.find((each) => workloadName(each) === text);
  if (found === undefined)
    throw new UsageError(`there is no workload ${text}: give ${othersLike(world, text)}`);
  return endOfWorkload(world, found);
}

/** Pods of that name elsewhere, for one who had another namespace in mind. */
function othersLike(world: World, text: string): string {
  const pod = text.slice(text.lastIndexOf('/') + 1);
  const others = world.workloads.map(workloadName).filter((name) => name.endsWith(`/${pod}`));
  return others.length === 0
    ? 'NAMESPACE/POD, or an address'
    : others.slice(0, 3).join(' or ') + (others.length > 3 ? `, or one of ${others.length - 3} more` : '');
}

/** Policy knows workloads by their own addresses: a floating IP has become one of these before it is asked. */
function endAt(world: World, address: Address): End {
  const text = address.toString();
  const endpoint = world.workloadAt(address);
  if (endpoint !== undefined) return { name: text, endpoint, addresses: [address] };
  for (const each of world.workloads) {
    const nat = each.spec.ipNATs?.find(({ externalIP }) => externalIP === text);
    const internal = nat === undefined ? undefined : Address.parse(nat.internalIP);
    if (internal === undefined) continue;
    return { name: `${text}, floating IP of ${workloadName(each)}`, endpoint: each, addresses: [internal] };
  }
  return { name: text, endpoint: undefined, addresses: [address] };
}

export function endOfWorkload(world: World, endpoint: WorkloadEndpoint): End {
  const addresses = world.workload(endpoint).prefixes.map((prefix) => prefix.address);
  return { name: workloadName(endpoint), endpoint, addresses };
}

export function workloadName({ metadata, spec }: WorkloadEndpoint): string {
  return `${metadata.namespace ?? ''}/${spec.pod ?? spec.workload ?? metadata.name}`;
}

export interface Asked {
  readonly protocol: number;
  readonly port: number | undefined;
}

export function readAsked(protocol: string, port: number | undefined): Asked {
  const number = PROTOCOLS[protocol.toLowerCase()] ?? Number(protocol);
  if (!Number.isInteger(number) || number < 1 || number > 255)
    throw new UsageError(
      `${protocol} is not a protocol: use tcp, udp, sctp, icmp, or a number from 1 to 255`,
    );
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536))
    throw new UsageError(`${port} is not a port from 1 to 65535`);
  return { protocol: number, port };
}

/** The first packets of connections between two ends, one for each IP version that both have. */
export function packetsBetween(from: End, to: End, { protocol, port }: Asked): readonly Packet[] {
  return ([4, 6] as const).flatMap((version): readonly Packet[] => {
    const source = from.addresses.find((each) => each.version === version);
    const destination = to.addresses.find((each) => each.version === version);
    if (source === undefined || destination === undefined) return [];
    const icmp = protocol === ICMP || protocol === ICMPV6;
    return [
      {
        source,
        destination,
        protocol: protocol === ICMP && version === 6 ? ICMPV6 : protocol,
        ...(port === undefined ? {} : { destinationPort: port }),
        ...(icmp ? { icmpType: ECHO[version], icmpCode: 0 } : {}),
      },
    ];
  });
}
