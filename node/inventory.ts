/** What the agent knows of the store without asking: a live mirror of the few kinds that it decides by. */
import type { ClusterInformation, IPPool, Node, WorkloadEndpoint } from '../api/index.ts';
import type { Clock } from '../clock/clock.ts';
import type { Log } from '../daemon/log.ts';
import { Mirror, type Store } from '../datastore/index.ts';
import { type Address, parseInterfaceAddress } from '../net/addr/index.ts';

const KINDS = ['Node', 'IPPool', 'WorkloadEndpoint', 'ClusterInformation'] as const;

export class Inventory {
  readonly #node: string;
  readonly #mirror: Mirror;

  constructor(node: string, store: Store, clock: Clock, log: Log) {
    this.#node = node;
    this.#mirror = new Mirror(
      store,
      KINDS.map((kind) => ({ kind })),
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

  stop(): Promise<void> {
    return this.#mirror.stop();
  }

  /** The endpoints of this node. */
  endpoints(): WorkloadEndpoint[] {
    return this.#all<WorkloadEndpoint>('WorkloadEndpoint').filter(({ spec }) => spec.node === this.#node);
  }

  hasPool(version: 4 | 6): boolean {
    return this.#all<IPPool>('IPPool').some(
      ({ spec }) => spec.disabled !== true && spec.cidr.includes(':') === (version === 6),
    );
  }

  nodeLabels(): Readonly<Record<string, string>> {
    return this.#own()?.metadata.labels ?? {};
  }

  /** Of the node itself, as its BGP peers know it. */
  nodeAddresses(): Address[] {
    const bgp = this.#own()?.spec.bgp;
    return [bgp?.ipv4Address, bgp?.ipv6Address].flatMap((text) =>
      text === undefined ? [] : (parseInterfaceAddress(text)?.address ?? []),
    );
  }

  get hasNode(): boolean {
    return this.#own() !== undefined;
  }

  /** False while a migration holds the datastore; absence of ClusterInformation means ready. */
  get datastoreReady(): boolean {
    return this.#all<ClusterInformation>('ClusterInformation').every(
      ({ spec }) => spec.datastoreReady !== false,
    );
  }

  #own(): Node | undefined {
    return this.#mirror.get({ kind: 'Node', scope: '', name: this.#node })?.value as Node | undefined;
  }

  #all<T>(kind: (typeof KINDS)[number]): T[] {
    return this.#mirror.entries({ kind }).map(({ value }) => value as T);
  }
}
