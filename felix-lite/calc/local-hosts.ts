/**
 * This node's host endpoints: which interface each guards, and through which tiers and profiles packets go there.
 *
 * An endpoint that names its interface guards it whether it is there yet or not, so that it is never open at first. One
 * that names addresses guards the interfaces that have one of them. `*` guards all that no other endpoint does, but for
 * the interfaces of workloads, where the workloads' own policy judges.
 */
import type { Problem } from '../../api/problem.ts';
import { compareText } from '../../api/selector/index.ts';
import type { EndpointKey, HostInterface } from './model.ts';
import type { Policy } from './policies.ts';
import type { ProfileUsers } from './profile-users.ts';
import type { Tiers } from './tiers.ts';

export interface LocalHost {
  readonly name: string;
  readonly interfaceName: string | undefined;
  /** Canonical text. */
  readonly expectedIPs: readonly string[];
  readonly profiles: readonly string[];
}

/** Canonical text of the addresses of each interface of this node. */
export type InterfaceAddresses = ReadonlyMap<string, readonly string[]>;

export const ALL_INTERFACES = '*';

/** Whether the key is that of a host endpoint: no namespace is called so. */
export function isHost(key: EndpointKey): boolean {
  return key.startsWith('HostEndpoint/');
}

export class LocalHosts {
  readonly #prefix: string;
  readonly #tiers: Tiers;
  readonly #profileUsers: ProfileUsers;
  readonly #hosts = new Map<EndpointKey, LocalHost>();
  #interfaces: InterfaceAddresses = new Map();
  /** Interface to the endpoint that guards it. */
  #guards: ReadonlyMap<string, EndpointKey> = new Map();
  #unresolved = false;
  readonly #dirty = new Set<EndpointKey>();
  readonly #told = new Map<string, HostInterface>();
  #problems: readonly Problem[] = [];

  constructor(interfacePrefix: string, tiers: Tiers, profileUsers: ProfileUsers) {
    this.#prefix = interfacePrefix;
    this.#tiers = tiers;
    this.#profileUsers = profileUsers;
  }

  put(key: EndpointKey, host: LocalHost | undefined): void {
    if (host === undefined) this.#hosts.delete(key);
    else this.#hosts.set(key, host);
    this.#unresolved = true;
    this.#dirty.add(key);
  }

  has(key: EndpointKey): boolean {
    return this.#hosts.has(key);
  }

  putInterfaces(interfaces: InterfaceAddresses): void {
    this.#interfaces = interfaces;
    this.#unresolved = true;
  }

  /** The policies that select it, or their order, may have changed. */
  touch(key: EndpointKey): void {
    this.#dirty.add(key);
  }

  take(policiesOf: (key: EndpointKey) => Iterable<Policy>): ReadonlyMap<string, HostInterface | undefined> {
    const stale = new Set([...this.#guards].filter(([, key]) => this.#dirty.has(key)).map(([name]) => name));
    if (this.#unresolved) {
      const before = this.#guards;
      this.#guards = this.#resolve();
      for (const [name, key] of this.#guards) {
        if (before.get(name) !== key || this.#dirty.has(key)) stale.add(name);
      }
      for (const name of before.keys()) if (!this.#guards.has(name)) stale.add(name);
      this.#unresolved = false;
    }
    this.#dirty.clear();
    const changes = new Map<string, HostInterface | undefined>();
    for (const name of stale) {
      const before = this.#told.get(name);
      const after = this.#guarded(name, policiesOf);
      if (JSON.stringify(before) === JSON.stringify(after)) continue;
      changes.set(name, after);
      if (after === undefined) this.#told.delete(name);
      else this.#told.set(name, after);
      this.#profileUsers.exchange(before?.profiles, after?.profiles);
    }
    return changes;
  }

  get problems(): readonly Problem[] {
    return this.#problems;
  }

  get size(): number {
    return this.#told.size;
  }

  #guarded(
    interfaceName: string,
    policiesOf: (key: EndpointKey) => Iterable<Policy>,
  ): HostInterface | undefined {
    const key = this.#guards.get(interfaceName);
    const host = key === undefined ? undefined : this.#hosts.get(key);
    if (key === undefined || host === undefined) return undefined;
    const policies = [...policiesOf(key)];
    const arranged = (wanted: (policy: Policy) => boolean): HostInterface['normal'] =>
      this.#tiers.arrange(policies.filter(wanted));
    return {
      interfaceName,
      endpoint: host.name,
      untracked: arranged(({ stage }) => stage === 'untracked'),
      preDNAT: arranged(({ stage }) => stage === 'preDNAT'),
      normal: arranged(({ stage }) => stage === 'normal'),
      forward: arranged(({ stage, applyOnForward }) => stage === 'normal' && applyOnForward),
      profiles: host.profiles,
    };
  }

  /** Who names the interface comes before who knows an address of it; of several the first by name. */
  #resolve(): ReadonlyMap<string, EndpointKey> {
    const guards = new Map<string, EndpointKey>();
    const problems: Problem[] = [];
    const ordered = [...this.#hosts].sort(([, a], [, b]) => compareText(a.name, b.name));
    const claim = (interfaceName: string, key: EndpointKey, host: LocalHost): void => {
      const owner = guards.get(interfaceName);
      if (owner === undefined) guards.set(interfaceName, key);
      else if (owner !== key) problems.push(shared(host, interfaceName, this.#hosts.get(owner)?.name ?? ''));
    };
    for (const [key, host] of ordered) {
      if (host.interfaceName === undefined) continue;
      if (this.#isWorkloads(host.interfaceName)) problems.push(ofWorkload(host, host.interfaceName));
      else claim(host.interfaceName, key, host);
    }
    for (const [key, host] of ordered) {
      if (host.interfaceName !== undefined) continue;
      const found = [...this.#interfaces].filter(
        ([name, addresses]) =>
          !this.#isWorkloads(name) && addresses.some((address) => host.expectedIPs.includes(address)),
      );
      if (found.length === 0) problems.push(nowhere(host));
      for (const [name] of found) claim(name, key, host);
    }
    this.#problems = problems;
    return guards;
  }

  #isWorkloads(interfaceName: string): boolean {
    return interfaceName.startsWith(this.#prefix);
  }
}

function shared(host: LocalHost, interfaceName: string, owner: string): Problem {
  return {
    code: 'INTERFACE_SHARED',
    resource: `HostEndpoint/${host.name}`,
    value: interfaceName,
    what: `${interfaceName} is guarded by HostEndpoint/${owner} already, whose policy holds there`,
    remedy: 'keep one endpoint for each interface',
  };
}

function ofWorkload(host: LocalHost, interfaceName: string): Problem {
  return {
    code: 'INTERFACE_NAME',
    resource: `HostEndpoint/${host.name}`,
    field: 'spec.interfaceName',
    value: interfaceName,
    what: `${interfaceName} is the name of a workload's interface, where the workload's own policy judges; the endpoint guards nothing`,
    remedy: 'name an interface of the host',
  };
}

function nowhere(host: LocalHost): Problem {
  return {
    code: 'HOST_ENDPOINT_NOWHERE',
    resource: `HostEndpoint/${host.name}`,
    field: 'spec.expectedIPs',
    value: host.expectedIPs,
    what: 'no interface of this node has one of these addresses; the endpoint guards nothing until one has',
    remedy: 'correct expectedIPs, or name the interface',
  };
}
