/**
 * The cluster as the evaluator sees it: resources, and who owns an address. Pure, plain, unindexed, and on
 * purpose without a line of calc: it is what calc and the rules are held against.
 */
import type {
  EndpointSlice,
  GlobalNetworkPolicy,
  GlobalNetworkSet,
  HostEndpoint,
  Labels,
  NetworkPolicy,
  NetworkSet,
  Profile,
  Resource,
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

export class World {
  readonly tiers: ReadonlyMap<string, Tier>;
  readonly profiles: ReadonlyMap<string, Profile>;
  readonly policies: readonly (NetworkPolicy | GlobalNetworkPolicy)[];
  readonly workloads: readonly WorkloadEndpoint[];
  readonly hosts: readonly HostEndpoint[];
  readonly parties: readonly Party[];

  readonly slices: readonly EndpointSlice[];
  readonly #origins = new Map<Resource, Resource>();

  constructor(resources: Iterable<Resource>) {
    const given = [...resources];
    const stored = new Set(given.map(identity));
    const made = given.flatMap((each) => {
      const resource = CONVERTED.has(each.kind) ? madeFrom(each)?.resource : undefined;
      // What is stored comes before what would be made.
      if (resource === undefined || stored.has(identity(resource))) return [];
      this.#origins.set(resource, each);
      return [resource];
    });
    const all = [...given, ...made];
    this.slices = all.filter((each) => each.kind === 'EndpointSlice');
    this.tiers = byName(all.filter((each) => each.kind === 'Tier'));
    this.profiles = byName(all.filter((each) => each.kind === 'Profile'));
    this.policies = all.filter(
      (each) => each.kind === 'NetworkPolicy' || each.kind === 'GlobalNetworkPolicy',
    );
    this.workloads = all.filter((each) => each.kind === 'WorkloadEndpoint');
    this.hosts = all.filter((each) => each.kind === 'HostEndpoint');
    this.parties = all.flatMap((each) => {
      switch (each.kind) {
        case 'WorkloadEndpoint':
          return this.workload(each);
        case 'HostEndpoint':
          return this.host(each);
        case 'NetworkSet':
        case 'GlobalNetworkSet':
          return this.#set(each);
        default:
          return [];
      }
    });
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
        ...(account === '' ? {} : { 'projectcalico.org/serviceaccount': account }),
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

  readonly #hostOwners = new Map<string, Party[]>();
  readonly #netOwners: Party[] = [];
  readonly #owners = new Map<string, readonly Party[]>();

  /** Everybody whose the address is, endpoints first. */
  ownersOf(address: Address): readonly Party[] {
    const text = address.toString();
    const known = this.#owners.get(text);
    if (known !== undefined) return known;
    if (this.#hostOwners.size + this.#netOwners.length === 0) this.#fileOwners();
    const found = [
      ...(this.#hostOwners.get(text) ?? []),
      ...this.#netOwners.filter((party) => owns(party, address)),
    ];
    this.#owners.set(text, found);
    return found;
  }

  #fileOwners(): void {
    for (const party of this.parties) {
      if (party.prefixes.some(({ isHost }) => !isHost)) {
        this.#netOwners.push(party);
        continue;
      }
      for (const { address } of party.prefixes) {
        const text = address.toString();
        const owners = this.#hostOwners.get(text) ?? [];
        this.#hostOwners.set(text, owners);
        if (!owners.includes(party)) owners.push(party);
      }
    }
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
const CONVERTED: ReadonlySet<string> = new Set([
  'Namespace',
  'ServiceAccount',
  'KubernetesNetworkPolicy',
  'ClusterNetworkPolicy',
  'AdminNetworkPolicy',
  'BaselineAdminNetworkPolicy',
]);

function identity({ kind, metadata }: Resource): string {
  return `${kind}/${metadata.namespace ?? ''}/${metadata.name}`;
}

function byName<R extends Tier | Profile>(list: readonly R[]): ReadonlyMap<string, R> {
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
