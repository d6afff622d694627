/** A node for packet tests: a network of namespaces, a datastore, and felix-lite on it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Resource, validate } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { silent } from '../../daemon/log.ts';
import { EmbeddedStore } from '../../datastore/embedded/embedded.ts';
import { type Key, type Store, keyText } from '../../datastore/index.ts';
import { Felix } from '../../felix-lite/daemon/felix.ts';
import { run } from '../../net/kernel/index.ts';
import { TestNetwork, addressesOf, interfaceOf } from './network.ts';
import type { Prober } from './prober.ts';

export { OUTSIDE, PORTS, addressesOf, interfaceOf } from './network.ts';

export const NODE = 'a1';

export interface Workload {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly index: number;
}

export const WEB: Workload = { name: 'web', namespace: 'prod', labels: { role: 'web' }, index: 1 };
export const DB: Workload = { name: 'db', namespace: 'prod', labels: { role: 'db' }, index: 2 };

let count = 0;

export class TestNode {
  readonly store: Store;
  readonly network: TestNetwork;
  readonly #folder: string;
  #felix: Felix | undefined;

  private constructor(store: Store, network: TestNetwork, folder: string) {
    this.store = store;
    this.network = network;
    this.#folder = folder;
  }

  /** @param open  the datastore, if not one of the node's own in a file */
  static async create(
    workloads: readonly Workload[],
    open: (folder: string) => Promise<Store> = (folder) => EmbeddedStore.open(join(folder, 'datastore.db')),
  ): Promise<TestNode> {
    const network = await TestNetwork.create(`pfx${process.pid}-${++count}`, workloads);
    const folder = mkdtempSync(join(tmpdir(), 'poplin-felix-'));
    return new TestNode(await open(folder), network, folder);
  }

  get netns(): string {
    return this.network.netns;
  }

  get datastore(): string {
    return join(this.#folder, 'datastore.db');
  }

  get runDir(): string {
    return this.#folder;
  }

  get felix(): Felix {
    if (this.#felix === undefined) throw new Error('felix-lite is not running');
    return this.#felix;
  }

  /** @param store  the same datastore by another way, if not by ours */
  async startFelix(store: Store = this.store): Promise<void> {
    this.#felix = new Felix({
      node: NODE,
      store,
      runDir: this.#folder,
      clock: new SystemClock(),
      log: silent,
      netns: this.netns,
    });
    this.#felix.start();
    await this.settled();
  }

  async stopFelix(): Promise<void> {
    await this.#felix?.stop();
    this.#felix = undefined;
  }

  /** Puts resources as they are, in one commit. */
  async put(...resources: readonly object[]): Promise<void> {
    const operations = resources.map(valid).map((value) => ({
      type: 'put' as const,
      key: { kind: value.kind, scope: value.metadata.namespace ?? '', name: value.metadata.name },
      value,
      expect: 'any' as const,
    }));
    const committed = await this.store.commit(operations);
    if (!committed.ok) throw new Error('refused');
  }

  /** Takes away the one and puts the other in one commit, so that no revision lies between. */
  async exchange(before: readonly object[], after: readonly object[]): Promise<void> {
    const put = after
      .map(valid)
      .map((value) => ({ type: 'put' as const, key: keyOf(value), value, expect: 'any' as const }));
    const kept = new Set(put.map((each) => keyText(each.key)));
    const gone = before
      .map(valid)
      .map(keyOf)
      .filter((each) => !kept.has(keyText(each)));
    const committed = await this.store.commit([
      ...gone.map((each) => ({ type: 'delete' as const, key: each, expect: 'any' as const })),
      ...put,
    ]);
    if (!committed.ok) throw new Error('refused');
  }

  async delete(...resources: readonly object[]): Promise<void> {
    const operations = resources.map(valid).map(({ kind, metadata }) => ({
      type: 'delete' as const,
      key: { kind, scope: metadata.namespace ?? '', name: metadata.name },
      expect: 'any' as const,
    }));
    if (operations.length > 0) await this.store.commit(operations);
  }

  /** Waits until the kernel has the newest revision. */
  async settled(patienceMs = 60_000): Promise<void> {
    const wanted = await this.store.revision();
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const { appliedRevision, ready, lastError } = this.felix.status();
      if (ready && appliedRevision === wanted) return;
      if (performance.now() > deadline)
        throw new Error(`not settled at ${wanted}: ${lastError ?? appliedRevision ?? ''}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  prober(name: string): Prober {
    return this.network.prober(name);
  }

  async run(program: string, ...args: readonly string[]): Promise<string> {
    return (await run(program, args, { netns: this.netns })).stdout;
  }

  async remove(): Promise<void> {
    await this.stopFelix();
    this.network.remove();
    await this.store.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function keyOf({ kind, metadata }: Resource): Key {
  return { kind, scope: metadata.namespace ?? '', name: metadata.name };
}

export function endpointOf({ name, namespace, labels, index }: Workload): Resource {
  const addresses = addressesOf(index);
  return valid({
    apiVersion: 'projectcalico.org/v3',
    kind: 'WorkloadEndpoint',
    metadata: { name: `${NODE}-k8s-${name}-eth0`, namespace, labels },
    spec: {
      orchestrator: 'k8s',
      node: NODE,
      pod: name,
      endpoint: 'eth0',
      interfaceName: interfaceOf(index),
      ipNetworks: [`${addresses[4]}/32`, `${addresses[6]}/128`],
      profiles: [`kns.${namespace}`],
      ports: [
        { name: 'http', protocol: 'TCP', port: 8080 },
        { name: 'signals', protocol: 'SCTP', port: 9090 },
      ],
    },
  });
}

export function valid(value: object): Resource {
  const read = validate(value);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.value;
}

export function openProfile(namespace: string): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'Profile',
    metadata: { name: `kns.${namespace}` },
    spec: {
      ingress: [{ action: 'Allow' }],
      egress: [{ action: 'Allow' }],
      labelsToApply: { 'pcns.name': namespace },
    },
  };
}

/** A NetworkPolicy of the namespace that WEB and DB are in. */
export function np(name: string, spec: object): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: 'prod' },
    spec,
  };
}

/** DB takes TCP from WEB on these ports, and nothing else from anybody. */
export function dbFromWeb(...ports: readonly (number | string)[]): object {
  return np('db', {
    selector: "role == 'db'",
    ingress: [
      { action: 'Allow', protocol: 'TCP', source: { selector: "role == 'web'" }, destination: { ports } },
    ],
  });
}
