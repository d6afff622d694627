/**
 * The datastore's objects as the resources that `cluster` computes with. An object that cannot be read keeps its last
 * readable form, and its problem is told: a typing error in one resource takes nothing down.
 */
import { type Problem, readStored, type Resource, type ResourceOf, type Kind } from '../../api/index.ts';
import { type Key, keyText, type Selection } from '../../datastore/index.ts';
import { Prefix } from '../../net/addr/index.ts';
import type { Affinity, ClusterResources } from '../cluster/index.ts';

const RESOURCE_KINDS = [
  'Node',
  'BGPConfiguration',
  'BGPPeer',
  'BGPFilter',
  'FelixConfiguration',
  'IPPool',
  'Service',
  'EndpointSlice',
] as const;

/** What the bgpd of a node follows in the datastore. */
export function selectionsOf(node: string): readonly Selection[] {
  return [
    ...RESOURCE_KINDS.map((kind) => ({ kind })),
    { kind: 'BlockAffinity' },
    { kind: 'WorkloadEndpoint', node },
  ];
}

export interface ObjectChange {
  readonly key: Key;
  /** Undefined: the object is gone. */
  readonly value: unknown;
}

export class World {
  readonly #resources = new Map<string, Resource>();
  readonly #affinities = new Map<string, Affinity>();
  readonly #problems = new Map<string, readonly Problem[]>();

  apply(changes: readonly ObjectChange[]): void {
    for (const { key, value } of changes) {
      if (value === undefined) this.#remove(key);
      else if (key.kind === 'BlockAffinity') this.#takeAffinity(key, value);
      else this.#takeResource(key, value);
    }
  }

  /** What stands in the datastore and cannot be used as it stands. */
  get problems(): readonly Problem[] {
    return [...this.#problems.values()].flat();
  }

  resources(): ClusterResources {
    return {
      nodes: this.#of('Node'),
      bgpConfigurations: this.#of('BGPConfiguration'),
      bgpPeers: this.#of('BGPPeer'),
      bgpFilters: this.#of('BGPFilter'),
      felixConfigurations: this.#of('FelixConfiguration'),
      ipPools: this.#of('IPPool'),
      services: this.#of('Service'),
      endpointSlices: this.#of('EndpointSlice'),
      workloadEndpoints: this.#of('WorkloadEndpoint'),
      affinities: [...this.#affinities.values()],
    };
  }

  #of<K extends Kind>(kind: K): ResourceOf<K>[] {
    return [...this.#resources.values()].filter(
      (resource): resource is ResourceOf<K> => resource.kind === kind,
    );
  }

  #remove(key: Key): void {
    const name = keyText(key);
    this.#resources.delete(name);
    this.#affinities.delete(name);
    this.#problems.delete(name);
  }

  #takeResource(key: Key, value: unknown): void {
    const name = keyText(key);
    const read = readStored(value);
    if (read.ok) {
      this.#resources.set(name, read.value);
      this.#problems.delete(name);
    } else this.#problems.set(name, read.problems);
  }

  #takeAffinity(key: Key, value: unknown): void {
    const name = keyText(key);
    const affinity = affinityOf(key, value);
    if (affinity === undefined) this.#problems.set(name, [unreadable(name, value)]);
    else {
      this.#affinities.set(name, affinity);
      this.#problems.delete(name);
    }
  }
}

/** Undefined for what is no affinity of a host; those of another type (`virtual:`) are read and never ours. */
function affinityOf(key: Key, value: unknown): Affinity | undefined {
  const block = Prefix.parse(key.name);
  if (block === undefined || typeof value !== 'object' || value === null) return undefined;
  // An empty value is read as confirmed (calico-data-model §6.2).
  const state = 'state' in value ? value.state : 'confirmed';
  if (typeof state !== 'string') return undefined;
  const host = 'host:';
  return { node: key.scope.startsWith(host) ? key.scope.slice(host.length) : '', block, state };
}

function unreadable(resource: string, value: unknown): Problem {
  return {
    code: 'RESOURCE_INVALID',
    resource,
    value,
    what: 'this is no block affinity: its name is a CIDR and its value has a state',
    remedy: 'repair or delete it',
  };
}
