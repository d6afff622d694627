/** This node's workload endpoints: which of them are enforced, and through which tiers and profiles each goes. */
import type { Problem } from '../../api/problem.ts';
import { compareText } from '../../api/selector/index.ts';
import type { Prefix } from '../../net/addr/index.ts';
import { type AddressPair, type EndpointKey, type LocalEndpoint, sameTexts, sameTiers } from './model.ts';
import type { Policy } from './policies.ts';
import type { ProfileUsers } from './profile-users.ts';
import type { Tiers } from './tiers.ts';

export interface LocalWorkload {
  readonly interfaceName: string;
  readonly profiles: readonly string[];
  /** None is the same as undefined. */
  readonly nats?: readonly AddressPair[];
  /** None is the same as undefined. */
  readonly sources?: readonly Prefix[];
}

/** IFNAMSIZ less the final NUL, and nothing that a line of iptables-restore would trip over. */
const INTERFACE_NAME = /^[A-Za-z0-9_.-]{1,15}$/;

export class LocalEndpoints {
  readonly #prefix: string;
  readonly #workloads = new Map<EndpointKey, LocalWorkload>();
  readonly #byInterface = new Map<string, Set<EndpointKey>>();
  readonly #tiers: Tiers;
  readonly #profileUsers: ProfileUsers;
  readonly #dirty = new Set<EndpointKey>();
  readonly #told = new Map<EndpointKey, LocalEndpoint>();
  readonly #problems = new Map<EndpointKey, Problem>();

  constructor(interfacePrefix: string, tiers: Tiers, profileUsers: ProfileUsers) {
    this.#prefix = interfacePrefix;
    this.#tiers = tiers;
    this.#profileUsers = profileUsers;
  }

  put(key: EndpointKey, workload: LocalWorkload | undefined): void {
    const before = this.#workloads.get(key);
    // Nearly all of a large cluster: they are elsewhere.
    if (before === undefined && workload === undefined) return;
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
      this.#profileUsers.exchange(before?.profiles, after?.profiles);
    }
    this.#dirty.clear();
    return changes;
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
    const { interfaceName, profiles, nats = [], sources = [] } = workload;
    const policies = [...policiesOf(key)].filter(({ stage }) => stage === 'normal');
    const tiers = this.#tiers.arrange(policies);
    return {
      key,
      interfaceName,
      tiers,
      profiles,
      ...(nats.length === 0 ? {} : { nats }),
      ...(sources.length === 0 ? {} : { sources }),
    };
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

  #claim(key: EndpointKey, interfaceName: string, claims: boolean): void {
    const owners = this.#byInterface.get(interfaceName) ?? new Set();
    if (claims) owners.add(key);
    else owners.delete(key);
    if (owners.size === 0) this.#byInterface.delete(interfaceName);
    else this.#byInterface.set(interfaceName, owners);
    for (const owner of owners) this.#dirty.add(owner);
  }
}

function same(a: LocalEndpoint | undefined, b: LocalEndpoint | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.interfaceName === b.interfaceName &&
    sameTexts(a.profiles, b.profiles) &&
    sameTiers(a.tiers, b.tiers, 'ingress') &&
    sameTiers(a.tiers, b.tiers, 'egress') &&
    sameData(a.nats, b.nats) &&
    sameData(a.sources, b.sources)
  );
}

/** Both are plain data, built in one way. */
function sameData(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
