/**
 * Our table of one family: what is wanted in it, what the kernel holds as far as we know, and the operations between the
 * two. What a change does not touch is not looked at. Makes no call to the kernel.
 */
import type { Problem } from '../../../api/problem.ts';
import type { IpVersion } from '../../../net/addr/index.ts';
import {
  type Expression,
  expressionsKey,
  type NftChain,
  type NftOperation,
} from '../../../net/kernel/index.ts';
import type { CalcDelta } from '../../calc/model.ts';
import type { TableChange } from '../../rules/tables.ts';
import { type Chain, type Hook, rule, type TableName } from '../../rules/types.ts';
import { ClosedChains, isUsersChain, refusedSet } from '../closed-chains.ts';
import { lastChainName } from '../iptables/render.ts';
import type { HeldTable } from './held.ts';
import { NftMaps } from './maps.ts';
import { baseChain, layered, ourTable, setOf, unlayered } from './names.ts';
import type { Planned } from './planned.ts';
import {
  hashOfComment,
  type KnownRules,
  type RenderedNftRule,
  renderNftChain,
  renderShared,
  setsIn,
} from './render.ts';
import { NftSets } from './sets.ts';

/** A rule as it stands in the kernel. */
interface HeldRule {
  readonly hash: string | undefined;
  /** Missing while only the transaction's success tells of the rule. */
  handle: bigint | undefined;
  /** What it says, where it was read and not written by us. */
  readonly key: string | undefined;
  /** The kernel's names of the sets that it looks into. */
  readonly sets: string;
}

interface HeldChain {
  /** `type hook priority` of a base chain. */
  readonly base: string;
  rules: readonly HeldRule[];
}

/**
 * Three steps and not one, because packets may meet the new rules of a transaction before its new ranges of addresses (see
 * `net/kernel`): what rules look into stands before they do, and goes after they did.
 */
export interface Stages {
  readonly before: readonly Planned[];
  readonly rules: readonly Planned[];
  readonly after: readonly Planned[];
}

export class NftTable {
  readonly version: IpVersion;
  readonly #sets: NftSets;
  readonly #bases = new Map<string, NftChain>();
  readonly #chains = new Map<string, readonly RenderedNftRule[]>();
  readonly #rendered = new WeakMap<Chain, Map<TableName, readonly RenderedNftRule[]>>();
  readonly #knownRules: KnownRules = new Map();
  readonly #closed = new ClosedChains(setOf);
  readonly #maps: NftMaps;
  readonly #held = new Map<string, HeldChain>();
  readonly #dirtyChains = new Set<string>();
  /**
   * In the kernel, no longer wanted, and no packet comes there. They stay for a while, with the sets that they look into: to
   * remove them costs as much as to write them, and a pod that goes often comes back, or another of its kind.
   */
  readonly #resting = new Set<string>();
  /** What is in the kernel and not wanted has to go now: it may be anybody's. */
  #clear = false;
  readonly #refused = new Map<
    string,
    { readonly problem: Problem; readonly rules: readonly RenderedNftRule[] }
  >();
  /** Chains that look into each set, by the name that rules have for it. */
  readonly #lookingInto = new Map<string, Set<string>>();
  /** The kernel has the table. */
  #exists = false;
  /** Something is of another make: the table is made anew, in one transaction. */
  #rebuild = false;

  constructor(version: IpVersion, hooks: ReadonlyMap<TableName, readonly Hook[]>) {
    this.version = version;
    this.#sets = new NftSets(version);
    this.#maps = new NftMaps(version);
    for (const [table, list] of hooks)
      for (const { chain, first, last } of list) {
        const base = baseChain(table, chain);
        this.#bases.set(base.name, base);
        // Calico's hashes keep the last ones apart.
        this.#want(base.name, [
          ...renderNftChain(table, chain, first, version),
          ...renderNftChain(table, lastChainName(chain), last, version),
        ]);
      }
  }

  updateSets(sets: CalcDelta['sets']): void {
    this.#sets.update(sets);
  }

  update({ table, chains, maps }: TableChange): void {
    for (const [bare, chain] of chains) this.#putChain(table, layered(table, bare), chain);
    for (const [bare, entries] of maps) {
      const layer = [...entries].map(
        ([key, chain]) => [key, chain === undefined ? undefined : layered(table, chain)] as const,
      );
      this.#maps.put(layered(table, bare), new Map(layer));
    }
  }

  #putChain(table: TableName, name: string, chain: Chain | undefined): void {
    this.#refused.delete(name);
    this.#write(table, name, this.#closed.put(name, chain));
  }

  #write(table: TableName, name: string, chain: Chain | undefined): void {
    this.#want(name, chain === undefined ? undefined : this.#render(table, chain));
  }

  /** Chains of policies and profiles, which go and come back as they were, are rendered once. */
  #render(table: TableName, chain: Chain): readonly RenderedNftRule[] {
    if (!isUsersChain(chain)) return renderShared(table, chain, this.version, this.#knownRules);
    const rendered = this.#rendered.get(chain) ?? new Map<TableName, readonly RenderedNftRule[]>();
    const known = rendered.get(table);
    if (known !== undefined) return known;
    const rules = renderNftChain(table, chain.name, chain.rules, this.version);
    this.#rendered.set(chain, rendered.set(table, rules));
    return rules;
  }

  /** Chains that look into a set which the kernel would not take fail closed, and only as long as it would not. */
  #closeChains(): void {
    for (const [name, chain] of this.#closed.refuse(new Set(this.#sets.refused.keys())))
      if (!this.#refused.has(name)) this.#write(unlayered(name)?.table ?? 'filter', name, chain);
  }

  #want(name: string, rules: readonly RenderedNftRule[] | undefined): void {
    // New users first: a set of ports that both versions use must not come and go in between.
    for (const { portSets } of rules ?? []) for (const set of portSets) this.#sets.acquire(set);
    for (const { portSets } of this.#chains.get(name) ?? [])
      for (const set of portSets) this.#sets.release(set);
    this.#follow(name, rules ?? []);
    if (rules === undefined) this.#chains.delete(name);
    else this.#chains.set(name, rules);
    this.#dirtyChains.add(name);
  }

  /** Keeps in mind which sets the chain looks into. */
  #follow(name: string, rules: readonly RenderedNftRule[]): void {
    for (const { sets } of this.#chains.get(name) ?? [])
      for (const set of sets) {
        const chains = this.#lookingInto.get(set);
        if (chains?.delete(name) === true && chains.size === 0) this.#lookingInto.delete(set);
      }
    for (const { sets } of rules)
      for (const set of sets) {
        const chains = this.#lookingInto.get(set);
        if (chains === undefined) this.#lookingInto.set(set, new Set([name]));
        else chains.add(name);
      }
  }

  /** With the kernel's names of sets. */
  #resolved({ expressions, sets }: RenderedNftRule): readonly Expression[] {
    if (sets.length === 0) return expressions;
    return expressions.map((each) =>
      each.kind === 'lookup' ? { ...each, set: this.#sets.nameOf(each.set) } : each,
    );
  }

  /** The kernel's names of the sets that the rule looks into, as {@link HeldRule} has them. */
  #setsOf({ sets }: RenderedNftRule): string {
    let names = '';
    for (const set of sets) names += `${this.#sets.nameOf(set)} `;
    return names;
  }

  /** Chains that the kernel refused, and chains that look into sets that it refused: they drop everything instead. */
  get problems(): readonly Problem[] {
    const sets = [...this.#sets.refused].map(([set, said]) =>
      refusedSet(set, this.version, said, this.#closed.users(set)),
    );
    return [...[...this.#refused.values()].map(({ problem }) => problem), ...sets];
  }

  /** The set that the operation is about, as the kernel calls it; undefined without one that rules look into. */
  setOf({ operation }: Planned): string | undefined {
    if (!('set' in operation)) return undefined;
    const name = typeof operation.set === 'string' ? operation.set : operation.set.name;
    return this.#sets.isWanted(name) ? name : undefined;
  }

  /** From now on, and until it is tried again, what looks into the set fails closed. */
  refuseSet(kernelName: string, said: string): void {
    this.#sets.refuse(kernelName, said);
  }

  /**
   * @param which  `all`: chains that were refused too
   * @returns how many refused sets the next plan has once more, see {@link NftSets.tryAgain}
   */
  tryAgain(which: 'all' | 'new'): number {
    if (which === 'all') {
      // What the kernel refused it may take now.
      const refused = [...this.#refused];
      this.#refused.clear();
      for (const [chain, { rules }] of refused) this.#want(chain, rules);
    }
    return this.#sets.tryAgain(which);
  }

  get counts(): { readonly rules: number; readonly sets: number } {
    let rules = 0;
    for (const { rules: each } of this.#held.values()) rules += each.length;
    return { rules, sets: this.#sets.size };
  }

  /** Chains and sets that rest. */
  get resting(): number {
    return this.#resting.size + this.#sets.resting;
  }

  /** There may be more to do than to remove what rests. */
  get hasChanges(): boolean {
    return this.#dirtyChains.size > 0 || this.#maps.hasChanges || this.#sets.hasChanges;
  }

  /** Takes for true what was just read. What is not wanted of it goes with the next plan. */
  hold(found: HeldTable): void {
    this.#held.clear();
    this.#resting.clear();
    this.#clear = true;
    this.#exists = found.exists;
    for (const chain of found.chains) this.#held.set(chain.name, { base: baseText(chain), rules: [] });
    const rules = Map.groupBy(found.rules, ({ chain }) => chain);
    for (const [name, list] of rules) {
      const chain = this.#held.get(name);
      if (chain !== undefined)
        chain.rules = list.map(({ comment, handle, expressions }) => ({
          hash: hashOfComment(comment),
          handle,
          key: expressionsKey(expressions),
          sets: setsIn(expressions)
            .map((set) => `${set} `)
            .join(''),
        }));
    }
    this.#maps.hold(found.maps);
    this.#sets.held(found.sets);
    // Somebody's chain that no packet comes to, under the name of one of ours, may be in use.
    this.#rebuild = [...this.#bases.keys()].some((name) => this.#held.get(name)?.base === '');
    for (const name of [...this.#chains.keys(), ...this.#held.keys()]) this.#dirtyChains.add(name);
  }

  /**
   * A first load in parts, where the kernel does not have the table: its sets and its chains, which are empty and to which no
   * packet comes. {@link planPart} and {@link planHooks} have the rest. It is taken for granted that the kernel takes them all:
   * who learns otherwise reads, and says {@link hold}.
   *
   * @param chains  those that are going to be wanted
   */
  planFrame(chains: Iterable<string>): readonly Planned[] {
    const table = ourTable(this.version);
    const { before, ahead } = this.#sets.operations(false);
    this.#sets.done();
    this.#exists = true;
    for (const name of this.#bases.keys()) this.#dirtyChains.delete(name);
    const frame: NftOperation[] = [{ op: 'add-table', table }, ...before, ...ahead];
    for (const name of chains) {
      frame.push({ op: 'add-chain', table, chain: { name } });
      this.#held.set(name, { base: '', rules: [] });
    }
    return planned(frame);
  }

  /** What was taken in since {@link planFrame} or the last part. */
  planPart(): readonly Planned[] {
    const { before, rules, after } = this.plan();
    this.finished();
    return [...before, ...rules, ...after];
  }

  /** The chains that packets come to, and thereby all: when the kernel has taken every part. */
  planHooks(): readonly Planned[] {
    for (const name of this.#bases.keys()) this.#dirtyChains.add(name);
    return this.planPart();
  }

  /**
   * What has to be done, each stage a transaction of its own. Say {@link finished} when the kernel has taken all.
   *
   * @param clear  remove what rests, too
   */
  plan(clear = false): Stages {
    const table = ourTable(this.version);
    // Where the kernel refused a set, what rests may be in the way.
    this.#clear ||= clear || this.#sets.refused.size > 0;
    if (this.#clear) for (const name of this.#resting) this.#dirtyChains.add(name);
    this.#closeChains();
    const gone: Planned[] = [];
    if (this.#rebuild) {
      if (this.#exists) gone.push({ operation: { op: 'delete-table', table } });
      this.#forget();
    }
    for (const set of this.#sets.takeRenamed())
      for (const chain of this.#lookingInto.get(set) ?? []) this.#dirtyChains.add(chain);
    const sets = this.#sets.operations(this.#clear);
    const [before, after] = [planned(sets.before), planned(sets.after)];
    const chains = [...this.#dirtyChains].map((name) => this.#planChain(name));
    const maps = this.#maps.plan();
    const rules = [
      ...planned(sets.ahead),
      ...maps.make,
      ...chains.flatMap(({ make }) => make),
      ...chains.flatMap((chain) => chain.rules),
      ...maps.entries,
      ...chains.flatMap(({ remove }) => remove),
      ...planned(sets.behind),
    ];
    const nothing = before.length + rules.length + after.length === 0;
    const make: readonly Planned[] =
      nothing || (this.#exists && !this.#rebuild) ? [] : [{ operation: { op: 'add-table', table } }];
    // Between two transactions packets would meet no policy at all.
    if (this.#rebuild) return { before: [], rules: [...gone, ...make, ...before, ...rules], after };
    return { before: [...make, ...before], rules, after };
  }

  /** The kernel has taken the plan. */
  finished(): void {
    this.#exists = true;
    this.#rebuild = false;
    for (const name of this.#dirtyChains) {
      if (this.#held.has(name) && !this.#chains.has(name)) this.#resting.add(name);
      else this.#resting.delete(name);
    }
    this.#clear = false;
    this.#dirtyChains.clear();
    this.#maps.finished();
    this.#sets.done();
  }

  /** Whether {@link setAside} would do anything about it. */
  mayRefuse(chain: string): boolean {
    return isUsersChain({ name: unlayered(chain)?.name ?? chain }) && !this.#refused.has(chain);
  }

  /** From now on, and until its policy or profile changes or it is tried again, that chain drops what it is asked about. */
  setAside(chain: string, said: string): void {
    const rules = this.#chains.get(chain) ?? [];
    const { table, name: bare } = unlayered(chain) ?? { table: 'filter', name: chain };
    const drop = [rule([], { kind: 'drop' }, 'The kernel refused this chain')];
    this.#want(chain, renderNftChain(table, bare, drop, this.version));
    const problem = {
      code: 'RULES_REFUSED',
      value: bare,
      what: `the kernel refused a rule of chain ${bare} (IPv${this.version}): ${said}`,
      remedy:
        'change the policy or profile that the chain belongs to; until then, or until the kernel takes it when it is looked at again, the chain drops all it is asked about',
    };
    this.#refused.set(chain, { problem, rules });
  }

  #forget(): void {
    this.#held.clear();
    this.#resting.clear();
    this.#maps.hold(new Map());
    this.#sets.nothingHeld();
    for (const name of this.#chains.keys()) this.#dirtyChains.add(name);
  }

  #planChain(name: string): ChainPlan {
    const table = ourTable(this.version);
    const wanted = this.#chains.get(name);
    const held = this.#held.get(name);
    if (wanted === undefined) {
      if (held === undefined || !this.#clear) return NOTHING;
      const forget = (): void => void this.#held.delete(name);
      return {
        make: [],
        rules: held.rules.length > 0 ? [{ operation: { op: 'flush-chain', table, chain: name } }] : [],
        remove: [{ operation: { op: 'delete-chain', table, chain: name }, done: forget }],
      };
    }
    const chain = this.#bases.get(name) ?? { name };
    // Another in its place: a table made anew would have empty maps while its old chains still ask them.
    const isElsewhere = held !== undefined && held.base !== baseText(chain);
    const isNew = held === undefined || isElsewhere;
    const present = isNew ? [] : held.rules;
    let kept = 0;
    while (kept < wanted.length && this.#isIntact(wanted[kept], present[kept])) kept++;
    if (!isNew && kept === wanted.length && kept === present.length) return NOTHING;
    // After a large load nobody knows handles yet: such a chain is written anew, once.
    if (present.slice(kept).some(({ handle }) => handle === undefined)) kept = 0;
    return {
      make: [
        ...(isElsewhere ? planned([{ op: 'delete-chain', table, chain: name }]) : []),
        ...(isNew ? planned([{ op: 'add-chain', table, chain }]) : []),
      ],
      rules: [...this.#cut(name, present, kept), ...this.#append(name, wanted, present, kept)],
      remove: [],
    };
  }

  /** A rule that we wrote is known by its hash and its sets; of one that was read, all that it says is compared. */
  #isIntact(wanted: RenderedNftRule | undefined, held: HeldRule | undefined): boolean {
    if (wanted === undefined || held === undefined || wanted.hash !== held.hash) return false;
    return held.key === undefined
      ? held.sets === this.#setsOf(wanted)
      : held.key === expressionsKey(this.#resolved(wanted));
  }

  /** Takes away the rules from `kept` on. */
  #cut(chain: string, present: readonly HeldRule[], kept: number): readonly Planned[] {
    const table = ourTable(this.version);
    const surplus = present.slice(kept);
    if (surplus.length === 0) return [];
    if (kept === 0) return [{ operation: { op: 'flush-chain', table, chain } }];
    return surplus.map(({ handle = 0n }) => ({ operation: { op: 'delete-rule', table, chain, handle } }));
  }

  /** Writes the rules from `kept` on; the chain is then known to hold what is wanted. */
  #append(
    name: string,
    wanted: readonly RenderedNftRule[],
    present: readonly HeldRule[],
    kept: number,
  ): readonly Planned[] {
    const table = ourTable(this.version);
    const after: HeldRule[] = [
      ...present.slice(0, kept),
      ...wanted.slice(kept).map((each) => ({
        hash: each.hash,
        handle: undefined,
        key: undefined,
        sets: this.#setsOf(each),
      })),
    ];
    const base = baseText(this.#bases.get(name) ?? { name });
    const settle = (): void => void this.#held.set(name, { base, rules: after });
    const written = wanted.slice(kept).map((each, index): Planned => {
      const known = after[kept + index];
      return {
        operation: {
          op: 'add-rule',
          table,
          rule: {
            chain: name,
            expressions: this.#resolved(each),
            comment: each.comment,
            ...(each.written === undefined ? {} : { written: each.written }),
          },
        },
        chain: name,
        done: (handle) => {
          if (known !== undefined) known.handle = handle;
          if (index === 0) settle();
        },
      };
    });
    // Nothing to write, only to cut or to make: an operation that changes nothing carries the news.
    if (written.length > 0) return written;
    return [
      { operation: { op: 'add-chain', table, chain: this.#bases.get(name) ?? { name } }, done: settle },
    ];
  }
}

interface ChainPlan {
  readonly make: readonly Planned[];
  readonly rules: readonly Planned[];
  readonly remove: readonly Planned[];
}
const NOTHING: ChainPlan = { make: [], rules: [], remove: [] };

function baseText({ base }: NftChain): string {
  return base === undefined ? '' : `${base.type} ${base.hook} ${base.priority} ${base.policy ?? ''}`;
}

function planned(operations: readonly NftOperation[]): readonly Planned[] {
  return operations.map((operation) => ({ operation }));
}
