/** This node's workload endpoints: which of them are enforced, and through which tiers and profiles each goes. */
import type { Problem } from '../../api/problem.ts';
import { compareText } from '../../api/selector/index.ts';
import type { EndpointKey, LocalEndpoint, PolicyRef, TierPolicies } from './model.ts';
import { type Policy, type TierSettings, comparePolicies, compareTiers, fixedTier } from './policies.ts';

export interface LocalWorkload {
  readonly interfaceName: string;
  readonly profiles: readonly string[];
}

/** IFNAMSIZ less the final NUL, and nothing that a line of iptables-restore would trip over. */
const INTERFACE_NAME = /^[A-Za-z0-9_.-]{1,15}$/;

export class LocalEndpoints {
  readonly #prefix: string;
  readonly #workloads = new Map<EndpointKey, LocalWorkload>();
  readonly #byInterface = new Map<string, Set<EndpointKey>>();
  readonly #tiers = new Map<string, TierSettings>();
  readonly #dirty = new Set<EndpointKey>();
  readonly #told = new Map<EndpointKey, LocalEndpoint>();
  readonly #profileUsers = new Map<string, number>();
  readonly #profileChanges = new Set<string>();
  readonly #problems = new Map<EndpointKey, Problem>();

  constructor(interfacePrefix: string) {
    this.#prefix = interfacePrefix;
  }

  put(key: EndpointKey, workload: LocalWorkload | undefined): void {
    const before = this.#workloads.get(key);
    if (before !== undefined) this.#claim(key, before.interfaceName, false);
    if (workload === undefined) this.#workloads.delete(key);
    else {
      this.#workloads.set(key, workload);
      this.#claim(key, workload.interfaceName, true);
    }
    this.#dirty.add(key);
  }

  /** The policies that select it, or their order, may have changed. */
  touch(key: EndpointKey): void {
    this.#dirty.add(key);
  }

  /** Undefined: there is no such resource. */
  putTier(name: string, settings: Omit<TierSettings, 'exists'> | undefined): void {
    if (settings === undefined) this.#tiers.delete(name);
    else this.#tiers.set(name, { ...settings, exists: true });
    for (const key of this.#workloads.keys()) this.#dirty.add(key);
  }

  take(
    policiesOf: (key: EndpointKey) => Iterable<Policy>,
  ): ReadonlyMap<EndpointKey, LocalEndpoint | undefined> {
    const changes = new Map<EndpointKey, LocalEndpoint | undefined>();
    for (const key of this.#dirty) {
      const before = this.#told.get(key);
      const after = this.#endpoint(key, policiesOf);
      if (same(before, after)) continue;
      changes.set(key, after);
      if (after === undefined) this.#told.delete(key);
      else this.#told.set(key, after);
      for (const name of after?.profiles ?? []) this.#useProfile(name, 1);
      for (const name of before?.profiles ?? []) this.#useProfile(name, -1);
    }
    this.#dirty.clear();
    return changes;
  }

  /** Profiles that came into use or went out of it since the last call. */
  takeProfileChanges(): readonly string[] {
    const names = [...this.#profileChanges];
    this.#profileChanges.clear();
    return names;
  }

  usesProfile(name: string): boolean {
    return this.#profileUsers.has(name);
  }

  get problems(): readonly Problem[] {
    return [...this.#problems.values()];
  }

  get size(): number {
    return this.#told.size;
  }

  #endpoint(key: EndpointKey, policiesOf: (key: EndpointKey) => Iterable<Policy>): LocalEndpoint | undefined {
    const workload = this.#workloads.get(key);
    const problem = workload === undefined ? undefined : this.#problem(key, workload);
    if (problem === undefined) this.#problems.delete(key);
    else this.#problems.set(key, problem);
    if (workload === undefined || problem !== undefined) return undefined;
    const { interfaceName, profiles } = workload;
    return { key, interfaceName, tiers: this.#inTiers(policiesOf(key)), profiles };
  }

  #problem(key: EndpointKey, { interfaceName }: LocalWorkload): Problem | undefined {
    const resource = `WorkloadEndpoint/${key}`;
    const field = 'spec.interfaceName';
    if (!INTERFACE_NAME.test(interfaceName) || !interfaceName.startsWith(this.#prefix)) {
      return {
        code: 'INTERFACE_NAME',
        resource,
        field,
        value: interfaceName,
        what: `${JSON.stringify(interfaceName)} is not the name of a workload's interface; its traffic is not let through`,
        remedy: `use at most 15 letters, digits, "_", "." and "-", beginning with ${this.#prefix}`,
      };
    }
    const [owner] = [...(this.#byInterface.get(interfaceName) ?? [])].sort(compareText);
    if (owner === key) return undefined;
    return {
      code: 'INTERFACE_SHARED',
      resource,
      field,
      value: interfaceName,
      what: `${interfaceName} belongs to WorkloadEndpoint/${owner ?? ''} already, whose policy holds there`,
      remedy: 'delete the endpoint that is gone',
    };
  }

  #inTiers(policies: Iterable<Policy>): readonly TierPolicies[] {
    const byTier = Map.groupBy(policies, ({ tier }) => tier);
    return [...byTier.keys()]
      .map((name): readonly [string, TierSettings] => [name, this.#tiers.get(name) ?? fixedTier(name)])
      .sort(compareTiers)
      .map(([name, { defaultAction }]) => {
        const ordered = (byTier.get(name) ?? []).sort(comparePolicies);
        return {
          name,
          defaultAction,
          ingress: ordered.filter(({ types }) => types.ingress).map(reference),
          egress: ordered.filter(({ types }) => types.egress).map(reference),
        };
      });
  }

  #claim(key: EndpointKey, interfaceName: string, claims: boolean): void {
    const owners = this.#byInterface.get(interfaceName) ?? new Set();
    if (claims) owners.add(key);
    else owners.delete(key);
    if (owners.size === 0) this.#byInterface.delete(interfaceName);
    else this.#byInterface.set(interfaceName, owners);
    for (const owner of owners) this.#dirty.add(owner);
  }

  #useProfile(name: string, by: 1 | -1): void {
    const users = (this.#profileUsers.get(name) ?? 0) + by;
    if (users === 0) this.#profileUsers.delete(name);
    else this.#profileUsers.set(name, users);
    this.#profileChanges.add(name);
  }
}

function reference({ id, selector }: Policy): PolicyRef {
  return { id, selector: selector.canonical };
}

/** Both are plain data, built in one way. */
function same(a: LocalEndpoint | undefined, b: LocalEndpoint | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
