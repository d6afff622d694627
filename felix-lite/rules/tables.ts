/**
 * From what calc says to tables of chains, for both families. Renders again only what a delta touches; the
 * result depends on the present state alone, not on the deltas that led to it.
 */
import type { CalcDelta, Direction, LocalEndpoint, PolicyId, PolicyRule } from '../calc/model.ts';
import type { IpVersion } from '../../net/addr/index.ts';
import { ChainStore } from './chain-store.ts';
import { dispatchChains } from './dispatch.ts';
import { endpointChains } from './endpoint-chains.ts';
import { policyChain, profileChain } from './names.ts';
import { type PolicyRuleOptions, type RulesOwner, policyRules } from './policy-rules.ts';
import { type StaticOptions, staticChains, staticHooks } from './static.ts';
import type { Chain, Hook, TableName } from './types.ts';

export type RulesOptions = StaticOptions & PolicyRuleOptions;

const IP_VERSIONS: readonly IpVersion[] = [4, 6];
/** Tables in which we keep chains. */
export const TABLES: readonly TableName[] = ['raw', 'filter'];
const DIRECTIONS: readonly Direction[] = ['ingress', 'egress'];

export interface TableChange {
  readonly version: IpVersion;
  readonly table: TableName;
  /** Undefined: the chain has to go. */
  readonly chains: ReadonlyMap<string, Chain | undefined>;
}

export class RuleTables {
  readonly #options: RulesOptions;
  readonly #stores: ReadonlyMap<IpVersion, ReadonlyMap<TableName, ChainStore>>;
  readonly #interfaces = new Map<string, string>();
  /** Chains of each endpoint, to see what a change leaves behind; groups are shared, hence counted. */
  readonly #endpoints = new Map<string, readonly Chain[]>();
  readonly #users = new Map<string, number>();
  readonly #policies = new Map<string, PolicyId>();

  constructor(options: RulesOptions) {
    this.#options = options;
    const hooks = staticHooks(options);
    this.#stores = new Map(
      IP_VERSIONS.map((version) => [
        version,
        new Map(
          [...staticChains(version, options)].map(([table, chains]) => [
            table,
            filled(chains, hooks.get(table)),
          ]),
        ),
      ]),
    );
    this.#dispatch();
  }

  hooks(): ReadonlyMap<TableName, readonly Hook[]> {
    return staticHooks(this.#options);
  }

  update(delta: CalcDelta): void {
    for (const [key, policy] of delta.policies) {
      const id = policy?.id ?? this.#policies.get(key);
      if (id === undefined) continue;
      if (policy === undefined) this.#policies.delete(key);
      else this.#policies.set(key, policy.id);
      for (const direction of DIRECTIONS) {
        const place = id.namespace === '' ? id.name : `${id.namespace}/${id.name}`;
        this.#rules(
          policyChain(direction, id),
          policy?.[direction],
          'policy',
          `${id.kind} ${place} ${direction}`,
        );
      }
    }
    for (const [name, profile] of delta.profiles) {
      for (const direction of DIRECTIONS) {
        this.#rules(
          profileChain(direction, name),
          profile?.[direction],
          'profile',
          `Profile ${name} ${direction}`,
        );
      }
    }
    for (const [key, endpoint] of delta.endpoints) this.#endpoint(key, endpoint);
    if (delta.endpoints.size > 0) this.#dispatch();
  }

  /** What has changed since the last call; tables without a change are left out. */
  takeChanges(): readonly TableChange[] {
    return [...this.#stores].flatMap(([version, tables]) =>
      [...tables]
        .map(([table, store]) => ({ version, table, chains: store.takeChanges() }))
        .filter(({ chains }) => chains.size > 0),
    );
  }

  /** All chains that the kernel should hold now. */
  chains(version: IpVersion, table: TableName): ReadonlyMap<string, Chain> {
    return this.#stores.get(version)?.get(table)?.programmed ?? new Map();
  }

  #rules(name: string, rules: readonly PolicyRule[] | undefined, owner: RulesOwner, comment: string): void {
    for (const version of IP_VERSIONS) {
      const store = this.#filter(version);
      if (rules === undefined) store.delete(name);
      else store.put({ name, rules: policyRules(rules, version, owner, comment, this.#options) });
    }
  }

  #endpoint(key: string, endpoint: LocalEndpoint | undefined): void {
    const before = this.#endpoints.get(key) ?? [];
    const after = endpoint === undefined ? [] : endpointChains(endpoint, this.#options.marks);
    if (endpoint === undefined) {
      this.#endpoints.delete(key);
      this.#interfaces.delete(key);
    } else {
      this.#endpoints.set(key, after);
      this.#interfaces.set(key, endpoint.interfaceName);
    }
    for (const chain of after) {
      this.#users.set(chain.name, (this.#users.get(chain.name) ?? 0) + 1);
      for (const version of IP_VERSIONS) this.#filter(version).put(chain);
    }
    for (const { name } of before) {
      const users = (this.#users.get(name) ?? 0) - 1;
      if (users > 0) {
        this.#users.set(name, users);
        continue;
      }
      this.#users.delete(name);
      for (const version of IP_VERSIONS) this.#filter(version).delete(name);
    }
  }

  #dispatched = new Set<string>();

  #dispatch(): void {
    const chains = DIRECTIONS.flatMap((direction) => dispatchChains(direction, this.#interfaces.values()));
    const names = new Set(chains.map(({ name }) => name));
    for (const version of IP_VERSIONS) {
      const store = this.#filter(version);
      for (const chain of chains) store.put(chain);
      for (const name of this.#dispatched) if (!names.has(name)) store.delete(name);
    }
    this.#dispatched = names;
  }

  #filter(version: IpVersion): ChainStore {
    const store = this.#stores.get(version)?.get('filter');
    if (store === undefined) throw new Error('every family has a filter table');
    return store;
  }
}

function filled(chains: readonly Chain[], hooks: readonly Hook[] = []): ChainStore {
  const store = new ChainStore();
  for (const chain of chains) store.put(chain);
  for (const { first, last } of hooks) store.addRoots([...first, ...last]);
  return store;
}
