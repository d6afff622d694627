/**
 * The machines of a packet test: a namespace that routes, one for each workload behind a `cali…` veth, others behind
 * uplinks. Wired as the CNI plugin wires, without it.
 */
import {
  createNamespace,
  deleteNamespace,
  namespacePath,
  Netlink,
  run,
  writeSysctl,
} from '../../net/kernel/index.ts';
import { type Addresses, Prober } from './prober.ts';
import { TCP } from './probe-packet.ts';
import { type Flow, type StationSpec, Wire } from './wire.ts';

export const PORTS = [8080, 9090] as const;
export const OUTSIDE: Addresses = { 4: '198.51.100.2', 6: 'fd99::2' };
/** The node's own address towards `outside`. */
export const UPLINK: Addresses = { 4: '198.51.100.1', 6: 'fd99::1' };

/** Name of the station that is the node itself. */
export const HOST = 'host';
const NODE_MAC = 'ee:ee:ee:ee:ee:ee';

export interface Wired {
  readonly name: string;
  readonly index: number;
}

export class TestNetwork {
  readonly wire = new Wire('main');
  readonly probers = new Map<string, Prober>();
  readonly #id: string;
  readonly #namespaces: string[] = [];
  readonly #stations = new Map<string, string>();
  readonly #addresses = new Map<string, Addresses>();
  /** All that can send and hear. */
  readonly stations: StationSpec[] = [];

  private constructor(id: string) {
    this.#id = id;
  }

  /** @param id  unique on the machine */
  static async create(id: string, workloads: readonly Wired[]): Promise<TestNetwork> {
    const network = new TestNetwork(id);
    try {
      await network.#wire(workloads);
    } catch (error) {
      network.remove();
      throw error;
    }
    return network;
  }

  get netns(): string {
    return namespacePath(this.#id);
  }

  prober(name: string): Prober {
    const prober = this.probers.get(name);
    if (prober === undefined) throw new Error(`no prober ${name}`);
    return prober;
  }

  /** Path of the namespace of a station. */
  netnsOf(name: string): string {
    return name === HOST ? this.netns : namespacePath(`${this.#id}-${name}`);
  }

  /** The station whose an address is. */
  readonly stationOf = (address: string): string => {
    const station = this.#stations.get(address);
    if (station === undefined) throw new Error(`nobody has ${address}`);
    return station;
  };

  /** Of TCP, as a flow for {@link Wire} and streams. */
  flow(from: string, destination: string, destinationPort: number, expected: boolean): Flow {
    const source = this.#addresses.get(from)?.[destination.includes(':') ? 6 : 4];
    if (source === undefined) throw new Error(`${from} has no address`);
    return {
      from,
      to: this.stationOf(destination),
      source,
      destination,
      protocol: TCP,
      destinationPort,
      expected,
    };
  }

  /** A workload comes back with the address of another index, on the interface that it had. */
  async readdress({ name, index }: Wired, from: number, to: number): Promise<void> {
    const [before, after] = [addressesOf(from), addressesOf(to)];
    const host = interfaceOf(index);
    await this.#ip(
      this.netnsOf(name),
      // The new one first: with its last address an interface loses its routes.
      `address add ${after[4]}/32 dev eth0`,
      `address add ${after[6]}/128 dev eth0 nodad`,
      `address delete ${before[4]}/32 dev eth0`,
      `address delete ${before[6]}/128 dev eth0`,
    );
    await this.#ip(
      this.netns,
      `route delete ${before[4]}/32 dev ${host}`,
      `route delete ${before[6]}/128 dev ${host}`,
      `route add ${after[4]}/32 dev ${host} scope link`,
      `route add ${after[6]}/128 dev ${host}`,
    );
    this.#own(name, after);
  }

  remove(): void {
    for (const prober of this.probers.values()) prober.close();
    this.wire.close();
    for (const name of this.#namespaces) deleteNamespace(name);
  }

  async #wire(workloads: readonly Wired[]): Promise<void> {
    this.#namespace(this.#id);
    await this.#ip(this.netns, 'link set lo up');
    await Promise.all([
      ...workloads.map((each) => this.#wireWorkload(each)),
      this.#wireUplink('outside', 'up0', UPLINK, OUTSIDE),
    ]);
    this.#attach({ name: HOST, netns: this.netns, ends: [] });
    for (const version of [4, 6] as const) this.#stations.set(UPLINK[version], HOST);
  }

  async #wireWorkload({ name, index }: Wired): Promise<void> {
    const netns = this.#namespace(`${this.#id}-${name}`);
    const addresses = addressesOf(index);
    await this.#ip(this.netns, ...this.#hostEnd(index, 'eth0', name));
    await this.#ip(
      netns,
      'link set lo up',
      `link set eth0 address 02:00:00:00:00:0${index}`,
      'link set eth0 up',
      `address add ${addresses[4]}/32 dev eth0`,
      `address add ${addresses[6]}/128 dev eth0 nodad`,
      ...gateways('eth0', ''),
    );
    await this.#join(name, [['eth0', NODE_MAC, addresses]]);
  }

  /**
   * Many workloads in one namespace: each has an interface and a routing table of its own, and what is sent from its
   * address leaves there.
   */
  async wireCrowd(name: string, indexes: readonly number[]): Promise<void> {
    const netns = this.#namespace(`${this.#id}-${name}`);
    await this.#ip(netns, 'link set lo up');
    await this.#ip(
      this.netns,
      ...indexes.flatMap((index) => [
        ...this.#hostEnd(index, `e${index}`, name),
        ...known(index, addressesOf(index), interfaceOf(index)),
      ]),
    );
    await this.#ip(
      netns,
      ...indexes.flatMap((index) => {
        const [device, addresses, table] = [`e${index}`, addressesOf(index), 1000 + index];
        return [
          `link set ${device} address ${macOf(index)}`,
          `link set ${device} up`,
          `address add ${addresses[4]}/32 dev ${device}`,
          `address add ${addresses[6]}/128 dev ${device} nodad`,
          ...gateways(device, ` table ${table}`),
          `rule add from ${addresses[4]} table ${table}`,
        ];
      }),
    );
    const rules = indexes.map((index) => `rule add from ${addressesOf(index)[6]} table ${1000 + index}`);
    await run('ip', ['-6', '-batch', '-'], { netns, stdin: `${rules.join('\n')}\n` });
    await this.#join(
      name,
      indexes.map((index) => [`e${index}`, NODE_MAC, addressesOf(index)] as const),
    );
  }

  /**
   * One namespace on many interfaces of the node, each with a subnet of its own: what a node has beside workloads.
   * What is sent from an address of it leaves by the interface of that subnet.
   */
  async wirePeers(name: string, indexes: readonly number[]): Promise<void> {
    const netns = this.#namespace(`${this.#id}-${name}`);
    await this.#ip(netns, 'link set lo up');
    await this.#ip(
      this.netns,
      ...indexes.flatMap((index) => {
        const [device, { node, peer }] = [uplinkOf(index), subnetOf(index)];
        return [
          `link add ${device} type veth peer name p${index} netns ${this.#id}-${name}`,
          `link set ${device} address ${NODE_MAC}`,
          `link set ${device} up`,
          `address add ${node[4]}/24 dev ${device}`,
          `address add ${node[6]}/64 dev ${device} nodad`,
          ...known(index, peer, device),
        ];
      }),
    );
    await this.#ip(
      netns,
      ...indexes.flatMap((index) => {
        const [device, { node, peer }, table] = [`p${index}`, subnetOf(index), 1000 + index];
        return [
          `link set ${device} address ${macOf(index)}`,
          `link set ${device} up`,
          `address add ${peer[4]}/24 dev ${device}`,
          `address add ${peer[6]}/64 dev ${device} nodad`,
          `route add default via ${node[4]} dev ${device} table ${table}`,
          `route add default via ${node[6]} dev ${device} table ${table}`,
          `rule add from ${peer[4]} table ${table}`,
        ];
      }),
    );
    const rules = indexes.map((index) => `rule add from ${subnetOf(index).peer[6]} table ${1000 + index}`);
    await run('ip', ['-6', '-batch', '-'], { netns, stdin: `${rules.join('\n')}\n` });
    await this.#join(
      name,
      indexes.map((index) => [`p${index}`, NODE_MAC, subnetOf(index).peer] as const),
    );
  }

  #hostEnd(index: number, peer: string, name: string): readonly string[] {
    const host = interfaceOf(index);
    const addresses = addressesOf(index);
    return [
      `link add ${host} type veth peer name ${peer} netns ${this.#id}-${name}`,
      `link set ${host} address ${NODE_MAC}`,
      `link set ${host} addrgenmode none`,
      `link set ${host} up`,
      `address add fe80::1/64 dev ${host} nodad`,
      `route add ${addresses[4]}/32 dev ${host} scope link`,
      `route add ${addresses[6]}/128 dev ${host}`,
    ];
  }

  async #wireUplink(name: string, device: string, node: Addresses, theirs: Addresses): Promise<void> {
    const netns = this.#namespace(`${this.#id}-${name}`);
    const mac = `02:00:00:00:01:0${device.at(-1) ?? ''}`;
    await this.#ip(
      this.netns,
      `link add ${device} type veth peer name eth0 netns ${this.#id}-${name}`,
      `link set ${device} address ${mac}`,
      `link set ${device} up`,
      `address add ${node[4]}/24 dev ${device}`,
      `address add ${node[6]}/64 dev ${device} nodad`,
    );
    await this.#ip(
      netns,
      'link set lo up',
      'link set eth0 up',
      `address add ${theirs[4]}/24 dev eth0`,
      `address add ${theirs[6]}/64 dev eth0 nodad`,
      `route add default via ${node[4]}`,
      `route add default via ${node[6]}`,
    );
    await this.#join(name, [['eth0', mac, theirs]]);
  }

  /** @param ends  interfaces, the neighbour behind each, and the addresses that are sent from there */
  async #join(
    name: string,
    ends: readonly (readonly [device: string, mac: string, addresses: Addresses])[],
  ): Promise<void> {
    const netns = this.netnsOf(name);
    using netlink = Netlink.open({ netns });
    const indexes = new Map((await netlink.listLinks()).map((each) => [each.name, each.index]));
    for (const [, , addresses] of ends)
      for (const version of [4, 6] as const) this.#stations.set(addresses[version], name);
    if (ends.length === 1) this.#own(name, ends[0]?.[2] ?? OUTSIDE);
    this.#attach({
      name,
      netns,
      ends: ends.map(([device, mac, addresses]) => ({
        index: indexes.get(device) ?? 0,
        mac,
        addresses: [addresses[4], addresses[6]],
      })),
    });
    const prober = new Prober(
      name,
      netns,
      this.wire,
      () => this.#addresses.get(name) ?? OUTSIDE,
      this.stationOf,
    );
    this.probers.set(name, prober);
    for (const port of PORTS) prober.listen(port);
  }

  #attach(spec: StationSpec): void {
    this.stations.push(spec);
    this.wire.add(spec);
  }

  #own(name: string, addresses: Addresses): void {
    this.#addresses.set(name, addresses);
    for (const version of [4, 6] as const) this.#stations.set(addresses[version], name);
  }

  #namespace(name: string): string {
    const path = createNamespace(name);
    this.#namespaces.push(name);
    // Nobody else is there to have our addresses; finding that out takes a second or two.
    for (const which of ['default', 'all']) writeSysctl(`net.ipv6.conf.${which}.accept_dad`, 0, path);
    return path;
  }

  async #ip(netns: string, ...commands: readonly string[]): Promise<void> {
    await run('ip', ['-batch', '-'], { netns, stdin: `${commands.join('\n')}\n` });
  }
}

/** The neighbours of a crowd are more than a kernel learns by default. */
function known(index: number, addresses: Addresses, device: string): readonly string[] {
  return ([4, 6] as const).map(
    (version) => `neighbour add ${addresses[version]} lladdr ${macOf(index)} dev ${device} nud permanent`,
  );
}

function macOf(index: number): string {
  return `02:00:00:01:0${index >> 8}:${(index & 255).toString(16).padStart(2, '0')}`;
}

function gateways(device: string, table: string): readonly string[] {
  return [
    `neighbour add 169.254.1.1 lladdr ${NODE_MAC} dev ${device} nud permanent`,
    `neighbour add fe80::1 lladdr ${NODE_MAC} dev ${device} nud permanent`,
    `route add 169.254.1.1 dev ${device} scope link${table}`,
    `route add default via 169.254.1.1 dev ${device}${table}`,
    `route add default via fe80::1 dev ${device}${table}`,
  ];
}

export function addressesOf(index: number): Addresses {
  return { 4: `10.65.${index >> 8}.${index & 255}`, 6: `fd65::${index}` };
}

/** Of an interface that `wirePeers` made: the node's end and the other. */
export function subnetOf(index: number): { readonly node: Addresses; readonly peer: Addresses } {
  return {
    node: { 4: `172.20.${index}.1`, 6: `fd20:0:0:${index}::1` },
    peer: { 4: `172.20.${index}.2`, 6: `fd20:0:0:${index}::2` },
  };
}

export function uplinkOf(index: number): string {
  return `h${index}`;
}

export function interfaceOf(index: number): string {
  return `cali${index < 10 ? String(index).padEnd(11, '0') : String(index).padStart(11, '0')}`;
}
