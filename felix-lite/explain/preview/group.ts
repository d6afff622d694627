/** Those at the ends of flows that no policy can tell apart. */
import type { WorkloadEndpoint } from '../../../api/index.ts';
import type { Addresses, Guarded } from './hosts.ts';

export interface Peers {
  /** Of those that are alike; the names of all, in order. */
  readonly names: readonly string[];
  /** One of them, and another where there is one: by these the flows are judged. */
  readonly members: readonly Member[];
  /** Where they are; empty outside. */
  readonly nodes: ReadonlySet<string>;
  /** Through which interfaces of the host workloads are reached; empty where it makes no difference. */
  readonly doors: readonly Door[];
}

export interface Member {
  readonly addresses: Addresses;
  /** As it is before and after. */
  readonly workload?: readonly [WorkloadEndpoint, WorkloadEndpoint];
  /** The endpoint by which the host is reached, before and after. */
  readonly host?: Guarded['endpoints'];
}

/** Interfaces of a host that are guarded alike. */
export interface Door {
  readonly name: string;
  readonly endpoints: Guarded['endpoints'];
}

export interface Group {
  readonly names: string[];
  readonly members: Member[];
  readonly nodes: Set<string>;
  readonly doors: readonly Door[];
}

export function newGroup(doors: readonly Door[] = []): Group {
  return { names: [], members: [], nodes: new Set(), doors };
}
