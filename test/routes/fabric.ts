/**
 * Three nodes with one workload each: a1 and a2 in one subnet, b1 behind a router. Real daemons in namespaces, one
 * datastore, workloads wired as the agent wires them. Runs on this machine's kernel or inside another (see uml.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { unwrap, validate } from '../../api/index.ts';
import { SystemClock } from '../../clock/system.ts';
import { askControl } from '../../daemon/control.ts';
import { openStore, ResourceClient, type Store } from '../../datastore/index.ts';
import { run } from '../../net/kernel/index.ts';
import { Lab } from '../interop/peers/lab.ts';
import { echoIn, knockFrom, Transfer } from './transfer.ts';

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

/** Some full packets, some fifty times a second. */
const PORTION = 8 * 1024;
const PORTION_MS = 20;

/** How often to look, and for how long; on a slow machine, looking takes time from what is looked at. */
export interface Pace {
  readonly pauseMs: number;
  readonly withinMs: number;
}

export class Fabric {
  readonly lab = new Lab();
  readonly #daemons = new Map<string, ChildProcess>();
  readonly #database = join(this.lab.folder, 'datastore.db');
  readonly #mtu = 1500;
  readonly #pace: Pace;
  readonly #echoes: Server[] = [];
  #store: Store | undefined;

  constructor(pace: Pace = { pauseMs: 100, withinMs: 60_000 }) {
    this.#pace = pace;
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
      await this.#workload(name, podMtu, [
        `link set eth0 mtu ${this.#mtu}`,
        `addr add ${underlay(name, 4)}/24 dev eth0`,
        `addr add ${underlay(name, 6)}/64 dev eth0 nodad`,
        `route add default via 10.10.${subnet}.254`,
        `route add default via fd00:${subnet}::254`,
      ]);
    }
    await this.#ip('r', router);
    await this.apply(
      ...NODES.map((name) => nodeResource(name)),
      ...NODES.map(endpointResource),
      ...resources,
    );
    for (const name of NODES) await this.#claim(name);
  }

  async apply(...resources: readonly object[]): Promise<void> {
    const client = new ResourceClient(this.#opened, new SystemClock());
    for (const resource of resources) unwrap(await client.apply(unwrap(validate(resource))));
  }

  async remove(kind: 'GlobalNetworkPolicy', name: string): Promise<void> {
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
    return unwrap(await askControl(socket, 'GET', '/status', { deadlineMs: 3000 }));
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

  async until<T>(what: string, ask: () => Promise<T>, right: (answer: T) => boolean): Promise<void> {
    const { pauseMs, withinMs } = this.#pace;
    const until = performance.now() + withinMs;
    for (;;) {
      const answer = await ask();
      if (right(answer)) return;
      if (performance.now() > until)
        throw new Error(`${what}: not within ${withinMs} ms; it is: ${String(answer)}`);
      await sleep(pauseMs);
    }
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
  async whileTransferring(
    from: NodeName,
    to: NodeName,
    version: 4 | 6,
    what: (transfer: Transfer) => Promise<unknown>,
  ): Promise<void> {
    const transfer = new Transfer(this.lab.netns(pod(from)), workload(to, version));
    const over = new AbortController();
    const sending = (async () => {
      while (!over.signal.aborted) {
        await transfer.send(PORTION);
        await sleep(PORTION_MS);
      }
    })();
    sending.catch(() => {});
    try {
      await what(transfer);
    } finally {
      over.abort();
    }
    await sending;
    await transfer.finish();
  }

  /**
   * Pings from one workload to the other some hundreds of times a second while something happens.
   *
   * @returns how many were answered, and the numbers of those before the last that were not
   */
  async pingedWhile(
    from: NodeName,
    to: NodeName,
    version: 4 | 6,
    what: () => Promise<unknown>,
  ): Promise<{ readonly answered: number; readonly lost: readonly number[] }> {
    const args = [`-${version}`, '-n', '-i', '0.003', '-W', '30', workload(to, version)];
    const ping = spawn('nsenter', [`--net=${this.lab.netns(pod(from))}`, 'ping', ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let said = '';
    ping.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    const count = (): Promise<number> => Promise.resolve(said.match(/icmp_seq=/g)?.length ?? 0);
    const more = async (): Promise<void> => {
      const before = await count();
      await this.until('pings are answered', count, (now) => now > before + 100);
    };
    try {
      await more();
      await what();
      await more();
    } finally {
      ping.kill('SIGINT');
      await once(ping, 'close');
    }
    const seen = new Set([...said.matchAll(/icmp_seq=(\d+).*time=/g)].map(([, number]) => Number(number)));
    const last = Math.max(...seen);
    const lost = Array.from({ length: last }, (_, i) => i + 1).filter((number) => !seen.has(number));
    return { answered: seen.size, lost };
  }

  /** What passes an interface, of the router unless another is named, while `during` runs, as tcpdump decodes it. */
  async captured(
    link: string,
    filter: string,
    during: () => Promise<unknown>,
    at: NodeName | 'r' = 'r',
  ): Promise<string[]> {
    const file = await this.#capture(link, filter, during, at);
    return (await this.lab.run('r', 'tcpdump', ['-r', file, '-nn', '-v'])).split(/\n(?=\S)/);
  }

  /** The same as octets, headers and all. */
  async capturedRaw(link: string, filter: string, during: () => Promise<unknown>): Promise<Buffer> {
    return readFileSync(await this.#capture(link, filter, during, 'r'));
  }

  async #capture(
    link: string,
    filter: string,
    during: () => Promise<unknown>,
    at: NodeName | 'r',
  ): Promise<string> {
    const file = join(this.lab.folder, `${link}-${Math.random().toString(36).slice(2)}.pcap`);
    const args = ['-i', link, '-B', '8192', '-U', '--immediate-mode', '-w', file, '-Z', 'root', filter];
    const dump = spawn('nsenter', [`--net=${this.lab.netns(at)}`, 'tcpdump', ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    dump.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    await this.until(
      'tcpdump listens',
      () => Promise.resolve(said),
      (text) => text.includes('listening on'),
    );
    try {
      await during();
      await this.until(
        'tcpdump has read all that passed',
        async () => {
          said = '';
          dump.kill('SIGUSR1');
          await once(dump.stderr, 'data');
          return said;
        },
        (text) => {
          const [captured = -1, received = 0, dropped = 0] =
            text.match(/\d+(?= packets?)/g)?.map(Number) ?? [];
          return captured + dropped === received;
        },
      );
    } finally {
      dump.kill('SIGINT');
      await once(dump, 'exit');
    }
    return file;
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

  /**
   * As the agent does it, with what packets need and no more.
   *
   * @param first  what the node itself needs before
   */
  async #workload(name: NodeName, mtu: number, first: readonly string[]): Promise<void> {
    const { lab } = this;
    const inside = pod(name);
    await lab.node(inside);
    const host = `cali${name}`;
    await lab.link(
      { node: name, interface: host, addresses: [] },
      { node: inside, interface: 'eth0', addresses: [] },
    );
    const gateways = { 4: '169.254.1.1', 6: 'fe80::ecee:eeff:feee:eeee' } as const;
    await this.#ip(name, [
      ...first,
      `link set ${host} address ee:ee:ee:ee:ee:ee mtu ${mtu}`,
      `addr add ${gateways[6]}/64 dev ${host} nodad`,
      ...([4, 6] as const).map((version) => `route add ${workload(name, version)} dev ${host} proto boot`),
    ]);
    await this.#ip(inside, [
      `link set eth0 mtu ${mtu}`,
      `addr add ${workload(name, 4)}/32 dev eth0`,
      `addr add ${workload(name, 6)}/128 dev eth0 nodad`,
      ...Object.values(gateways).flatMap((gateway) => [
        `neigh add ${gateway} lladdr ee:ee:ee:ee:ee:ee dev eth0`,
        `route add default via ${gateway} dev eth0 onlink`,
      ]),
    ]);
    this.#echoes.push(await echoIn(lab.netns(inside)));
  }

  /** All in one process: inside a user-mode kernel, starting one is dear. */
  async #ip(node: string, commands: readonly string[]): Promise<void> {
    await run('ip', ['-batch', '-'], { netns: this.lab.netns(node), stdin: commands.join('\n') });
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

const pod = (node: NodeName): string => `${node}-pod`;

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

function endpointResource(name: NodeName): object {
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
