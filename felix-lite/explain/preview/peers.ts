/**
 * Who may be at the ends of flows, with those that no policy can tell apart made one: pods of one deployment, addresses
 * outside that the same rules name. Pure.
 */
import type { Resource, Rule, SelectorNode, WorkloadEndpoint } from '../../../api/index.ts';
import { parseSelector } from '../../../api/index.ts';
import { Address, type IpVersion, Prefix } from '../../../net/addr/index.ts';
import { parsedNet } from '../selection.ts';
import type { World } from '../world.ts';

export interface Peers {
  /** Of those that are alike; the names of all, in order. */
  readonly names: readonly string[];
  /** One of them, and another where there is one: by these the flows are judged. */
  readonly members: readonly Member[];
}

export interface Member {
  readonly addresses: Readonly<Partial<Record<IpVersion, Address>>>;
  /** As it is before and after; undefined outside. */
  readonly workload?: readonly [WorkloadEndpoint, WorkloadEndpoint];
}

/** More addresses outside are not looked at one by one. */
const OUTSIDE = 500;

export interface GroupedPeers {
  readonly peers: readonly Peers[];
  /** Addresses that rules name and that were left out. */
  readonly left: number;
}

/** @param names  what workloads are called, the same before and after */
export function groupPeers(
  before: World,
  after: World,
  names: (endpoint: WorkloadEndpoint) => string,
): GroupedPeers {
  const worlds = [before, after] as const;
  const rules = worlds.flatMap(rulesIn);
  const labels = labelsIn(worlds, rules);
  const nets = new Nets(rules.flatMap(netsOf));
  const groups = new Map<string, { names: string[]; members: Member[] }>();
  const later = new Map(after.workloads.map((each) => [keyOf(each), each]));
  for (const workload of before.workloads) {
    const then = later.get(keyOf(workload));
    if (then === undefined) continue;
    const addresses = addressesOf(before.workload(workload).prefixes);
    const key = JSON.stringify([
      [before, after].map((world, index) => traits(world, index === 0 ? workload : then, labels)),
      Object.values(addresses).map((address) => [
        nets.holding(address),
        worlds.map((world) => strangers(world, address)),
      ]),
    ]);
    const group = groups.get(key) ?? { names: [], members: [] };
    groups.set(key, group);
    group.names.push(names(workload));
    if (group.members.length < 2) group.members.push({ addresses, workload: [workload, then] });
  }
  const inside = [...groups.values()].map((each) => ({ ...each, names: each.names.sort() }));
  const { peers: outside, left } = outsidePeers(worlds, nets);
  return { peers: [...inside.sort((a, b) => (a.names[0]! < b.names[0]! ? -1 : 1)), ...outside], left };
}

function keyOf({ metadata }: Resource): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

function addressesOf(prefixes: readonly Prefix[]): Member['addresses'] {
  const of = (version: IpVersion): Address | undefined =>
    prefixes.find((prefix) => prefix.version === version)?.address;
  const [v4, v6] = [of(4), of(6)];
  return { ...(v4 === undefined ? {} : { 4: v4 }), ...(v6 === undefined ? {} : { 6: v6 }) };
}

/** What policy can ask about a workload. */
function traits(world: World, workload: WorkloadEndpoint, asked: ReadonlySet<string>): unknown {
  const { labels, namespace, serviceAccount, ports } = world.workload(workload);
  const seen = Object.entries(labels)
    .filter(([label]) => asked.has(label.replace(/^pc(?:ns|sa)\./, '')))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const profiles = (workload.spec.profiles ?? []).map((name) => world.profiles.get(name)?.spec ?? name);
  const rules = profiles.map((each) => (typeof each === 'string' ? each : [each.ingress, each.egress]));
  return [seen, namespace, serviceAccount !== undefined, ports, rules];
}

/** Sets of addresses and services that have the address, too. */
function strangers(world: World, address: Address): readonly string[] {
  const text = address.toString();
  const sets = world
    .ownersOf(address)
    .flatMap(({ name }) => (name.startsWith('WorkloadEndpoint/') ? [] : [name]));
  const services = world.slices
    .filter(({ endpoints = [] }) => endpoints.some(({ addresses }) => addresses.includes(text)))
    .map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`);
  return [...sets, ...services].sort();
}

export function rulesIn({ policies, profiles }: World): readonly Rule[] {
  return [...policies, ...profiles.values()].flatMap(({ spec }) => [
    ...(spec.ingress ?? []),
    ...(spec.egress ?? []),
  ]);
}

function netsOf({ source, destination }: Rule): readonly string[] {
  return [source, destination].flatMap((side) => [...(side?.nets ?? []), ...(side?.notNets ?? [])]);
}

/** Labels that selectors ask for, without the prefixes of lent ones. */
function labelsIn(worlds: readonly World[], rules: readonly Rule[]): ReadonlySet<string> {
  const texts = new Set<string>();
  for (const { policies } of worlds)
    for (const { spec } of policies)
      for (const text of [
        spec.selector,
        spec.serviceAccountSelector,
        'namespaceSelector' in spec ? spec.namespaceSelector : undefined,
      ])
        if (text !== undefined) texts.add(text);
  for (const { source, destination } of rules)
    for (const side of [source, destination]) {
      for (const text of [
        side?.selector,
        side?.notSelector,
        side?.namespaceSelector,
        side?.serviceAccounts?.selector,
      ])
        if (text !== undefined) texts.add(text);
      if ((side?.serviceAccounts?.names ?? []).length > 0) texts.add('has(projectcalico.org/serviceaccount)');
    }
  const labels = new Set<string>();
  for (const text of texts) {
    const parsed = parseSelector(text);
    if (parsed.ok) collect(parsed.value.root, labels);
  }
  return labels;
}

function collect(node: SelectorNode, labels: Set<string>): void {
  if ('label' in node) labels.add(node.label.replace(/^pc(?:ns|sa)\./, ''));
  else if ('operand' in node) collect(node.operand, labels);
  else if ('operands' in node) for (const each of node.operands) collect(each, labels);
}

/** Prefixes that rules name, quick to ask which of them hold an address. */
class Nets {
  readonly #known = new Map<string, Prefix>();
  readonly #lengths = new Set<string>();

  constructor(texts: readonly string[]) {
    for (const text of texts) {
      const net = parsedNet(text);
      if (net === undefined) continue;
      this.#known.set(net.toString(), net);
      this.#lengths.add(`${net.version} ${net.length}`);
    }
  }

  get all(): readonly Prefix[] {
    return [...this.#known.values()];
  }

  holding(address: Address): readonly string[] {
    return [...this.#lengths]
      .flatMap((each) => {
        const [version, length] = each.split(' ').map(Number);
        return version === address.version && length !== undefined
          ? [Prefix.of(address, length).toString()]
          : [];
      })
      .filter((text) => this.#known.has(text))
      .sort();
  }
}

/** One address for each prefix that rules or sets name and no smaller one covers, and one that none of them names. */
function outsidePeers(worlds: readonly [World, World], nets: Nets): GroupedPeers {
  const everything = ['0.0.0.0/0', '::/0']
    .map((text) => Prefix.parse(text))
    .filter((each) => each !== undefined);
  const ofSets = worlds.flatMap(({ parties }) =>
    parties.flatMap(({ name, prefixes }) => (/^(?:Global)?NetworkSet\//.test(name) ? prefixes : [])),
  );
  const wanted = unique([...everything, ...nets.all, ...ofSets]);
  const groups = new Map<string, { names: string[]; members: Member[] }>();
  const covers = wanted.slice(0, OUTSIDE);
  for (const net of covers) {
    const address = freeIn(net, covers, worlds);
    if (address === undefined) continue;
    const [before, after] = worlds.map((world) => strangers(world, address));
    const key = JSON.stringify([address.version, nets.holding(address), before, after]);
    const group = groups.get(key) ?? { names: [], members: [] };
    groups.set(key, group);
    group.names.push(net.length === 0 ? `any other IPv${net.version} address` : net.toString());
    if (group.members.length === 0) group.members.push({ addresses: { [address.version]: address } });
  }
  return { peers: [...groups.values()], left: wanted.length - covers.length };
}

function unique(nets: readonly Prefix[]): readonly Prefix[] {
  return [...new Map(nets.map((net) => [net.toString(), net])).values()];
}

/** An address of the prefix that lies in no smaller one and is no workload's: the ends, and behind each smaller one. */
function freeIn(net: Prefix, nets: readonly Prefix[], worlds: readonly World[]): Address | undefined {
  const inside = nets.filter(
    (each) => each.version === net.version && each.length > net.length && net.contains(each.address),
  );
  const candidates = [
    net.address,
    net.last,
    ...inside.flatMap((each) => [behind(each.last), ahead(each.address)]),
  ];
  return candidates.find(
    (address) =>
      address !== undefined &&
      net.contains(address) &&
      !inside.some((each) => each.contains(address)) &&
      !worlds.some((world) =>
        world.ownersOf(address).some(({ name }) => name.startsWith('WorkloadEndpoint/')),
      ),
  );
}

function behind(address: Address): Address | undefined {
  return shifted(address, 1n);
}

function ahead(address: Address): Address | undefined {
  return shifted(address, -1n);
}

function shifted(address: Address, by: bigint): Address | undefined {
  const value = address.toBigInt() + by;
  return value < 0n || value >= 1n << BigInt(address.bits)
    ? undefined
    : Address.fromBigInt(address.version, value);
}
