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
import { compileRules, plainRule } from './compile.ts';
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
import { LabelIndex } from './label-index.ts';
import { LocalEndpoints } from './local-endpoints.ts';
import { type InterfaceAddresses, LocalHosts } from './local-hosts.ts';
import {
  type ActivePolicy,
  type ActiveProfile,
  type CalcDelta,
  type EndpointKey,
  type PolicyId,
  type PolicyKey,
  type PolicyRule,
  type SetDefinition,
  policyKey,
} from './model.ts';
import { type Policy, type ReadPolicy, readBrokenPolicy, readPolicy, so } from './policies.ts';
import { ProfileUsers } from './profile-users.ts';
import { SetMembers } from './set-members.ts';
import { sliceContribution } from './services.ts';
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

interface CompiledProfile {
  readonly profile: ActiveProfile;
  readonly sets: readonly SetDefinition[];
}

/** Begins the keys of host endpoints; no namespace is called so. */
const HOST = 'HostEndpoint/';

/** There without being stored. */
const DEFAULT_ALLOW = 'projectcalico-default-allow';

export class Calculator {
  readonly #node: string;
  readonly #sets = new SetMembers();
  readonly #fixedSets: FixedSets;
  readonly #tiers = new Tiers();
  readonly #profileUsers = new ProfileUsers();
  readonly #locals: LocalEndpoints;
  readonly #hosts: LocalHosts;
  /** Which policies' selectors select which local endpoints. */
  readonly #selection: LabelIndex<EndpointKey>;
  readonly #policies = new Map<PolicyKey, Policy>();
  readonly #bySelector = new Map<string, Set<PolicyKey>>();
  readonly #byTier = new Map<string, Set<PolicyKey>>();
  readonly #profiles = new Map<string, CompiledProfile>();
  readonly #dirtyPolicies = new Set<PolicyKey>();
  readonly #dirtyProfiles = new Set<string>();
  /** What others were told; each keeps its sets alive. */
  readonly #activePolicies = new Map<PolicyKey, Policy>();
  readonly #activeProfiles = new Map<string, CompiledProfile>();
  readonly #problems = new Map<string, readonly Problem[]>();
  /** Of those the policies. */
  readonly #brokenPolicies = new Map<string, PolicyKey>();

  constructor({ node, interfacePrefix, externalNodes = [] }: CalculatorOptions) {
    this.#node = node;
    this.#fixedSets = new FixedSets(externalNodes);
    this.#locals = new LocalEndpoints(interfacePrefix, this.#tiers, this.#profileUsers);
    this.#hosts = new LocalHosts(interfacePrefix, this.#tiers, this.#profileUsers);
    const changed = (endpoint: EndpointKey, selectorId: string): void => {
      this.#touch(endpoint);
      for (const key of this.#bySelector.get(selectorId) ?? []) this.#dirtyPolicies.add(key);
    };
    this.#selection = new LabelIndex({ matched: changed, unmatched: changed });
  }

  update(changes: readonly ResourceChange[]): void {
    for (const { key, value } of changes) {
      const name = [key.kind, key.scope, key.name].filter((part) => part !== '').join('/');
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
    const policies = this.#takePolicies();
    const endpoints = this.#locals.take((key) => this.#policiesOf(key));
    const hosts = this.#hosts.take((key) => this.#policiesOf(key));
    // After the endpoints: they alone say which profiles are in use.
    for (const name of this.#profileUsers.takeChanges()) this.#dirtyProfiles.add(name);
    const profiles = this.#takeProfiles();
    const sets = new Map([...this.#sets.takeChanges(), ...this.#fixedSets.takeChanges()]);
    return { policies, profiles, endpoints, hosts, sets };
  }

  /** Of resources that could not be taken as they are, with what was done instead. */
  get problems(): readonly Problem[] {
    return [...[...this.#problems.values()].flat(), ...this.#locals.problems, ...this.#hosts.problems];
  }

  /** Endpoints of this node under each policy that cannot be enforced as it is written, by the names of the policies. */
  closed(): ReadonlyMap<string, readonly EndpointKey[]> {
    const closed = new Map<string, readonly EndpointKey[]>();
    for (const [name, key] of this.#brokenPolicies) {
      const policy = this.#policies.get(key);
      closed.set(name, policy === undefined ? [] : [...this.#selection.matching(policy.selector.id)].sort());
    }
    return closed;
  }

  /** How often an endpoint's policies were put in order: the measure of what a change costs. */
  get arrangements(): number {
    return this.#tiers.arrangements;
  }

  get counts(): Readonly<Record<'endpoints' | 'hostInterfaces' | 'policies' | 'profiles' | 'sets', number>> {
    return {
      endpoints: this.#locals.size,
      hostInterfaces: this.#hosts.size,
      policies: this.#activePolicies.size,
      profiles: this.#activeProfiles.size,
      sets: this.#sets.size,
    };
  }

  #take(key: ResourceChange['key'], value: unknown, name: string): readonly Problem[] {
    const common = key.kind === 'WorkloadEndpoint' ? commonWorkload(value) : undefined;
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
        return this.#takeStoredProfile(key.name, as('Profile', resource), value !== undefined, problems);
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
    const key = policyKey(id);
    const read = readAny(id, resource, value, problems);
    if (read.problems.length === 0) this.#brokenPolicies.delete(name);
    else this.#brokenPolicies.set(name, key);
    const before = this.#policies.get(key);
    const after = read.policy;
    // The new selector first, so that endpoints which both select are not let go in between.
    if (after === undefined) this.#policies.delete(key);
    else {
      this.#policies.set(key, after);
      this.#listen(after, key);
    }
    if (before !== undefined && before.selector.id !== after?.selector.id) this.#stopListening(before, key);
    if (before !== undefined) this.#fileUnderTier(before, key, false);
    if (after !== undefined) this.#fileUnderTier(after, key, true);
    for (const policy of [before, after]) if (policy !== undefined) this.#touchSelected(policy);
    this.#dirtyPolicies.add(key);
    return read.problems;
  }

  #touchSelected({ selector }: Policy): void {
    for (const endpoint of this.#selection.matching(selector.id)) this.#touch(endpoint);
  }

  #fileUnderTier({ tier }: Policy, key: PolicyKey, there: boolean): void {
    const keys = this.#byTier.get(tier) ?? new Set();
    if (there) keys.add(key);
    else keys.delete(key);
    if (keys.size === 0) this.#byTier.delete(tier);
    else this.#byTier.set(tier, keys);
  }

  #listen({ selector }: Policy, key: PolicyKey): void {
    const listeners = this.#bySelector.get(selector.id);
    if (listeners !== undefined) {
      listeners.add(key);
      return;
    }
    this.#bySelector.set(selector.id, new Set([key]));
    this.#selection.putSelector(selector);
  }

  #stopListening({ selector }: Policy, key: PolicyKey): void {
    const listeners = this.#bySelector.get(selector.id);
    for (const endpoint of this.#selection.matching(selector.id)) this.#touch(endpoint);
    if (listeners?.delete(key) === true && listeners.size === 0) {
      this.#bySelector.delete(selector.id);
      this.#selection.deleteSelector(selector.id);
    }
  }

  readonly #storedProfiles = new Set<string>();
  readonly #madeProfiles = new Map<string, ResourceOf<'Profile'>>();

  /** A profile that is stored comes before one that a namespace or a service account would make. */
  #takeStoredProfile(
    name: string,
    resource: ResourceOf<'Profile'> | undefined,
    present: boolean,
    problems: readonly Problem[],
  ): readonly Problem[] {
    if (present) this.#storedProfiles.add(name);
    else this.#storedProfiles.delete(name);
    const made = present ? undefined : this.#madeProfiles.get(name);
    return this.#takeProfile(name, resource ?? made, present, problems);
  }

  #takeMadeProfile({ kind, scope, name }: ResourceChange['key'], resource: Resource | undefined): void {
    const made = resource === undefined ? undefined : as('Profile', madeFrom(resource)?.resource);
    const profile =
      kind === 'Namespace' ? namespaceProfileName(name) : serviceAccountProfileName(scope, name);
    if (made === undefined) this.#madeProfiles.delete(profile);
    else this.#madeProfiles.set(profile, made);
    if (!this.#storedProfiles.has(profile)) this.#takeProfile(profile, made, false, []);
  }

  #takeProfile(
    name: string,
    resource: ResourceOf<'Profile'> | undefined,
    present: boolean,
    problems: readonly Problem[],
  ): readonly Problem[] {
    this.#putParent(name, resource?.spec.labelsToApply);
    this.#dirtyProfiles.add(name);
    if (resource === undefined) {
      // Broken or gone: either way nobody knows what it would allow, and it denies.
      this.#profiles.delete(name);
      return present ? so(problems, 'it allows nothing') : [];
    }
    const ingress = compileRules(resource.spec.ingress ?? [], undefined, 'spec.ingress');
    const egress = compileRules(resource.spec.egress ?? [], undefined, 'spec.egress');
    this.#profiles.set(name, {
      profile: {
        name,
        ingress: ingress.ok ? ingress.value.rules : deny('spec.ingress'),
        egress: egress.ok ? egress.value.rules : deny('spec.egress'),
      },
      sets: [...(ingress.ok ? ingress.value.sets : []), ...(egress.ok ? egress.value.sets : [])],
    });
    return [
      ...(ingress.ok ? [] : so(ingress.problems, 'it denies all ingress')),
      ...(egress.ok ? [] : so(egress.problems, 'it denies all egress')),
    ];
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
    for (const key of this.#byTier.get(name) ?? []) {
      const policy = this.#policies.get(key);
      if (policy !== undefined) this.#touchSelected(policy);
    }
    return problems;
  }

  #takeWorkload(name: string, key: EndpointKey, workload: ResourceOf<'WorkloadEndpoint'> | undefined): void {
    const selectable = workload === undefined ? undefined : selectableWorkload(workload);
    this.#putSelectable(name, selectable);
    if (workload === undefined || selectable === undefined || workload.spec.node !== this.#node) {
      this.#selection.deleteItem(key);
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
    this.#selection.putItem(key, selectable.labels, selectable.parents);
  }

  #takeHost(key: EndpointKey, host: ResourceOf<'HostEndpoint'> | undefined): void {
    const selectable = host === undefined ? undefined : selectableHost(host);
    this.#putSelectable(key, selectable);
    if (host === undefined || selectable === undefined || host.spec.node !== this.#node) {
      this.#selection.deleteItem(key);
      this.#hosts.put(key, undefined);
      return;
    }
    const { interfaceName, profiles = [] } = host.spec;
    const expectedIPs = selectable.contribution.nets.map(({ address }) => address.toString());
    this.#hosts.put(key, { name: host.metadata.name, interfaceName, expectedIPs, profiles });
    this.#selection.putItem(key, selectable.labels, selectable.parents);
  }

  #touch(key: EndpointKey): void {
    if (key.startsWith(HOST)) this.#hosts.touch(key);
    else this.#locals.touch(key);
  }

  #isInUse({ selector, stage, everywhere }: Policy): boolean {
    if (everywhere) return true;
    const selected = this.#selection.matching(selector.id);
    return stage === 'normal' ? selected.size > 0 : [...selected].some((key) => key.startsWith(HOST));
  }

  #putSelectable(name: string, selectable: Selectable | undefined): void {
    if (selectable === undefined) this.#sets.deleteItem(name);
    else this.#sets.putItem(name, selectable.labels, selectable.parents, selectable.contribution);
  }

  #putParent(name: string, labels: Readonly<Record<string, string>> | undefined): void {
    this.#sets.putParent(name, labels);
    this.#selection.putParent(name, labels);
  }

  *#policiesOf(endpoint: EndpointKey): Iterable<Policy> {
    for (const selectorId of this.#selection.selectorsOf(endpoint)) {
      for (const key of this.#bySelector.get(selectorId) ?? []) {
        const policy = this.#policies.get(key);
        if (policy !== undefined) yield policy;
      }
    }
  }

  #takePolicies(): ReadonlyMap<PolicyKey, ActivePolicy | undefined> {
    const changes = new Map<PolicyKey, ActivePolicy | undefined>();
    for (const key of this.#dirtyPolicies) {
      const before = this.#activePolicies.get(key);
      const known = this.#policies.get(key);
      const after = known !== undefined && this.#isInUse(known) ? known : undefined;
      if (before === after) continue;
      this.#hold(after?.sets, before?.sets);
      if (after === undefined) this.#activePolicies.delete(key);
      else this.#activePolicies.set(key, after);
      changes.set(
        key,
        after === undefined
          ? undefined
          : { id: after.id, stage: after.stage, tier: after.tier, ...after.rules },
      );
    }
    this.#dirtyPolicies.clear();
    return changes;
  }

  #takeProfiles(): ReadonlyMap<string, ActiveProfile | undefined> {
    const changes = new Map<string, ActiveProfile | undefined>();
    for (const name of this.#dirtyProfiles) {
      const before = this.#activeProfiles.get(name);
      const after = this.#profileUsers.uses(name)
        ? (this.#profiles.get(name) ?? implicitProfile(name))
        : undefined;
      if (before === after) continue;
      this.#hold(after?.sets, before?.sets);
      if (after === undefined) this.#activeProfiles.delete(name);
      else this.#activeProfiles.set(name, after);
      changes.set(name, after?.profile);
    }
    this.#dirtyProfiles.clear();
    return changes;
  }

  /** The new ones first, so that a set which both use does not go and come back. */
  #hold(after: readonly SetDefinition[] = [], before: readonly SetDefinition[] = []): void {
    for (const definition of after) this.#sets.acquire(definition);
    for (const { id } of before) this.#sets.release(id);
  }
}

/** Of a profile that is not stored: one allows by its name, all others deny, because nobody can say what they allow. */
function implicitProfile(name: string): CompiledProfile {
  const rules = name === DEFAULT_ALLOW ? [plainRule('Allow', 'spec')] : deny('spec');
  return { profile: { name, ingress: rules, egress: rules }, sets: [] };
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

function deny(field: string): readonly PolicyRule[] {
  return [plainRule('Deny', field)];
}

function as<K extends Kind>(kind: K, resource: Resource | undefined): ResourceOf<K> | undefined {
  return resource?.kind === kind ? (resource as ResourceOf<K>) : undefined;
}
