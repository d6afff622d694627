/**
 * What the agent knows of the store without asking: a live mirror of the few kinds that it answers questions from, and of
 * nodes and endpoints only its own, since a cluster has a hundred thousand others. It may be a moment behind, so what ADD
 * decides by (pools, its Node) is read from the store itself.
 */
import {
  type ClusterInformation,
  type DeviceRoutes,
  deviceRoutes,
  type FelixConfiguration,
  type IPPool,
  type Node,
  readStored,
  type WorkloadEndpoint,
} from '../api/index.ts';
import type { Clock } from '../clock/clock.ts';
import type { Log } from '../daemon/log.ts';
import { Mirror, type Store } from '../datastore/index.ts';

/** Of these, all. */
const KINDS = ['IPPool', 'ClusterInformation', 'FelixConfiguration'] as const;
/** Of these, what is of this node. */
const OWN_KINDS = ['Node', 'WorkloadEndpoint'] as const;

export class Inventory {
  readonly #node: string;
  readonly #mirror: Mirror;

  constructor(node: string, store: Store, clock: Clock, log: Log) {
    this.#node = node;
    this.#mirror = new Mirror(
      store,
      [...KINDS.map((kind) => ({ kind })), ...OWN_KINDS.map((kind) => ({ kind, node }))],
      {
        clock,
        onError: (error, retryInMs) =>
          log.warn({ error: String(error), retryInMs }, 'cannot follow the datastore'),
      },
    );
  }

  /** Resolves once the world is known in full. */
  start(): Promise<void> {
    this.#mirror.start();
    return new Promise((resolve) => void this.#mirror.onSync(resolve));
  }

  /** Calls back when pools have changed, or our Node has. @returns ends it */
  onPools(changed: () => void): () => void {
    return this.#mirror.onChange((changes) => {
      const ours = changes.some(
        ({ key }) => key.kind === 'IPPool' || (key.kind === 'Node' && key.name === this.#node),
      );
      if (ours) changed();
    });
  }

  /** Calls back for each endpoint of this node that is new or has changed. @returns ends it */
  onEndpoints(changed: (endpoint: WorkloadEndpoint) => void): () => void {
    return this.#mirror.onChange((changes) => {
      for (const { key, value } of changes) {
        const endpoint = value as WorkloadEndpoint | undefined;
        if (key.kind === 'WorkloadEndpoint' && endpoint?.spec.node === this.#node) changed(endpoint);
      }
    });
  }

  stop(): Promise<void> {
    return this.#mirror.stop();
  }

  /** The endpoints of this node. */
  endpoints(): WorkloadEndpoint[] {
    return this.#all<WorkloadEndpoint>('WorkloadEndpoint').filter(({ spec }) => spec.node === this.#node);
  }

  endpoint(name: string, namespace: string): WorkloadEndpoint | undefined {
    const entry = this.#mirror.get({ kind: 'WorkloadEndpoint', scope: namespace, name });
    return entry?.value as WorkloadEndpoint | undefined;
  }

  pools(): IPPool[] {
    return this.#all<IPPool>('IPPool');
  }

  /** How routes to workloads are made on this node; felix-lite keeps them so. */
  deviceRoutes(): DeviceRoutes {
    return deviceRoutes(this.felix());
  }

  /** FelixConfiguration as it applies here. */
  felix(): FelixConfiguration['spec'] {
    const spec = (name: string): FelixConfiguration['spec'] => {
      const read = readStored(this.#mirror.get({ kind: 'FelixConfiguration', scope: '', name })?.value);
      return read.ok && read.value.kind === 'FelixConfiguration' ? read.value.spec : {};
    };
    return { ...spec('default'), ...spec(`node.${this.#node}`) };
  }

  /** Ranges that Kubernetes gave this node. */
  get podCidrs(): readonly string[] {
    const entry = this.#mirror.get({ kind: 'Node', scope: '', name: this.#node });
    return (entry?.value as Node | undefined)?.status?.podCIDRs ?? [];
  }

  get hasNode(): boolean {
    return this.#mirror.get({ kind: 'Node', scope: '', name: this.#node }) !== undefined;
  }

  /** False while a migration holds the datastore; absence of ClusterInformation means ready. */
  get datastoreReady(): boolean {
    return this.#all<ClusterInformation>('ClusterInformation').every(
      ({ spec }) => spec.datastoreReady !== false,
    );
  }

  #all<T>(kind: (typeof KINDS)[number] | 'WorkloadEndpoint'): T[] {
    return this.#mirror.entries({ kind }).map(({ value }) => value as T);
  }
}
