/** What does not add up between the addresses that are taken and those that are used. Pure. */
import type { WorkloadEndpoint } from '../../api/index.ts';
import type { AllocationView } from '../../ipam/index.ts';
import { Prefix } from '../../net/addr/index.ts';

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

/** Taken for a workload, so that an endpoint must have it. Others (tunnels, load balancers) have none. */
export function isWorkload({ attributes }: AllocationView): boolean {
  return attributes['pod'] !== undefined || attributes['cni-attachment'] !== undefined;
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
