/**
 * When the collector would rather ask than act: what it sees can be true, and is more likely a datastore that is half
 * restored, a prefix that is not the cluster's, or kinds that the account may not read. Pure.
 */
import type { IPAMBlock } from '../block.ts';
import { type Finding, type FindingKind, nodeOf } from './findings.ts';
import { isWorkload } from './holders.ts';
import type { World } from './world.ts';

export interface Doubt {
  readonly code: 'LOCKED' | 'NO_ENDPOINTS' | 'NO_NODES' | 'MOST_NODES_GONE' | 'MOST_LEAKED' | 'UNREADABLE';
  readonly what: string;
  /** What is left alone because of it; a person may confirm that it is so (`poplin ipam gc --confirm`). */
  readonly holds: readonly FindingKind[];
  /** False where no confirmation helps. */
  readonly confirmable: boolean;
}

/** Fewer than this can all be leaked, or gone, without anything being odd. */
const FEW_ADDRESSES = 20;
const FEW_NODES = 3;

const ADDRESSES: readonly FindingKind[] = ['address'];
const NODES: readonly FindingKind[] = ['endpoint', 'address', 'gone-node'];
const ALL: readonly FindingKind[] = [
  'endpoint',
  'address',
  'rested',
  'handle',
  'lost-affinity',
  'stale-affinity',
  'gone-node',
  'spare-block',
  'nobodys-block',
];

export function doubtsOf(world: World, findings: readonly Finding[]): Doubt[] {
  const doubts: Doubt[] = [];
  const doubt = (
    code: Doubt['code'],
    what: string,
    holds: readonly FindingKind[],
    confirmable = true,
  ): void => void doubts.push({ code, what, holds, confirmable });

  if (world.locked) doubt('LOCKED', 'a migration holds the datastore', ALL, false);
  if (world.unreadable.length > 0) {
    const named = world.unreadable.slice(0, 3).join(', ');
    doubt(
      'UNREADABLE',
      `addresses of ${world.unreadable.length} endpoints cannot be read (${named})`,
      ADDRESSES,
    );
  }

  const workloads = world.blocks.reduce((sum, { value }) => sum + workloadsIn(value), 0);
  const leaked = findings.filter(({ kind }) => kind === 'address').length;
  if (workloads > FEW_ADDRESSES && world.endpoints.length === 0) {
    doubt(
      'NO_ENDPOINTS',
      `${workloads} addresses are held for workloads, and there is no endpoint`,
      ADDRESSES,
    );
  } else if (leaked > FEW_ADDRESSES && leaked > workloads / 2) {
    doubt('MOST_LEAKED', `${leaked} of ${workloads} addresses of workloads look leaked`, ADDRESSES);
  }

  const hosts = hostsOf(world);
  const gone = [...hosts].filter((host) => !world.nodes.has(host)).length;
  if (hosts.size > 0 && world.nodes.size === 0) {
    doubt('NO_NODES', `${hosts.size} nodes have blocks or endpoints, and there is no Node`, NODES);
  } else if (gone > FEW_NODES && gone > hosts.size / 2) {
    doubt('MOST_NODES_GONE', `${gone} of ${hosts.size} nodes with blocks or endpoints are gone`, NODES);
  }
  return doubts;
}

function workloadsIn({ allocations, attributes }: IPAMBlock): number {
  const isOfWorkload = attributes.map(({ secondary }) => isWorkload({ attributes: secondary ?? {} }));
  return allocations.filter((index) => index !== null && isOfWorkload[index] === true).length;
}

function hostsOf({ affinities, endpoints }: World): Set<string> {
  const hosts = new Set<string>();
  for (const { key } of affinities) {
    const node = nodeOf(key.scope);
    if (node !== undefined) hosts.add(node);
  }
  for (const { value } of endpoints) if (value.spec?.node !== undefined) hosts.add(value.spec.node);
  return hosts;
}
