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

const OF_SERVICES: ReadonlySet<string> = new Set(['Service', 'EndpointSlice']);

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

  /**
   * @returns false when no configuration can be another for it: in a large cluster nodes say several times a second that they
   *   are well, and endpoints of services come and go all day
   */
  apply(changes: readonly ObjectChange[]): boolean {
    let matters = false;
    for (const { key, value } of changes) {
      if (value === undefined) this.#remove(key);
      else if (key.kind === 'BlockAffinity') this.#takeAffinity(key, value);
      else if (!this.#takeResource(key, value)) continue;
      matters ||= !OF_SERVICES.has(key.kind) || this.#tellsServices();
    }
    return matters;
  }

  #tellsServices(): boolean {
    return this.#of('BGPConfiguration').some(({ spec }) =>
      [spec.serviceClusterIPs, spec.serviceExternalIPs, spec.serviceLoadBalancerIPs].some(
        (ranges = []) => ranges.length > 0,
      ),
    );
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

  /** @returns whether it says anything else than before */
  #takeResource(key: Key, value: unknown): boolean {
    const name = keyText(key);
    const read = readStored(value);
    if (!read.ok) {
      this.#problems.set(name, read.problems);
      return true;
    }
    const before = this.#resources.get(name);
    this.#resources.set(name, read.value);
    const mended = this.#problems.delete(name);
    return mended || before === undefined || !isSameNode(before, read.value);
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

/** The status of a Node says how it is, several times a minute. */
function isSameNode(before: Resource, after: Resource): boolean {
  return before.kind === 'Node' && after.kind === 'Node' && withoutStatus(before) === withoutStatus(after);
}

function withoutStatus({ metadata: { labels, annotations }, spec }: ResourceOf<'Node'>): string {
  return JSON.stringify([labels, annotations, spec]);
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
