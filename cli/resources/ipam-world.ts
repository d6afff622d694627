/** All that ipam check compares, and what does not add up in it. */
import type { IPPool, Node, WorkloadEndpoint } from '../../api/index.ts';
import type { Entry } from '../../datastore/index.ts';
import {
  findingsOf as garbageIn,
  type Finding as Garbage,
  type World,
  worldOf,
} from '../../ipam/gc/index.ts';
import {
  type AllocationView,
  auditBlocks,
  auditIpam,
  type BlockView,
  type Cooldown,
  type HandleView,
} from '../../ipam/index.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import type { Finding } from './ipam-findings.ts';
import { usageOf } from './usage.ts';

export interface CheckedIpam {
  readonly pools: readonly IPPool[];
  readonly nodes: ReadonlyMap<string, Node>;
  readonly endpoints: readonly Entry<WorkloadEndpoint>[];
  /** Those that can be read. */
  readonly blocks: readonly BlockView[];
  readonly handles: readonly HandleView[];
  /** Revisions of handles, by name: one that has changed since a report is not deleted. */
  readonly revisions: ReadonlyMap<string, string>;
  /** By address, as calicoctl names them: `Workload(namespace/name)`, `Node(name)`. */
  readonly owners: ReadonlyMap<string, readonly string[]>;
  /** Addresses that are taken and that nobody has. */
  readonly leaked: ReadonlySet<string>;
  readonly findings: readonly Finding[];
}

/**
 * Pure.
 *
 * @param entries  of IPAM, as they are stored
 */
export function checkIpam(
  entries: readonly Entry[],
  pools: readonly IPPool[],
  users: Parameters<typeof worldOf>[2],
  cooldown: Cooldown,
): CheckedIpam {
  const world = worldOf(entries, false, users, cooldown);
  const { blocks, handles } = auditIpam(entries);
  const owners = ownersOf(world);
  const garbage = garbageIn(world);
  const leaked = new Set(
    garbage.flatMap((finding) => (finding.kind === 'address' ? [finding.address.toString()] : [])),
  );
  const readable = new Set(world.handles.map(({ key }) => key.name));
  return {
    pools,
    nodes: world.nodes,
    endpoints: world.endpoints,
    blocks,
    handles,
    revisions: new Map(world.handles.map(({ key, revision }) => [key.name, revision])),
    owners,
    leaked,
    findings: [
      ...garbage.flatMap(toFinding),
      ...compareUsers(owners, blocks),
      ...usageOf(pools, blocks).orphans.map(({ cidr }): Finding => {
        return { kind: 'orphaned-block', what: cidr.toString(), why: 'no IPPool contains this block' };
      }),
      ...auditBlocks(entries.filter(({ key }) => key.kind === 'IPAMBlock')).map(
        ({ resource = '', what }): Finding => ({ kind: 'inconsistent', what: resource, why: what }),
      ),
      ...entries
        .filter(({ key }) => key.kind === 'IPAMHandle' && !readable.has(key.name))
        .map(
          ({ key }): Finding => ({ kind: 'inconsistent', what: key.name, why: 'the handle cannot be read' }),
        ),
    ],
  };
}

/** No fault is a spare block, which the collector gives back so that others may have it, and what has rested. */
function toFinding(garbage: Garbage): Finding[] {
  const { kind, why } = garbage;
  switch (kind) {
    case 'address': {
      const held = `held by ${garbage.handle ?? 'no handle'}, used by no workload endpoint or node`;
      return [{ kind: 'leaked', what: garbage.address.toString(), why: `${held}: ${why}` }];
    }
    case 'handle':
      return [{ kind: 'wrong-handle', what: garbage.handle, why }];
    case 'endpoint':
      return [{ kind, what: `${garbage.namespace}/${garbage.name}`, why }];
    case 'lost-affinity':
    case 'stale-affinity':
    case 'gone-node':
    case 'nobodys-block':
      return [
        { kind, what: garbage.cidr, why: kind === 'stale-affinity' ? `${garbage.owner}: ${why}` : why },
      ];
    case 'spare-block':
    case 'rested':
      return [];
  }
}

function compareUsers(
  owners: ReadonlyMap<string, readonly string[]>,
  blocks: readonly BlockView[],
): Finding[] {
  const taken = new Set(
    blocks.flatMap(({ allocations }) => allocations.map(({ address }) => address.toString())),
  );
  return [...owners].flatMap(([what, names]): Finding[] => {
    const why = `used by ${names.join(' and ')}`;
    return [
      ...(names.length > 1 ? [{ kind: 'doubled', what, why } as const] : []),
      ...(taken.has(what) ? [] : [{ kind: 'untaken', what, why: `${why}, held by nobody` } as const]),
    ];
  });
}

function ownersOf({ endpoints, nodes }: World): Map<string, string[]> {
  const owners = new Map<string, string[]>();
  const add = (address: string, owner: string): void =>
    void owners.set(address, [...(owners.get(address) ?? []), owner]);
  for (const [name, node] of nodes)
    for (const address of tunnelAddressesOf(node)) add(address, `Node(${name})`);
  for (const { key, value } of endpoints) {
    for (const network of value.spec?.ipNetworks ?? []) {
      const text = network.split('/')[0] ?? '';
      add(Address.parse(text)?.toString() ?? network, `Workload(${key.scope}/${key.name})`);
    }
  }
  return owners;
}

function tunnelAddressesOf({ spec }: Node): Set<string> {
  const said = [
    spec.bgp?.ipv4IPIPTunnelAddr,
    spec.ipv4VXLANTunnelAddr,
    spec.ipv6VXLANTunnelAddr,
    spec.wireguard?.interfaceIPv4Address,
    spec.wireguard?.interfaceIPv6Address,
  ];
  return new Set(said.flatMap((text) => (text === undefined ? [] : (Address.parse(text)?.toString() ?? []))));
}

/** Inside a pool that gives addresses. */
export function isInActivePool(pools: readonly IPPool[], address: string): boolean {
  const parsed = Address.parse(address);
  return (
    parsed !== undefined &&
    pools.some(({ spec }) => spec.disabled !== true && Prefix.parse(spec.cidr)?.contains(parsed) === true)
  );
}

/** As calicoctl prints who holds an address. */
export function attributesText({ handle, attributes }: AllocationView): string {
  const pairs = Object.entries(attributes)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  return `Main:${handle ?? '<none>'} Extra:${pairs.join(',')}`;
}
