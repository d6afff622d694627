/**
 * Resources in, what this node needs out, a difference at a time.
 *
 * What comes out depends on the resources present and on nothing else: not on their order, not on what was
 * there before. A reference to what is missing has a meaning of its own: an unknown profile denies, an unknown
 * tier comes last. The work of a change is in proportion to what it affects.
 */
import { type Kind, type Resource, type ResourceOf, validate } from '../../api/index.ts';
import { madeFrom, namespaceProfileName, serviceAccountProfileName } from '../../api/kubernetes/index.ts';
import { ok, type Problem } from '../../api/problem.ts';
import {
  allowedSources,
  floatingIps,
  type Selectable,
  selectableHost,
  selectableSet,
  selectableWorkload,
} from './endpoints.ts';
import {
  KUBERNETES_POLICIES,
  kubernetesPolicyId,
  readBrokenKubernetesPolicy,
  readKubernetesPolicy,
} from './kubernetes.ts';
import { FixedSets } from './fixed-sets.ts';
import { KnownPolicies } from './known-policies.ts';
import { type HoldSets, KnownProfiles } from './known-profiles.ts';
import { LocalEndpoints } from './local-endpoints.ts';
import { type InterfaceAddresses, isHost, LocalHosts } from './local-hosts.ts';
import type { CalcDelta, EndpointKey, PolicyId, SetDefinition } from './model.ts';
import { type ReadPolicy, readBrokenPolicy, readPolicy } from './policies.ts';
import { ProfileUsers } from './profile-users.ts';
import { SetMembers } from './set-members.ts';
import { sliceContribution } from './services.ts';
import { commonPolicy } from './stored-policy.ts';
import { commonWorkload } from './stored-workload.ts';
import { Tiers } from './tiers.ts';

/** As the datastore's mirror tells it; `value` undefined: the resource is gone. */
export interface ResourceChange {
  readonly key: { readonly kind: string; readonly scope: string; readonly name: string };
  readonly value: unknown;
}

/** Kinds that calc wants to hear of. */
export const CALC_KINDS = [
  'Tier',
  'GlobalNetworkPolicy',
  'NetworkPolicy',
  'Profile',
  'GlobalNetworkSet',
  'NetworkSet',
  'HostEndpoint',
  'WorkloadEndpoint',
  'Node',
  'IPPool',
  'Namespace',
  'ServiceAccount',
  'EndpointSlice',
  ...KUBERNETES_POLICIES,
] as const satisfies readonly Kind[];

export interface CalculatorOptions {
  /** Name of this node. */
  readonly node: string;
  /** Names of workloads' interfaces begin so; others are never dispatched to. */
  readonly interfacePrefix: string;
  /** Prefixes of machines that are no nodes and may send through tunnels; default: none. */
  readonly externalNodes?: readonly string[];
}

export class Calculator {
  readonly #node: string;
  readonly #sets = new SetMembers();
  readonly #fixedSets: FixedSets;
  readonly #tiers = new Tiers();
  readonly #profileUsers = new ProfileUsers();
  readonly #locals: LocalEndpoints;
  readonly #hosts: LocalHosts;
  readonly #policies = new KnownPolicies((endpoint) => this.#touch(endpoint));
  readonly #profiles = new KnownProfiles((name, labels) => this.#putParent(name, labels));
  readonly #problems = new Map<string, readonly Problem[]>();

  constructor({ node, interfacePrefix, externalNodes = [] }: CalculatorOptions) {
    this.#node = node;
    this.#fixedSets = new FixedSets(externalNodes);
    this.#locals = new LocalEndpoints(interfacePrefix, this.#tiers, this.#profileUsers);
    this.#hosts = new LocalHosts(interfacePrefix, this.#tiers, this.#profileUsers);
  }

  update(changes: readonly ResourceChange[]): void {
    for (const { key, value } of changes) {
      const name = key.scope === '' ? `${key.kind}/${key.name}` : `${key.kind}/${key.scope}/${key.name}`;
      const problems = this.#take(key, value, name);
      if (problems.length === 0) this.#problems.delete(name);
      else
        this.#problems.set(
          name,
          problems.map((problem) => ({ resource: name, ...problem })),
        );
    }
  }

  /** All interfaces of this node, for host endpoints that name addresses. */
  putInterfaces(interfaces: InterfaceAddresses): void {
    this.#hosts.putInterfaces(interfaces);
  }

  /** What has changed since the last call. */
  take(): CalcDelta {
    const hold: HoldSets = (after, before) => this.#hold(after, before);
    const policies = this.#policies.take(hold);
    const endpoints = this.#locals.take((key) => this.#policies.of(key));
    const hosts = this.#hosts.take((key) => this.#policies.of(key));
    // After the endpoints: they alone say which profiles are in use.
    for (const name of this.#profileUsers.takeChanges()) this.#profiles.touch(name);
    const profiles = this.#profiles.take((name) => this.#profileUsers.uses(name), hold);
    const sets = new Map([...this.#sets.takeChanges(), ...this.#fixedSets.takeChanges()]);
    return { policies, profiles, endpoints, hosts, sets };
  }

  /** Of resources that could not be taken as they are, with what was done instead. */
  get problems(): readonly Problem[] {
    return [...[...this.#problems.values()].flat(), ...this.#locals.problems, ...this.#hosts.problems];
  }

  /** Endpoints of this node under each policy that cannot be enforced as it is written, by the names of the policies. */
  closed(): ReadonlyMap<string, readonly EndpointKey[]> {
    return this.#policies.closed();
  }

  /** How often an endpoint's policies were put in order: the measure of what a change costs. */
  get arrangements(): number {
    return this.#tiers.arrangements;
  }

  get counts(): Readonly<Record<'endpoints' | 'hostInterfaces' | 'policies' | 'profiles' | 'sets', number>> {
    return {
      endpoints: this.#locals.size,
      hostInterfaces: this.#hosts.size,
      policies: this.#policies.size,
      profiles: this.#profiles.size,
      sets: this.#sets.size,
    };
  }

  #take(key: ResourceChange['key'], value: unknown, name: string): readonly Problem[] {
    const common = commonShape(key.kind, value);
    const read = value === undefined ? undefined : common === undefined ? validate(value) : ok(common);
    const resource = read?.ok === true ? read.value : undefined;
    const problems = read?.ok === false ? read.problems : [];
    switch (key.kind) {
      case 'NetworkPolicy':
      case 'GlobalNetworkPolicy':
        return this.#takePolicy(
          { kind: key.kind, namespace: key.scope, name: key.name },
          name,
          resource,
          value,
          problems,
        );
      case 'KubernetesNetworkPolicy':
      case 'ClusterNetworkPolicy':
      case 'AdminNetworkPolicy':
      case 'BaselineAdminNetworkPolicy':
        return this.#takePolicy(
          kubernetesPolicyId(key.kind, key.scope, key.name),
          name,
          resource,
          value,
          problems,
        );
      case 'Profile':
        return this.#profiles.putStored(key.name, as('Profile', resource), value !== undefined, problems);
      case 'Namespace':
      case 'ServiceAccount':
        this.#takeMadeProfile(key, resource);
        return problems;
      case 'EndpointSlice': {
        const slice = as('EndpointSlice', resource);
        this.#sets.putSlice(name, slice === undefined ? undefined : sliceContribution(slice));
        return problems;
      }
      case 'Tier':
        return this.#takeTier(key.name, as('Tier', resource), problems);
      case 'WorkloadEndpoint':
        this.#takeWorkload(name, `${key.scope}/${key.name}`, as('WorkloadEndpoint', resource));
        return problems;
      case 'Node':
        this.#fixedSets.putNode(key.name, as('Node', resource));
        return problems;
      case 'IPPool':
        this.#fixedSets.putPool(key.name, as('IPPool', resource));
        return problems;
      case 'HostEndpoint':
        this.#takeHost(name, as('HostEndpoint', resource));
        return problems;
      case 'NetworkSet':
      case 'GlobalNetworkSet': {
        const set = as('NetworkSet', resource) ?? as('GlobalNetworkSet', resource);
        this.#putSelectable(name, set === undefined ? undefined : selectableSet(set));
        return problems;
      }
      default:
        return [];
    }
  }

  #takePolicy(
    id: PolicyId,
    name: string,
    resource: Resource | undefined,
    value: unknown,
    problems: readonly Problem[],
  ): readonly Problem[] {
    const read = readAny(id, resource, value, problems);
    this.#policies.put(id, name, read);
    return read.problems;
  }

  #takeMadeProfile({ kind, scope, name }: ResourceChange['key'], resource: Resource | undefined): void {
    const made = resource === undefined ? undefined : as('Profile', madeFrom(resource)?.resource);
    const profile =
      kind === 'Namespace' ? namespaceProfileName(name) : serviceAccountProfileName(scope, name);
    this.#profiles.putMade(profile, made);
  }

  #takeTier(
    name: string,
    tier: ResourceOf<'Tier'> | undefined,
    problems: readonly Problem[],
  ): readonly Problem[] {
    const settings =
      tier === undefined
        ? undefined
        : { order: tier.spec.order ?? Number.POSITIVE_INFINITY, defaultAction: tier.spec.defaultAction };
    this.#tiers.put(name, settings);
    this.#policies.touchTier(name);
    return problems;
  }

  #takeWorkload(name: string, key: EndpointKey, workload: ResourceOf<'WorkloadEndpoint'> | undefined): void {
    const selectable = workload === undefined ? undefined : selectableWorkload(workload);
    this.#putSelectable(name, selectable);
    if (workload === undefined || selectable === undefined || workload.spec.node !== this.#node) {
      this.#policies.selection.deleteItem(key);
      this.#locals.put(key, undefined);
      return;
    }
    const { interfaceName = '', profiles = [] } = workload.spec;
    this.#locals.put(key, {
      interfaceName,
      profiles,
      nats: floatingIps(workload),
      sources: allowedSources(workload),
    });
    this.#policies.selection.putItem(key, selectable.labels, selectable.parents);
  }

  #takeHost(key: EndpointKey, host: ResourceOf<'HostEndpoint'> | undefined): void {
    const selectable = host === undefined ? undefined : selectableHost(host);
    this.#putSelectable(key, selectable);
    if (host === undefined || selectable === undefined || host.spec.node !== this.#node) {
      this.#policies.selection.deleteItem(key);
      this.#hosts.put(key, undefined);
      return;
    }
    const { interfaceName, profiles = [] } = host.spec;
    const expectedIPs = selectable.contribution.nets.map(({ address }) => address.toString());
    this.#hosts.put(key, { name: host.metadata.name, interfaceName, expectedIPs, profiles });
    this.#policies.selection.putItem(key, selectable.labels, selectable.parents);
  }

  #touch(key: EndpointKey): void {
    if (isHost(key)) this.#hosts.touch(key);
    else this.#locals.touch(key);
  }

  #putSelectable(name: string, selectable: Selectable | undefined): void {
    if (selectable === undefined) this.#sets.deleteItem(name);
    else this.#sets.putItem(name, selectable.labels, selectable.parents, selectable.contribution);
  }

  #putParent(name: string, labels: Readonly<Record<string, string>> | undefined): void {
    this.#sets.putParent(name, labels);
    this.#policies.selection.putParent(name, labels);
  }

  /** The new ones first, so that a set which both use does not go and come back. */
  #hold(after: readonly SetDefinition[] = [], before: readonly SetDefinition[] = []): void {
    for (const definition of after) this.#sets.acquire(definition);
    for (const { id } of before) this.#sets.release(id);
  }
}

/** Of the kinds of which there are many; undefined: the schema has to look. */
function commonShape(kind: string, value: unknown): Resource | undefined {
  if (kind === 'WorkloadEndpoint') return commonWorkload(value);
  return kind === 'NetworkPolicy' ? commonPolicy(value) : undefined;
}

function readAny(
  id: PolicyId,
  resource: Resource | undefined,
  value: unknown,
  problems: readonly Problem[],
): ReadPolicy {
  const ours = as('NetworkPolicy', resource) ?? as('GlobalNetworkPolicy', resource);
  if (ours !== undefined) return readPolicy(ours);
  if (resource !== undefined) return readKubernetesPolicy(id, resource);
  if (value === undefined) return { policy: undefined, problems: [] };
  return id.kind === 'NetworkPolicy' || id.kind === 'GlobalNetworkPolicy'
    ? readBrokenPolicy(id, value, problems)
    : readBrokenKubernetesPolicy(id, value, problems);
}

function as<K extends Kind>(kind: K, resource: Resource | undefined): ResourceOf<K> | undefined {
  return resource?.kind === kind ? (resource as ResourceOf<K>) : undefined;
}
