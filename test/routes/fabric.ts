/**
 * Three nodes with one workload each: a1 and a2 in one subnet, b1 behind a router. Real daemons in namespaces, one
 * datastore, workloads wired as the agent wires them. Runs on this machine's kernel or inside another (see uml.ts).
 */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { unwrap, validate } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { askControl } from '../../daemon/control.ts';
import { openStore, ResourceClient, type Store } from '../../datastore/index.ts';
import { Lab } from '../interop/peers/lab.ts';
import { scrape } from '../scrape.ts';
import { knockFrom, type Transfer } from './transfer.ts';
import { PACE, type Pace, type Pinged, Watch } from './watch.ts';
import { ipBatch, pod, wireWorkload } from './wiring.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const MAINS = {
  bgpd: 'bgpd/daemon/main.ts',
  felix: 'felix-lite/daemon/main.ts',
  /** bgpd, and of felix-lite what routes, in one process: starts in half the time. */
  both: 'test/routes/both.ts',
} as const;
export type Daemon = keyof typeof MAINS;

export const NODES = ['a1', 'a2', 'b1'] as const;
export type NodeName = (typeof NODES)[number];

/** Last octets, and the subnet of each. */
const PLACES = {
  a1: { subnet: 1, host: 1 },
  a2: { subnet: 1, host: 2 },
  b1: { subnet: 2, host: 1 },
} as const;
const BLOCKS = { a1: 1, a2: 2, b1: 3 } as const;

export class Fabric {
  readonly lab = new Lab();
  readonly #daemons = new Map<string, ChildProcess>();
  readonly #database = join(this.lab.folder, 'datastore.db');
  readonly #mtu = 1500;
  readonly watch: Watch;
  readonly #echoes: Server[] = [];
  #store: Store | undefined;

  constructor(pace: Pace = PACE) {
    this.watch = new Watch(this.lab, pace);
  }

  /** Namespaces, links, addresses, workloads with their MTU, and the resources of the nodes. */
  async build(podMtu: number, ...resources: readonly object[]): Promise<void> {
    const { lab } = this;
    this.#store = await openStore(this.#database);
    await lab.node('r');
    const router = ['link add br1 type bridge', 'link set br1 up'];
    for (const name of NODES) {
      const { subnet } = PLACES[name];
      await lab.node(name);
      await lab.link(
        { node: name, interface: 'eth0', addresses: [] },
        { node: 'r', interface: `to-${name}`, addresses: [] },
      );
      const near = subnet === 1 ? 'br1' : `to-${name}`;
      router.push(
        `link set to-${name} mtu ${this.#mtu}`,
        ...(subnet === 1 ? [`link set to-${name} master br1`] : []),
        ...(name === 'a2' ? [] : [`addr add 10.10.${subnet}.254/24 dev ${near}`]),
        ...(name === 'a2' ? [] : [`addr add fd00:${subnet}::254/64 dev ${near} nodad`]),
      );
      const own = [
        `link set eth0 mtu ${this.#mtu}`,
        `addr add ${underlay(name, 4)}/24 dev eth0`,
        `addr add ${underlay(name, 6)}/64 dev eth0 nodad`,
        `route add default via 10.10.${subnet}.254`,
        `route add default via fd00:${subnet}::254`,
      ];
      const addresses = { 4: workload(name, 4), 6: workload(name, 6) };
      this.#echoes.push(await wireWorkload(lab, { node: name, mtu: podMtu, addresses }, own));
    }
    await ipBatch(lab, 'r', router);
    await this.apply(
      ...NODES.map((name) => nodeResource(name)),
      ...NODES.map((name) => endpointResource(name)),
      ...resources,
    );
    for (const name of NODES) await this.#claim(name);
  }

  async apply(...resources: readonly object[]): Promise<void> {
    const client = new ResourceClient(this.#opened, new SystemClock());
    for (const resource of resources) unwrap(await client.apply(unwrap(validate(resource))));
  }

  async remove(kind: 'GlobalNetworkPolicy' | 'IPPool' | 'Node', name: string): Promise<void> {
    unwrap(await new ResourceClient(this.#opened, new SystemClock()).delete(kind, name));
  }

  start(node: NodeName, ...daemons: readonly Daemon[]): void {
    for (const daemon of daemons) {
      const options = ['--node', node, '--datastore', this.#database, '--run-dir', this.#folder(node, 'run')];
      if (daemon === 'felix') options.push('--state-dir', this.#folder(node, 'state'));
      const child = this.lab.start(node, 'unshare', [
        '--mount',
        'sh',
        '-ec',
        // Each node is its own machine to wireguard-go, which has one place for its sockets.
        'mkdir -p /var/run/wireguard; mount --bind "$0" /var/run/wireguard; exec "$@"',
        this.#folder(node, 'wireguard'),
        process.execPath,
        '--disable-warning=ExperimentalWarning',
        join(ROOT, MAINS[daemon]),
        ...options,
      ]);
      this.#daemons.set(`${node} ${daemon}`, child);
    }
  }

  /** Of a node's own, for one purpose. */
  #folder(node: NodeName, purpose: 'run' | 'state' | 'wireguard'): string {
    const path = join(this.lab.folder, `${node}.${purpose}`);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** Of the node's WireGuard. */
  keyFile(node: NodeName, version: 4 | 6 = 4): string {
    return join(this.#folder(node, 'state'), `wireguard${version === 6 ? '-v6' : ''}-${node}.key`);
  }

  async kill(node: NodeName, daemon: Daemon, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#daemons.get(`${node} ${daemon}`);
    if (child !== undefined) await this.lab.kill(child, signal);
  }

  async status(node: NodeName, daemon: Daemon): Promise<unknown> {
    const socket = join(this.#folder(node, 'run'), `${daemon}.sock`);
    return unwrap(await askControl(socket, 'GET', '/status', { deadlineMs: 30_000 }));
  }

  /** Of felix-lite, as Prometheus reads them. */
  metrics(node: NodeName): Promise<string> {
    return scrape(join(this.#folder(node, 'run'), 'felix.sock'));
  }

  /** Until the routes to all other blocks of that version are as the pattern says, on each node. */
  async routed(pattern: (from: NodeName, to: NodeName) => RegExp, version: 4 | 6 = 4): Promise<void> {
    for (const from of NODES)
      for (const to of NODES) {
        if (from === to) continue;
        const ask = (): Promise<string> =>
          this.lab.run(from, 'ip', [`-${version}`, 'route', 'show', block(to, version)]);
        const right = pattern(from, to);
        await this.until(`route of ${from} to ${to} like ${right.source}`, ask, (text) => right.test(text));
      }
  }

  until<T>(what: string, ask: () => Promise<T>, right: (answer: T) => boolean): Promise<T> {
    return this.watch.until(what, ask, right);
  }

  /**
   * Sends so many octets from one workload to the other, which sends them back.
   *
   * @throws when the connection breaks or what comes back is not what went
   */
  async transfer(from: NodeName, to: NodeName, version: 4 | 6, octets: number): Promise<void> {
    await this.whileTransferring(from, to, version, (transfer) => transfer.send(octets));
  }

  /** The same, of as much as goes while something happens: over one connection, begun before and ended after. */
  whileTransferring(
    from: NodeName,
    to: NodeName,
    version: 4 | 6,
    what: (transfer: Transfer) => Promise<unknown>,
  ): Promise<void> {
    return this.watch.whileTransferring(this.lab.netns(pod(from)), workload(to, version), what);
  }

  /** Pings from one workload to the other some hundreds of times a second while something happens. */
  pingedWhile(from: NodeName, to: NodeName, version: 4 | 6, what: () => Promise<unknown>): Promise<Pinged> {
    return this.watch.pingedWhile(this.lab.netns(pod(from)), workload(to, version), what);
  }

  /** What passes an interface, of the router unless another is named, while `during` runs, as tcpdump decodes it. */
  captured(
    link: string,
    filter: string,
    during: () => Promise<unknown>,
    at: NodeName | 'r' = 'r',
  ): Promise<readonly string[]> {
    return this.watch.captured(at, link, filter, during);
  }

  /** The same as octets, headers and all. */
  capturedRaw(link: string, filter: string, during: () => Promise<unknown>): Promise<Buffer> {
    return this.watch.capturedRaw('r', link, filter, during);
  }

  /** Whether somebody at the address answers within a second, if only to refuse. */
  answers(from: NodeName | 'r', to: string): Promise<boolean> {
    return knockFrom(this.lab.netns(from === 'r' ? from : pod(from)), to);
  }

  async close(): Promise<void> {
    for (const echo of this.#echoes) echo.close();
    // wireguard-go lives by itself, and ends with its device.
    for (const name of NODES)
      for (const device of ['wireguard.cali', 'wg-v6.cali'])
        await this.lab.run(name, 'ip', ['link', 'delete', device]).catch(() => undefined);
    await this.lab.close();
    await this.#store?.close();
  }

  get #opened(): Store {
    if (this.#store === undefined) throw new Error('not built yet');
    return this.#store;
  }

  /** Blocks of the node, as IPAM leaves them. */
  async #claim(name: NodeName): Promise<void> {
    const operations = ([4, 6] as const).map((version) => ({
      type: 'put' as const,
      key: { kind: 'BlockAffinity', scope: `host:${name}`, name: block(name, version) },
      value: { state: 'confirmed', deleted: false },
      expect: 'any' as const,
    }));
    if (!(await this.#opened.commit(operations)).ok) throw new Error('refused');
  }
}

export function underlay(node: NodeName, version: 4 | 6): string {
  const { subnet, host } = PLACES[node];
  return version === 4 ? `10.10.${subnet}.${host}` : `fd00:${subnet}::${host}`;
}

export function block(node: NodeName, version: 4 | 6): string {
  return version === 4 ? `10.244.${BLOCKS[node]}.0/26` : `fd00:10:244:${BLOCKS[node]}::/122`;
}

export function workload(node: NodeName, version: 4 | 6): string {
  return version === 4 ? `10.244.${BLOCKS[node]}.2` : `fd00:10:244:${BLOCKS[node]}::2`;
}

export function tunnelAddress(node: NodeName, version: 4 | 6): string {
  return version === 4 ? `10.244.${BLOCKS[node]}.1` : `fd00:10:244:${BLOCKS[node]}::1`;
}

export function wireguardAddress(node: NodeName, version: 4 | 6): string {
  return version === 4 ? `10.244.${BLOCKS[node]}.3` : `fd00:10:244:${BLOCKS[node]}::3`;
}

export function nodeResource(name: NodeName, extra: object = {}): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'Node',
    metadata: { name },
    spec: {
      bgp: {
        ipv4Address: `${underlay(name, 4)}/24`,
        ipv6Address: `${underlay(name, 6)}/64`,
        ipv4IPIPTunnelAddr: tunnelAddress(name, 4),
      },
      ipv4VXLANTunnelAddr: tunnelAddress(name, 4),
      ipv6VXLANTunnelAddr: tunnelAddress(name, 6),
      wireguard: {
        interfaceIPv4Address: wireguardAddress(name, 4),
        interfaceIPv6Address: wireguardAddress(name, 6),
      },
      ...extra,
    },
  };
}

export function endpointResource(name: NodeName, extra: object = {}): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'WorkloadEndpoint',
    metadata: { name: `${name}-cni-${name}-eth0`, namespace: 'default', labels: { on: name } },
    spec: {
      orchestrator: 'cni',
      node: name,
      containerID: name,
      endpoint: 'eth0',
      interfaceName: `cali${name}`,
      ipNetworks: [`${workload(name, 4)}/32`, `${workload(name, 6)}/128`],
      profiles: ['projectcalico-default-allow'],
      ...extra,
    },
  };
}

export function sameSubnet(a: NodeName, b: NodeName): boolean {
  return PLACES[a].subnet === PLACES[b].subnet;
}

export function pools(modes: { readonly v4?: object; readonly v6?: object }): readonly object[] {
  return [
    pool('v4', '10.244.0.0/16', 26, modes.v4 ?? {}),
    pool('v6', 'fd00:10:244::/48', 122, modes.v6 ?? {}),
  ];
}

function pool(name: string, cidr: string, blockSize: number, mode: object): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name },
    spec: { cidr, blockSize, ...mode },
  };
}
