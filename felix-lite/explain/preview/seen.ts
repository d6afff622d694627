/** What policy can see of those at the ends of flows: who differs in none of it is the same to all policies. Pure. */
import type { Rule, SelectorNode } from '../../../api/index.ts';
import { parseSelector } from '../../../api/index.ts';
import { type Address, Prefix } from '../../../net/addr/index.ts';
import { parsedNet } from '../selection.ts';
import type { Party, World } from '../world.ts';
import type { Addresses } from './hosts.ts';

/** The two times, and what the rules of either ask for. */
export interface Seen {
  readonly worlds: readonly [World, World];
  readonly labels: ReadonlySet<string>;
  readonly nets: Nets;
}

/** What policy can ask about a party. */
export function traitsOf(
  world: World,
  { labels, namespace, serviceAccount, ports }: Party,
  profileNames: readonly string[] = [],
  asked: Pick<Seen, 'labels'>,
): unknown {
  const seen = Object.entries(labels)
    .filter(([label]) => asked.labels.has(label.replace(/^pc(?:ns|sa)\./, '')))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const profiles = profileNames.map((name) => world.profiles.get(name)?.spec ?? name);
  const rules = profiles.map((each) => (typeof each === 'string' ? each : [each.ingress, each.egress]));
  return [seen, namespace, serviceAccount !== undefined, ports, rules];
}

/** What rules may say of its addresses. */
export function placeOf(addresses: Addresses, { nets, worlds }: Seen): unknown {
  return Object.values(addresses).map((address) => [
    nets.holding(address),
    worlds.map((world) => strangers(world, address)),
  ]);
}

export function isEndpoint(party: string): boolean {
  return /^(?:Workload|Host)Endpoint\//.test(party);
}

/** Sets of addresses and services that have the address, too. */
export function strangers(world: World, address: Address): readonly string[] {
  const text = address.toString();
  const sets = world.ownersOf(address).flatMap(({ name }) => (isEndpoint(name) ? [] : [name]));
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

export function netsOf({ source, destination }: Rule): readonly string[] {
  return [source, destination].flatMap((side) => [...(side?.nets ?? []), ...(side?.notNets ?? [])]);
}

/** Labels that selectors ask for, without the prefixes of lent ones. */
export function labelsIn(worlds: readonly World[], rules: readonly Rule[]): ReadonlySet<string> {
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
export class Nets {
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
