/** What the garbage collector looks at: all of IPAM, and who uses addresses. Pure. */
import type { Node, WorkloadEndpoint } from '../../api/index.ts';
import type { Entry } from '../../datastore/store.ts';
import { parseInterfaceAddress } from '../../net/addr/index.ts';
import type { IPAMBlock } from '../block.ts';
import type { IPAMHandle } from '../handle.ts';

/** Users of addresses. May lag behind the store when looking; read from it when something is to be released. */
export interface Users {
  readonly nodes: ReadonlyMap<string, Node>;
  readonly endpoints: readonly Entry<WorkloadEndpoint>[];
  /** Text of every address that an endpoint has. */
  readonly used: ReadonlySet<string>;
  /** Pods (`namespace/name`) that are there and do not say their address yet. */
  readonly awaiting: ReadonlySet<string>;
  /** Endpoints whose addresses cannot be read: what they use is not known. */
  readonly unreadable: readonly string[];
}

export interface World extends Users {
  /** Only those that have the form of their kind, with what has rested long enough as free. */
  readonly blocks: readonly Entry<IPAMBlock>[];
  /** How many addresses of a block have rested long enough and are not stored as free. */
  readonly rested: ReadonlyMap<string, number>;
  readonly affinities: readonly Entry<{ readonly state?: string }>[];
  readonly handles: readonly Entry<IPAMHandle>[];
  /** CIDRs of blocks that cannot be read: whatever refers to one is left alone. */
  readonly illFormed: ReadonlySet<string>;
  /** A migration holds the datastore: what is not imported yet looks like garbage. */
  readonly locked: boolean;
}

export function usersOf(nodes: readonly Entry<Node>[], endpoints: readonly Entry<WorkloadEndpoint>[]): Users {
  const used = new Set<string>();
  const awaiting = new Set<string>();
  const unreadable: string[] = [];
  for (const { key, value } of endpoints) {
    const { spec } = value as Partial<WorkloadEndpoint>;
    const networks = spec?.ipNetworks ?? [];
    const addresses = networks.map(addressText);
    for (const address of addresses) if (address !== undefined) used.add(address);
    if (spec === undefined || addresses.includes(undefined)) unreadable.push(`${key.scope}/${key.name}`);
    else if (networks.length === 0 && spec.pod !== undefined) awaiting.add(`${key.scope}/${spec.pod}`);
  }
  return {
    nodes: new Map(nodes.map((entry) => [entry.key.name, entry.value])),
    endpoints,
    used,
    awaiting,
    unreadable,
  };
}

/** Most are like this, and are canonical then: a cluster has hundreds of thousands. */
const HOST_V4 = /^((?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3})\/32$/;

function addressText(network: string): string | undefined {
  return HOST_V4.exec(network)?.[1] ?? parseInterfaceAddress(network)?.address.toString();
}
