/**
 * From what calc says to tables of chains, for both families. Renders again only what a delta touches; the
 * result depends on the present state alone, not on the deltas that led to it.
 */
import {
  type ActivePolicy,
  type AddressPair,
  type CalcDelta,
  type Direction,
  type HostInterface,
  type LocalEndpoint,
  type PolicyId,
  type PolicyRule,
  sameTexts,
  sameTiers,
} from '../calc/model.ts';
import type { IpVersion } from '../../net/addr/index.ts';
import { ChainStore } from './chain-store.ts';
import { DISPATCH_MAPS, dispatchByMap, dispatchChains } from './dispatch.ts';
import { endpointChains, type WorkloadChainOptions } from './endpoint-chains.ts';
import { hostChains } from './host-chains.ts';
import { floatingChains, natVersions } from './nat.ts';
import { policyChain, profileChain, shortKind, workloadChain } from './names.ts';
import { rpfSkipChain } from './source-spoofing.ts';
import { type PolicyRuleOptions, type RulesOwner, policyRules } from './policy-rules.ts';
import { type StaticOptions, staticChains, staticHooks } from './static.ts';
import type { Chain, Hook, TableName } from './types.ts';

export type RulesOptions = StaticOptions & PolicyRuleOptions & Pick<WorkloadChainOptions, 'workloadsSend'>;

/** How packets find their endpoint's chain: `map` where the backend has verdict maps, else `tree`. */
export type Dispatch = 'tree' | 'map';

const IP_VERSIONS: readonly IpVersion[] = [4, 6];
/** Tables in which we always keep chains. */
export const TABLES: readonly TableName[] = ['raw', 'mangle', 'filter'];
const DIRECTIONS: readonly Direction[] = ['ingress', 'egress'];

export interface TableChange {
  readonly version: IpVersion;
  readonly table: TableName;
  /** Undefined: the chain has to go. */
  readonly chains: ReadonlyMap<string, Chain | undefined>;
  /** Map, key, chain that the key leads to. Undefined: the key has to go. Empty unless dispatch is by maps. */
  readonly maps: ReadonlyMap<string, ReadonlyMap<string, string | undefined>>;
}

export class RuleTables {
  readonly #options: RulesOptions;
  readonly #stores: ReadonlyMap<IpVersion, ReadonlyMap<TableName, ChainStore>>;
  readonly #dispatch: Dispatch;
  readonly #interfaces = new Map<string, string>();
  /** Names in use, with how many endpoints claim each: two may for a moment, while one takes the other's place. */
  readonly #names = new Map<string, number>();
  #namesChanged = true;
  /** Chains of each endpoint, to see what a change leaves behind; groups are shared, hence counted. */
  readonly #endpoints = new Map<string, MadeEndpoint>();
  readonly #users = new Map<string, number>();
  readonly #policies = new Map<string, Pick<ActivePolicy, 'id' | 'tier'>>();
  readonly #profiles = new Set<string>();

  constructor(options: RulesOptions, dispatch: Dispatch = 'tree') {
    this.#options = options;
    this.#dispatch = dispatch;
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
    if (dispatch === 'map')
      for (const version of IP_VERSIONS)
        for (const direction of DIRECTIONS) {
          this.#filter(version).putMap(DISPATCH_MAPS[direction]);
          this.#filter(version).put(dispatchByMap(direction));
        }
    this.#growTree();
    this.#placeHosts();
  }

  /** In which chains are kept: table nat is touched only where there is something to change. */
  tables(version: IpVersion): readonly TableName[] {
    const { nat } = this.#options;
    const changes = nat !== undefined && natVersions(nat).includes(version);
    return [...(this.#stores.get(version)?.keys() ?? [])].filter((table) => table !== 'nat' || changes);
  }

  hooks(): ReadonlyMap<TableName, readonly Hook[]> {
    return staticHooks(this.#options);
  }

  update(delta: CalcDelta): void {
    for (const [key, policy] of delta.policies) {
      const id = policy?.id ?? this.#policies.get(key)?.id;
      if (id === undefined) continue;
      if (policy === undefined) this.#policies.delete(key);
      else this.#policies.set(key, { id: policy.id, tier: policy.tier });
      for (const direction of DIRECTIONS) {
        const place = id.namespace === '' ? id.name : `${id.namespace}/${id.name}`;
        this.#rules(
          policyChain(direction, id),
          policy?.[direction],
          'policy',
          tablesOf(policy, direction),
          `${id.kind} ${place} ${direction}`,
          { tier: policy?.tier ?? '', kind: shortKind(id), name: id.name, place },
        );
      }
    }
    for (const [name, profile] of delta.profiles) {
      if (profile === undefined) this.#profiles.delete(name);
      else this.#profiles.add(name);
      for (const direction of DIRECTIONS) {
        this.#rules(
          profileChain(direction, name),
          profile?.[direction],
          'profile',
          tablesOf(undefined, direction),
          `Profile ${name} ${direction}`,
          { tier: 'profile', kind: 'prof', name, place: name },
        );
      }
    }
    for (const [key, endpoint] of delta.endpoints) this.#endpoint(key, endpoint);
    for (const [name, host] of delta.hosts) {
      if (host === undefined) this.#hosts.delete(name);
      else this.#hosts.set(name, host);
    }
    if (delta.hosts.size > 0) this.#placeHosts();
    this.#growTree();
  }

  /** What has changed since the last call; tables without a change are left out. */
  takeChanges(): readonly TableChange[] {
    return [...this.#stores].flatMap(([version, tables]) =>
      [...tables]
        .map(([table, store]) => ({
          version,
          table,
          chains: store.takeChanges(),
          maps: store.takeMapChanges(),
        }))
        .filter(({ chains, maps }) => chains.size > 0 || maps.size > 0),
    );
  }

  /** All chains that the kernel should hold now. */
  chains(version: IpVersion, table: TableName): ReadonlyMap<string, Chain> {
    return this.#stores.get(version)?.get(table)?.programmed ?? new Map();
  }

  /** Entries that the kernel should hold now, by map. */
  maps(version: IpVersion, table: TableName): ReadonlyMap<string, ReadonlyMap<string, string>> {
    return this.#stores.get(version)?.get(table)?.maps ?? new Map();
  }

  /** Whose rules the chains hold, by their names; chains of our own making are left out. */
  owners(): ReadonlyMap<string, ChainOwner> {
    const owners = new Map<string, ChainOwner>();
    for (const direction of DIRECTIONS) {
      for (const { id, tier } of this.#policies.values())
        owners.set(policyChain(direction, id), { ...id, tier, direction });
      for (const name of this.#profiles)
        owners.set(profileChain(direction, name), { kind: 'Profile', namespace: '', name, direction });
      for (const [key, interfaceName] of this.#interfaces) {
        const slash = key.indexOf('/');
        const [namespace, name] = [key.slice(0, slash), key.slice(slash + 1)];
        const chain = workloadChain(direction, interfaceName);
        owners.set(chain, { kind: 'WorkloadEndpoint', namespace, name, direction });
      }
    }
    return owners;
  }

  /** One chain for all the tables that may refer to it; only where one does is it programmed. */
  #rules(
    name: string,
    rules: readonly PolicyRule[] | undefined,
    owner: RulesOwner,
    tables: readonly TableName[],
    comment: string,
    subject: LogSubject,
  ): void {
    for (const [version, stores] of this.#stores) {
      const chain =
        rules === undefined ? undefined : this.#chain(name, rules, version, owner, comment, subject);
      for (const [table, store] of stores) {
        if (chain !== undefined && tables.includes(table)) store.put(chain);
        else store.delete(name);
      }
    }
  }

  /**
   * As long as the policy itself is what it was, its chains are: with each pod that comes or goes policies come to life here
   * and go, and the same chain is rendered and hashed by nobody again.
   */
  readonly #made = new WeakMap<readonly PolicyRule[], Map<IpVersion, MadeChain>>();

  #chain(
    name: string,
    rules: readonly PolicyRule[],
    version: IpVersion,
    owner: RulesOwner,
    comment: string,
    subject: LogSubject,
  ): Chain {
    const made = this.#made.get(rules) ?? new Map<IpVersion, MadeChain>();
    const known = made.get(version);
    const prefix = logPrefix(this.#options.logPrefix, subject);
    // Lists without a rule may be one and the same for several policies.
    if (known?.chain.name === name && known.comment === comment && known.logPrefix === prefix)
      return known.chain;
    const options = { ...this.#options, logPrefix: prefix };
    const chain = { name, rules: policyRules(rules, version, owner, comment, options) };
    this.#made.set(rules, made.set(version, { chain, comment, logPrefix: prefix }));
    return chain;
  }

  readonly #hosts = new Map<string, HostInterface>();
  readonly #hostChains = new Map<TableName, ReadonlyMap<string, Chain>>();

  /** All at once: a node has few interfaces of its own. Chains that come out as they were change nothing. */
  #placeHosts(): void {
    const hosts = [...this.#hosts.values()].sort((a, b) => (a.interfaceName < b.interfaceName ? -1 : 1));
    const { interfacePrefix, marks } = this.#options;
    for (const [table, chains] of hostChains(hosts, interfacePrefix, marks)) {
      const before = this.#hostChains.get(table) ?? new Map<string, Chain>();
      const after = new Map<string, Chain>();
      for (const chain of chains) {
        const present = before.get(chain.name);
        after.set(chain.name, present !== undefined && sameRules(present, chain) ? present : chain);
      }
      this.#hostChains.set(table, after);
      for (const chain of after.values()) this.#claimChain(table, chain);
      for (const name of before.keys()) this.#releaseChain(table, name);
    }
  }

  #endpoint(key: string, endpoint: LocalEndpoint | undefined): void {
    const made = this.#endpoints.get(key);
    const chains = endpoint === undefined ? undefined : this.#endpointChains(endpoint, made);
    if (endpoint === undefined || chains === undefined) this.#endpoints.delete(key);
    else this.#endpoints.set(key, { endpoint, chains });
    // A direction that stays as it was is not looked at again.
    const changed = DIRECTIONS.filter((each) => made === undefined || made.chains[each] !== chains?.[each]);
    const [before, after] = [made?.chains, chains].map((each) =>
      changed.flatMap((direction) => each?.[direction] ?? []),
    );
    this.#interface(key, endpoint?.interfaceName);
    this.#float(key, endpoint?.nats ?? []);
    this.#allowSources(key, endpoint);
    for (const chain of after ?? []) this.#claimChain('filter', chain);
    for (const { name } of before ?? []) this.#releaseChain('filter', name);
  }

  #endpointChains(endpoint: LocalEndpoint, made: MadeEndpoint | undefined): MadeEndpoint['chains'] {
    const of = (direction: Direction): readonly Chain[] =>
      made !== undefined && saysTheSame(made.endpoint, endpoint, direction)
        ? made.chains[direction]
        : endpointChains(endpoint, direction, this.#options);
    return { ingress: of('ingress'), egress: of('egress') };
  }

  readonly #floating = new Map<string, readonly AddressPair[]>();

  #float(key: string, pairs: readonly AddressPair[]): void {
    const before = this.#floating.get(key) ?? [];
    if (this.#options.nat?.floatingIps !== true || JSON.stringify(before) === JSON.stringify(pairs)) return;
    if (pairs.length === 0) this.#floating.delete(key);
    else this.#floating.set(key, pairs);
    for (const version of IP_VERSIONS)
      for (const chain of floatingChains([...this.#floating.values()].flat(), version))
        this.#store(version, 'nat').put(chain);
  }

  readonly #sources = new Map<string, Pick<LocalEndpoint, 'interfaceName' | 'sources'>>();

  #allowSources(key: string, endpoint: LocalEndpoint | undefined): void {
    if (!this.#options.sourceSpoofing) return;
    const before = this.#sources.get(key);
    if (before === undefined && endpoint?.sources === undefined) return;
    if (endpoint?.sources === undefined) this.#sources.delete(key);
    else this.#sources.set(key, endpoint);
    const byInterface = new Map(
      [...this.#sources.values()].map(({ interfaceName, sources = [] }) => [interfaceName, sources]),
    );
    for (const version of IP_VERSIONS) this.#store(version, 'raw').put(rpfSkipChain(byInterface, version));
  }

  /** Chains of groups are shared between endpoints: a chain is there as long as somebody claims it. */
  #claimChain(table: TableName, chain: Chain): void {
    const key = `${table} ${chain.name}`;
    this.#users.set(key, (this.#users.get(key) ?? 0) + 1);
    for (const version of IP_VERSIONS) this.#store(version, table).put(chain);
  }

  #releaseChain(table: TableName, name: string): void {
    const key = `${table} ${name}`;
    const users = (this.#users.get(key) ?? 0) - 1;
    if (users > 0) {
      this.#users.set(key, users);
      return;
    }
    this.#users.delete(key);
    for (const version of IP_VERSIONS) this.#store(version, table).delete(name);
  }

  #interface(key: string, name: string | undefined): void {
    const before = this.#interfaces.get(key);
    if (before === name) return;
    if (name === undefined) this.#interfaces.delete(key);
    else this.#interfaces.set(key, name);
    if (name !== undefined) this.#claim(name, 1);
    if (before !== undefined) this.#claim(before, -1);
  }

  #claim(name: string, by: 1 | -1): void {
    const before = this.#names.get(name) ?? 0;
    const after = before + by;
    if (after === 0) this.#names.delete(name);
    else this.#names.set(name, after);
    if (before > 0 && after > 0) return;
    this.#namesChanged = true;
    if (this.#dispatch !== 'map') return;
    for (const version of IP_VERSIONS)
      for (const direction of DIRECTIONS) {
        const chain = after > 0 ? workloadChain(direction, name) : undefined;
        this.#filter(version).putEntry(DISPATCH_MAPS[direction], name, chain);
      }
  }

  readonly #tree = new Map<string, Chain>();

  /** Only when names came or went, and of the tree only the branches that it changes. */
  #growTree(): void {
    if (this.#dispatch !== 'tree' || !this.#namesChanged) return;
    this.#namesChanged = false;
    const chains = DIRECTIONS.flatMap((direction) => dispatchChains(direction, this.#names.keys()));
    const gone = new Set(this.#tree.keys());
    for (const chain of chains) {
      gone.delete(chain.name);
      const before = this.#tree.get(chain.name);
      if (before !== undefined && sameRules(before, chain)) continue;
      this.#tree.set(chain.name, chain);
      for (const version of IP_VERSIONS) this.#filter(version).put(chain);
    }
    for (const name of gone) {
      this.#tree.delete(name);
      for (const version of IP_VERSIONS) this.#filter(version).delete(name);
    }
  }

  #filter(version: IpVersion): ChainStore {
    return this.#store(version, 'filter');
  }

  #store(version: IpVersion, table: TableName): ChainStore {
    const store = this.#stores.get(version)?.get(table);
    if (store === undefined) throw new Error(`every family has a table ${table}`);
    return store;
  }
}

/** The tables in which an endpoint may refer to its chain, see host-chains.ts. */
function tablesOf(policy: ActivePolicy | undefined, direction: Direction): readonly TableName[] {
  if (policy?.stage === 'untracked') return ['raw'];
  if (policy?.stage === 'preDNAT') return ['mangle'];
  return direction === 'egress' ? ['filter', 'mangle'] : ['filter'];
}

export interface ChainOwner {
  readonly kind: PolicyId['kind'] | 'Profile' | 'WorkloadEndpoint';
  /** Empty for what has none. */
  readonly namespace: string;
  readonly name: string;
  readonly direction: Direction;
  /** Of a policy. */
  readonly tier?: string;
}

interface MadeEndpoint {
  readonly endpoint: LocalEndpoint;
  readonly chains: Readonly<Record<Direction, readonly Chain[]>>;
}

function saysTheSame(one: LocalEndpoint, other: LocalEndpoint, direction: Direction): boolean {
  return (
    one.interfaceName === other.interfaceName &&
    sameTexts(one.profiles, other.profiles) &&
    sameTiers(one.tiers, other.tiers, direction)
  );
}

interface MadeChain {
  readonly chain: Chain;
  readonly comment: string;
  readonly logPrefix: string;
}

interface LogSubject {
  readonly tier: string;
  readonly kind: string;
  readonly name: string;
  readonly place: string;
}

/** `%t` tier, `%k` kind, `%n` name, `%p` namespace and name. */
function logPrefix(text: string, { tier, kind, name, place }: LogSubject): string {
  const words: Readonly<Record<string, string>> = { t: tier, k: kind, n: name, p: place };
  return text.replaceAll(/%([tknp])/g, (whole, letter: string) => words[letter] ?? whole);
}

function sameRules(a: Chain, b: Chain): boolean {
  return a.rules.length === b.rules.length && JSON.stringify(a.rules) === JSON.stringify(b.rules);
}

function filled(chains: readonly Chain[], hooks: readonly Hook[] = []): ChainStore {
  const store = new ChainStore();
  for (const chain of chains) store.put(chain);
  for (const { first, last } of hooks) store.addRoots([...first, ...last]);
  return store;
}
