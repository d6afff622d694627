/**
 * The cluster as the evaluator sees it: resources, and who owns an address. Pure, plain, unindexed, and on
 * purpose without a line of calc: it is what calc and the rules are held against.
 */
import type {
  EndpointSlice,
  GlobalNetworkPolicy,
  GlobalNetworkSet,
  HostEndpoint,
  Kind,
  Labels,
  NetworkPolicy,
  NetworkSet,
  Node,
  Profile,
  Resource,
  ResourceOf,
  Tier,
  WorkloadEndpoint,
} from '../../api/index.ts';
import { madeFrom } from '../../api/kubernetes/index.ts';
import { Address, Prefix } from '../../net/addr/index.ts';
import { standsFor } from './stored.ts';

/** Something with labels and addresses. */
export interface Party {
  readonly name: string;
  /** Own and inherited. */
  readonly labels: Labels;
  readonly namespace: string | undefined;
  readonly serviceAccount: string | undefined;
  readonly prefixes: readonly Prefix[];
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[];
}

/** A longer name of an account is no value of a label, and nobody can select by it. */
const LABEL_VALUE = 63;

export class World {
  readonly tiers: ReadonlyMap<string, Tier>;
  readonly profiles: ReadonlyMap<string, Profile>;
  readonly policies: readonly (NetworkPolicy | GlobalNetworkPolicy)[];
  readonly workloads: readonly WorkloadEndpoint[];
  readonly hosts: readonly HostEndpoint[];
  readonly nodes: ReadonlyMap<string, Node>;
  readonly #sets: readonly (NetworkSet | GlobalNetworkSet)[];
  #parties: readonly Party[] | undefined;

  readonly slices: readonly EndpointSlice[];
  readonly #origins = new Map<Resource, Resource>();

  constructor(resources: Iterable<Resource>) {
    const given = Map.groupBy(resources, ({ kind }) => kind);
    const of = <K extends Kind>(kind: K): readonly ResourceOf<K>[] =>
      (given.get(kind) ?? []) as unknown as readonly ResourceOf<K>[];
    // What is stored comes before what would be made.
    const stored = new Set(MADE.flatMap((kind) => of(kind).map(identity)));
    const made: Resource[] = [];
    for (const kind of CONVERTED)
      for (const each of of(kind)) {
        const resource = madeFrom(each)?.resource;
        if (resource === undefined || stored.has(identity(resource))) continue;
        this.#origins.set(resource, each);
        made.push(resource);
      }
    this.slices = of('EndpointSlice');
    this.tiers = byName(of('Tier'));
    this.profiles = byName([...of('Profile'), ...made.filter((each) => each.kind === 'Profile')]);
    this.policies = [
      ...of('NetworkPolicy'),
      ...of('GlobalNetworkPolicy'),
      ...made.filter((each) => each.kind === 'NetworkPolicy' || each.kind === 'GlobalNetworkPolicy'),
    ];
    this.workloads = of('WorkloadEndpoint');
    this.hosts = of('HostEndpoint');
    this.nodes = byName(of('Node'));
    this.#sets = [...of('NetworkSet'), ...of('GlobalNetworkSet')];
  }

  /** Everybody whom selectors can select. Most questions ask for the owners of two addresses instead. */
  get parties(): readonly Party[] {
    this.#parties ??= [
      ...this.workloads.map((each) => this.workload(each)),
      ...this.hosts.map((each) => this.host(each)),
      ...this.#setParties(),
    ];
    return this.#parties;
  }

  /** What the resource was made from; itself where it was not. */
  originOf(resource: Resource): Resource {
    return this.#origins.get(resource) ?? standsFor(resource) ?? resource;
  }

  /** A workload endpoint as a party; its namespace and account count as labels, whatever its own labels say. */
  workload(endpoint: WorkloadEndpoint): Party {
    return this.#remembered(endpoint, () => this.#workload(endpoint));
  }

  #workload({ metadata, spec }: WorkloadEndpoint): Party {
    const account = spec.serviceAccountName ?? '';
    return {
      name: `WorkloadEndpoint/${metadata.namespace ?? ''}/${metadata.name}`,
      namespace: metadata.namespace,
      serviceAccount: account === '' ? undefined : account,
      labels: {
        ...this.#inherited(spec.profiles),
        ...notLent(metadata.labels),
        'projectcalico.org/namespace': metadata.namespace ?? '',
        'projectcalico.org/orchestrator': spec.orchestrator,
        ...(account === '' || account.length > LABEL_VALUE
          ? {}
          : { 'projectcalico.org/serviceaccount': account }),
      },
      prefixes: prefixes(spec.ipNetworks),
      ports: ports(spec.ports),
    };
  }

  host(endpoint: HostEndpoint): Party {
    return this.#remembered(endpoint, () => this.#host(endpoint));
  }

  #host({ metadata, spec }: HostEndpoint): Party {
    return {
      name: `HostEndpoint/${metadata.name}`,
      namespace: undefined,
      serviceAccount: undefined,
      labels: { ...this.#inherited(spec.profiles), ...notLent(metadata.labels) },
      prefixes: prefixes(spec.expectedIPs),
      ports: ports(spec.ports),
    };
  }

  readonly #known = new Map<Resource, Party>();

  /** One for each: what is found out about it is filed under it. */
  #remembered(resource: Resource, make: () => Party): Party {
    const party = this.#known.get(resource) ?? make();
    this.#known.set(resource, party);
    return party;
  }

  /** By canonical text: a cluster has a hundred thousand workloads, and a packet two ends. */
  #byAddress: ReadonlyMap<string, readonly WorkloadEndpoint[]> | undefined;
  #hostsByAddress: ReadonlyMap<string, readonly HostEndpoint[]> | undefined;
  readonly #owners = new Map<string, readonly Party[]>();

  /** The first of those whose the address is. */
  workloadAt(address: Address): WorkloadEndpoint | undefined {
    return this.workloadsAt(address)[0];
  }

  workloadsAt(address: Address): readonly WorkloadEndpoint[] {
    this.#byAddress ??= byText(this.workloads, ({ spec }) => spec.ipNetworks);
    return this.#byAddress.get(address.toString()) ?? [];
  }

  /** Everybody whose the address is, endpoints first. */
  ownersOf(address: Address): readonly Party[] {
    const text = address.toString();
    const known = this.#owners.get(text);
    if (known !== undefined) return known;
    this.#hostsByAddress ??= byText(this.hosts, ({ spec }) => spec.expectedIPs);
    const found = [
      ...this.workloadsAt(address).map((each) => this.workload(each)),
      ...(this.#hostsByAddress.get(text) ?? []).map((each) => this.host(each)),
      ...this.#setParties().filter((party) => owns(party, address)),
    ];
    this.#owners.set(text, found);
    return found;
  }

  #setParties(): readonly Party[] {
    return this.#sets.map((each) => this.#remembered(each, () => this.#set(each)));
  }

  #set({ kind, metadata, spec }: NetworkSet | GlobalNetworkSet): Party {
    const { namespace } = metadata;
    const place = namespace === undefined ? '' : `${namespace}/`;
    return {
      name: `${kind}/${place}${metadata.name}`,
      namespace,
      serviceAccount: undefined,
      labels: {
        ...this.#inherited(namespace === undefined ? [] : [`kns.${namespace}`]),
        ...notLent(metadata.labels),
        ...(namespace === undefined ? {} : { 'projectcalico.org/namespace': namespace }),
      },
      prefixes: prefixes(spec.nets),
      ports: [],
    };
  }

  /** Of several profiles that lend a label, the first one's counts. */
  #inherited(names: readonly string[] = []): Labels {
    const labels: Record<string, string> = {};
    for (const name of names) {
      for (const [label, value] of Object.entries(this.profiles.get(name)?.spec.labelsToApply ?? {})) {
        labels[label] ??= value;
      }
    }
    return labels;
  }
}

/** Endpoints do not come from pods here: a node knows its workloads from whoever wired them. */
const CONVERTED = [
  'Namespace',
  'ServiceAccount',
  'KubernetesNetworkPolicy',
  'ClusterNetworkPolicy',
  'AdminNetworkPolicy',
  'BaselineAdminNetworkPolicy',
] as const satisfies readonly Kind[];

/** What they become. */
const MADE = ['Profile', 'NetworkPolicy', 'GlobalNetworkPolicy'] as const satisfies readonly Kind[];

/** @param textsOf  addresses in canonical text, with or without the length of a whole one */
function byText<T>(
  list: readonly T[],
  textsOf: (each: T) => readonly string[] | undefined,
): ReadonlyMap<string, readonly T[]> {
  const found = new Map<string, T[]>();
  for (const each of list)
    for (const text of textsOf(each) ?? []) {
      const slash = text.indexOf('/');
      const address = slash < 0 ? text : text.slice(0, slash);
      const owners = found.get(address);
      if (owners === undefined) found.set(address, [each]);
      else if (!owners.includes(each)) owners.push(each);
    }
  return found;
}

function identity({ kind, metadata }: Resource): string {
  return `${kind}/${metadata.namespace ?? ''}/${metadata.name}`;
}

function byName<R extends Node | Profile | Tier>(list: readonly R[]): ReadonlyMap<string, R> {
  return new Map(list.map((each) => [each.metadata.name, each]));
}

function notLent(labels: Labels = {}): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([label]) => !/^pc(?:ns|sa)\./.test(label)));
}

function prefixes(texts: readonly string[] = []): readonly Prefix[] {
  return texts.flatMap((text) => {
    const whole = text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`;
    return Prefix.parse(whole, { hostBits: 'mask' }) ?? [];
  });
}

function ports(
  list: readonly { readonly name?: string; readonly protocol: string | number; readonly port: number }[] = [],
): Party['ports'] {
  return list.flatMap(({ name = '', protocol, port }) =>
    name === '' ? [] : [{ name, protocol: String(protocol).toUpperCase(), port }],
  );
}

export function owns(party: Party, address: Address): boolean {
  return party.prefixes.some((prefix) => prefix.version === address.version && prefix.contains(address));
}
