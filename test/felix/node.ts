/**
 * A node for packet tests: a namespace that routes, a namespace for each workload behind a `cali…` veth, one
 * outside machine behind an uplink. Wired as the CNI plugin wires, without it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Resource, validate } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { silent } from '../../daemon/log.ts';
import { EmbeddedStore } from '../../datastore/embedded/embedded.ts';
import { type Key, type Store, keyText } from '../../datastore/index.ts';
import { Felix } from '../../felix-lite/daemon/felix.ts';
import { createNamespace, deleteNamespace, namespacePath, run } from '../../net/kernel/index.ts';
import { Prober } from './prober.ts';

export const NODE = 'a1';
export const PORTS = [8080, 9090] as const;
export const OUTSIDE = { 4: '198.51.100.2', 6: 'fd99::2' } as const;

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
  readonly probers = new Map<string, Prober>();
  readonly #id = `pfx${process.pid}-${++count}`;
  readonly #namespaces: string[] = [];
  readonly #folder: string;
  #felix: Felix | undefined;

  private constructor(store: Store, folder: string) {
    this.store = store;
    this.#folder = folder;
  }

  static async create(workloads: readonly Workload[]): Promise<TestNode> {
    const folder = mkdtempSync(join(tmpdir(), 'poplin-felix-'));
    const node = new TestNode(await EmbeddedStore.open(join(folder, 'datastore.db')), folder);
    await node.#wire(workloads);
    return node;
  }

  get netns(): string {
    return namespacePath(this.#id);
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

  async startFelix(patienceMs?: number): Promise<void> {
    this.#felix = new Felix({
      node: NODE,
      store: this.store,
      runDir: this.#folder,
      clock: new SystemClock(),
      log: silent,
      netns: this.netns,
    });
    this.#felix.start();
    await this.settled(patienceMs);
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
  async settled(patienceMs = 8000): Promise<void> {
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

  /** A workload comes back with the address of another index, on the interface that it had. */
  async readdress({ name, index }: Workload, to: number): Promise<void> {
    const [before, after] = [addressesOf(index), addressesOf(to)];
    const host = interfaceOf(index);
    await this.#ip(
      `${this.#id}-${name}`,
      // The new one first: with its last address an interface loses its routes.
      `address add ${after[4]}/32 dev eth0`,
      `address add ${after[6]}/128 dev eth0 nodad`,
      `address delete ${before[4]}/32 dev eth0`,
      `address delete ${before[6]}/128 dev eth0`,
    );
    await this.#ip(
      this.#id,
      `route delete ${before[4]}/32 dev ${host}`,
      `route delete ${before[6]}/128 dev ${host}`,
      `route add ${after[4]}/32 dev ${host} scope link`,
      `route add ${after[6]}/128 dev ${host}`,
    );
  }

  prober(name: string): Prober {
    const prober = this.probers.get(name);
    if (prober === undefined) throw new Error(`no prober ${name}`);
    return prober;
  }

  async run(program: string, ...args: readonly string[]): Promise<string> {
    return (await run(program, args, { netns: this.netns })).stdout;
  }

  async remove(): Promise<void> {
    await this.stopFelix();
    for (const prober of this.probers.values()) await prober.close();
    for (const name of this.#namespaces) deleteNamespace(name);
    await this.store.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #wire(workloads: readonly Workload[]): Promise<void> {
    this.#namespace(this.#id);
    await this.#ip(this.#id, 'link set lo up');
    for (const workload of workloads) await this.#wireWorkload(workload);
    await this.#wireOutside();
    await Promise.all(
      [...this.probers.values()].flatMap((prober) => PORTS.map((port) => prober.listen(port))),
    );
  }

  async #wireWorkload({ name, index }: Workload): Promise<void> {
    const netns = this.#namespace(`${this.#id}-${name}`);
    const host = interfaceOf(index);
    const addresses = addressesOf(index);
    await this.#ip(
      this.#id,
      `link add ${host} type veth peer name eth0 netns ${netns}`,
      `link set ${host} address ee:ee:ee:ee:ee:ee`,
      `link set ${host} addrgenmode none`,
      `link set ${host} up`,
      `address add fe80::1/64 dev ${host} nodad`,
      `route add ${addresses[4]}/32 dev ${host} scope link`,
      `route add ${addresses[6]}/128 dev ${host}`,
    );
    await this.#ip(
      netns,
      'link set lo up',
      `link set eth0 address 02:00:00:00:00:0${index}`,
      'link set eth0 up',
      `address add ${addresses[4]}/32 dev eth0`,
      `address add ${addresses[6]}/128 dev eth0 nodad`,
      'neighbour add 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0 nud permanent',
      'neighbour add fe80::1 lladdr ee:ee:ee:ee:ee:ee dev eth0 nud permanent',
      'route add 169.254.1.1 dev eth0 scope link',
      'route add default via 169.254.1.1 dev eth0',
      'route add default via fe80::1 dev eth0',
    );
    this.probers.set(name, new Prober(namespacePath(netns)));
  }

  /**
   * Many workloads in one namespace, with one agent: each has an interface and a routing table of its own, and what is
   * sent from its address leaves there.
   */
  async wireCrowd(name: string, indexes: readonly number[]): Promise<Prober> {
    const netns = this.#namespace(`${this.#id}-${name}`);
    await this.#ip(netns, 'link set lo up');
    await this.#ip(
      this.#id,
      ...indexes.flatMap((index) => {
        const host = interfaceOf(index);
        const addresses = addressesOf(index);
        return [
          `link add ${host} type veth peer name e${index} netns ${netns}`,
          `link set ${host} address ee:ee:ee:ee:ee:ee`,
          `link set ${host} addrgenmode none`,
          `link set ${host} up`,
          `address add fe80::1/64 dev ${host} nodad`,
          `route add ${addresses[4]}/32 dev ${host} scope link`,
          `route add ${addresses[6]}/128 dev ${host}`,
        ];
      }),
    );
    await this.#ip(
      netns,
      ...indexes.flatMap((index) => {
        const [device, addresses, table] = [`e${index}`, addressesOf(index), 1000 + index];
        return [
          `link set ${device} up`,
          `address add ${addresses[4]}/32 dev ${device}`,
          `address add ${addresses[6]}/128 dev ${device} nodad`,
          `neighbour add 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev ${device} nud permanent`,
          `neighbour add fe80::1 lladdr ee:ee:ee:ee:ee:ee dev ${device} nud permanent`,
          `route add 169.254.1.1 dev ${device} scope link table ${table}`,
          `route add default via 169.254.1.1 dev ${device} table ${table}`,
          `route add default via fe80::1 dev ${device} table ${table}`,
          `rule add from ${addresses[4]} table ${table}`,
        ];
      }),
    );
    const rules = indexes.map((index) => `rule add from ${addressesOf(index)[6]} table ${1000 + index}`);
    await run('ip', ['-6', '-batch', '-'], {
      netns: namespacePath(netns),
      stdin: `${rules.join('\n')}\n`,
    });
    const prober = new Prober(namespacePath(netns));
    this.probers.set(name, prober);
    await Promise.all([
      ...PORTS.map((port) => prober.listenTcp(port)),
      ...indexes.flatMap((index) =>
        ([4, 6] as const).map((version) => prober.listenUdp(addressesOf(index)[version], PORTS[0])),
      ),
    ]);
    return prober;
  }

  async #wireOutside(): Promise<void> {
    const netns = this.#namespace(`${this.#id}-outside`);
    await this.#ip(
      this.#id,
      `link add up0 type veth peer name eth0 netns ${netns}`,
      'link set up0 up',
      'address add 198.51.100.1/24 dev up0',
      'address add fd99::1/64 dev up0 nodad',
    );
    await this.#ip(
      netns,
      'link set lo up',
      'link set eth0 up',
      'address add 198.51.100.2/24 dev eth0',
      'address add fd99::2/64 dev eth0 nodad',
      'route add default via 198.51.100.1',
      'route add default via fd99::1',
    );
    this.probers.set('outside', new Prober(namespacePath(netns)));
  }

  #namespace(name: string): string {
    createNamespace(name);
    this.#namespaces.push(name);
    return name;
  }

  async #ip(netns: string, ...commands: readonly string[]): Promise<void> {
    await run('ip', ['-batch', '-'], { netns: namespacePath(netns), stdin: `${commands.join('\n')}\n` });
  }
}

function keyOf({ kind, metadata }: Resource): Key {
  return { kind, scope: metadata.namespace ?? '', name: metadata.name };
}

export function addressesOf(index: number): { readonly 4: string; readonly 6: string } {
  return { 4: `10.65.${index >> 8}.${index & 255}`, 6: `fd65::${index}` };
}

export function interfaceOf(index: number): string {
  return `cali${index < 10 ? String(index).padEnd(11, '0') : String(index).padStart(11, '0')}`;
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
      ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
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
