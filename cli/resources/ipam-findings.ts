/** What does not add up between the addresses that are taken and those that are used. Pure. */
import type { IPPool, WorkloadEndpoint } from '../../api/index.ts';
import type { AllocationView, BlockView, HandleView } from '../../ipam/index.ts';
import { Prefix } from '../../net/addr/index.ts';
import { usageOf } from './usage.ts';

/** One thing that does not add up. */
export interface Finding {
  readonly kind:
    | 'leaked'
    | 'untaken'
    | 'doubled'
    | 'orphaned-block'
    | 'wrong-handle'
    | 'endpoint'
    | 'lost-affinity'
    | 'stale-affinity'
    | 'gone-node'
    | 'nobodys-block'
    | 'inconsistent';
  /** An address, a block or a handle. */
  readonly what: string;
  readonly why: string;
}

/** All that IPAM and the endpoints are, read one after the other. */
export interface IpamWorld {
  readonly pools: readonly IPPool[];
  readonly blocks: readonly BlockView[];
  readonly handles: readonly HandleView[];
  readonly endpoints: readonly WorkloadEndpoint[];
}

export function findingsOf({ pools, blocks, handles, endpoints }: IpamWorld): Finding[] {
  return [
    ...compareAddresses(blocks, endpoints),
    ...usageOf(pools, blocks).orphans.map(
      ({ cidr }): Finding => ({
        kind: 'orphaned-block',
        what: cidr.toString(),
        why: 'no IPPool contains this block',
      }),
    ),
    ...compareHandles(blocks, handles),
  ];
}

/** Taken for a workload, so that an endpoint must have it. Others (tunnels, load balancers) have none. */
export function isWorkload({ attributes }: AllocationView): boolean {
  return attributes['pod'] !== undefined || attributes['cni-attachment'] !== undefined;
}

function compareAddresses(blocks: readonly BlockView[], endpoints: readonly WorkloadEndpoint[]): Finding[] {
  const users = usersByAddress(endpoints);
  const findings: Finding[] = [];
  const taken = new Set<string>();
  for (const allocation of blocks.flatMap(({ allocations }) => allocations)) {
    const text = allocation.address.toString();
    taken.add(text);
    if (isWorkload(allocation) && !users.has(text)) {
      findings.push({
        kind: 'leaked',
        what: text,
        why: `held by ${allocation.handle ?? 'no handle'}, used by no workload endpoint`,
      });
    }
  }
  for (const [address, names] of users) {
    if (names.length > 1)
      findings.push({ kind: 'doubled', what: address, why: `used by ${names.join(' and ')}` });
    if (!taken.has(address)) {
      findings.push({ kind: 'untaken', what: address, why: `used by ${names.join(', ')}, held by nobody` });
    }
  }
  return findings;
}

/** Names (`namespace/name`) of the endpoints that have an address. */
export function usersByAddress(endpoints: readonly WorkloadEndpoint[]): Map<string, string[]> {
  const users = new Map<string, string[]>();
  for (const { metadata, spec } of endpoints) {
    for (const network of spec.ipNetworks ?? []) {
      const address = Prefix.parse(network)?.address.toString() ?? network;
      users.set(address, [...(users.get(address) ?? []), `${metadata.namespace}/${metadata.name}`]);
    }
  }
  return users;
}

/** A handle may count more than there is after a crash; it may never count less. */
function compareHandles(blocks: readonly BlockView[], handles: readonly HandleView[]): Finding[] {
  const held = new Map<string, number>();
  for (const { cidr, allocations } of blocks) {
    for (const { handle } of allocations) {
      if (handle === undefined) continue;
      const key = keyOf(handle, cidr.toString());
      held.set(key, (held.get(key) ?? 0) + 1);
    }
  }
  const said = new Map(
    handles.flatMap(({ handle, counts }) =>
      counts.map(({ cidr, count }) => [keyOf(handle, cidr), count] as const),
    ),
  );
  return [...new Set([...held.keys(), ...said.keys()])].flatMap((key): Finding[] => {
    const [handle = '', cidr = ''] = key.split('\0');
    const counted = said.get(key) ?? 0;
    const there = held.get(key) ?? 0;
    if (counted === there) return [];
    return [
      {
        kind: 'wrong-handle',
        what: handle,
        why: `counts ${counted} addresses in ${cidr}, which has ${there} of it`,
      },
    ];
  });
}

function keyOf(handle: string, cidr: string): string {
  return `${handle}\0${cidr}`;
}
