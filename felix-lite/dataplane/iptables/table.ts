/**
 * One table of one family: what we want in it, what the kernel holds, and the transaction between the two.
 *
 * The whole table is read, compared, written and read back at the start, on a timer, and when somebody else was at work.
 * In between a change costs what it touches: the tool's success says that the chains written are as written. So it does
 * where nothing of ours was there before, and what is there then is read back a little later.
 */
import type { Problem } from '../../../api/problem.ts';
import type { IpVersion } from '../../../net/addr/index.ts';
import { CommandError, iptables } from '../../../net/kernel/index.ts';
import { ClosedChains, isUsersChain } from '../closed-chains.ts';
import type { RuleCounter } from '../dataplane.ts';
import { type Chain, type Hook, type TableName, rule } from '../../rules/types.ts';
import { hashOf, isOurs, OWNER } from './diff.ts';
import { refusedChains } from './refusals.ts';
import { type RenderedRule, lastChainName, renderChain, renderShared } from './render.ts';

type SavedChain = iptables.SavedChain;
type Step = iptables.RestoreStep;
type HeldChains = iptables.HeldChains;

export type TableSteps = Readonly<{ table: TableName; steps: readonly Step[] }>;

/** Some of the steps that load one table. */
export interface LoadPart extends TableSteps {
  /**
   * - `inside`: the same transaction goes on.
   * - `unreached`: chains stand that nothing leads to yet. They may be committed, or wait for the end.
   * - `whole`: the table is as wanted, and is committed.
   */
  readonly end: 'inside' | 'unreached' | 'whole';
}

/** The tools of one namespace and backend: see io.ts. */
export interface IptablesIo {
  read(version: IpVersion, table: TableName): Promise<readonly SavedChain[]>;
  /** One transaction a table, in order; where one is refused, those before it stand. */
  write(version: IpVersion, tables: readonly TableSteps[]): Promise<void>;
  /** As parts come, see {@link LoadPart}. Where `parts` throws, that is thrown, and nothing leads to what has been written. */
  load(version: IpVersion, parts: AsyncIterable<LoadPart>): Promise<void>;
  counters?(version: IpVersion, table: TableName): Promise<readonly iptables.SavedCounter[]>;
  close?(): void;
}

/** Transactions until we give up for this pass: strangers may write at the same time. */
const ATTEMPTS = 3;

/** How long rendering may hold the event loop. */
const SLICE_MS = 5;

interface Refused {
  readonly problem: Problem;
  /** What stands aside, to be tried again. */
  readonly rules: readonly RenderedRule[];
}

export class IptablesTable {
  readonly version: IpVersion;
  readonly table: TableName;
  readonly #io: IptablesIo;
  readonly #chains = new Map<string, readonly RenderedRule[]>();
  readonly #closed = new ClosedChains();
  readonly #hooks: iptables.WantedTable['hooks'];
  readonly #spelling = new Map<string, string>();
  readonly #refused = new Map<string, Refused>();
  /** What the kernel holds, as it said or as we wrote since; undefined: nobody knows. */
  #held: Map<string, SavedChain> | undefined;
  #foreign: ReadonlySet<string> = new Set();
  /** Chains that may not be as wanted. */
  readonly #dirty = new Set<string>();
  /** What is wanted since the last pass; rendered when it is written. */
  readonly #coming = new Map<string, Chain | undefined>();
  #unseen = false;

  constructor(version: IpVersion, table: TableName, hooks: readonly Hook[], io: IptablesIo) {
    this.version = version;
    this.table = table;
    this.#io = io;
    this.#hooks = hooks.map(({ chain, first, last }) => ({
      chain,
      first: renderChain(chain, first, version),
      last: renderChain(lastChainName(chain), last, version),
    }));
  }

  /** Undefined: the chain has to go. */
  update(chains: ReadonlyMap<string, Chain | undefined>): void {
    for (const [name, chain] of chains) {
      this.#refused.delete(name);
      this.#put(name, this.#closed.put(name, chain));
    }
  }

  /** Chains that look into these fail closed from now on, until a later call leaves the set out. */
  refuseSets(names: ReadonlySet<string>): void {
    for (const [name, chain] of this.#closed.refuse(names))
      if (!this.#refused.has(name)) this.#put(name, chain);
  }

  /** Whom it concerns that a set is refused, see {@link ClosedChains}. */
  usersOf(set: string): readonly string[] {
    return this.#closed.users(set);
  }

  #put(name: string, chain: Chain | undefined): void {
    this.#coming.set(name, chain);
    this.#dirty.add(name);
  }

  /** In slices, as processes that were started meanwhile are to be fed. Tells the chains of each that are to stand. */
  *#slices(): Generator<readonly string[]> {
    let since = performance.now();
    let slice: string[] = [];
    for (const [name, chain] of this.#coming) {
      this.#coming.delete(name);
      if (chain === undefined) this.#chains.delete(name);
      else {
        this.#chains.set(name, renderShared(chain, this.version));
        slice.push(name);
      }
      if (performance.now() - since < SLICE_MS) continue;
      yield slice;
      slice = [];
      since = performance.now();
    }
    yield slice;
  }

  async #render(): Promise<void> {
    let slices = 0;
    for (const _ of this.#slices()) if (slices++ > 0) await new Promise((resolve) => setImmediate(resolve));
  }

  /**
   * What brings a table in which nothing is ours to what is wanted, chain by chain as they are rendered, for who writes
   * several tables at once and then says that they are {@link loaded}: all chains, and then {@link hookSteps}, which lead
   * packets to them. The first steps make all chains, so each slice finds what it refers to.
   */
  *chainSteps(): Generator<readonly Step[]> {
    const known = [...this.#chains.keys()].filter((name) => !this.#coming.has(name));
    const coming = [...this.#coming].filter(([, chain]) => chain !== undefined).map(([name]) => name);
    const appended = (chain: string): readonly Step[] =>
      (this.#chains.get(chain) ?? []).map(({ text }) => ({ op: 'append', chain, rule: text }));
    let steps = [...known, ...coming].map((chain): Step => ({ op: 'make', chain }));
    steps.push(...known.flatMap(appended));
    for (const slice of this.#slices()) {
      steps.push(...slice.flatMap(appended));
      yield steps;
      steps = [];
    }
  }

  /** @param seen  what the kernel held before */
  hookSteps(seen: readonly SavedChain[]): readonly Step[] {
    return iptables.diffTable({ ...this.#wanted(), chains: new Map() }, byName(seen));
  }

  /** Chains that are to stand, as far as is known without rendering. */
  get size(): number {
    return this.#chains.size + this.#coming.size;
  }

  get isEmpty(): boolean {
    return this.size === 0 && this.#hooks.length === 0;
  }

  /** @param seen  what the kernel held before */
  loaded(seen: readonly SavedChain[]): void {
    this.#believe(byName(seen), this.#dirty);
  }

  /** What the kernel holds; for who wants to look beside something else, and then {@link apply}. */
  look(): Promise<readonly SavedChain[]> {
    return this.#io.read(this.version, this.table);
  }

  /** Chains that the kernel refused and that drop everything instead. */
  get problems(): readonly Problem[] {
    return [...this.#refused.values()].map(({ problem }) => problem);
  }

  /**
   * Makes the kernel's table as wanted.
   * @param reread  look at the kernel first, for edits by others; else trust what it said last time
   * @param seen  what it said a moment ago; default: it is asked where there is need
   * @returns the number of steps that it took
   * @throws what the tools said, when the table could not be brought there; the kernel then holds what it held
   */
  async apply(reread: boolean, seen?: readonly SavedChain[]): Promise<number> {
    await this.#render();
    if (!reread && this.#held !== undefined) {
      if (this.#dirty.size === 0) return 0;
      const taken = await this.#touch(this.#held);
      if (taken !== undefined) return taken;
    }
    if (reread) this.#tryAgain();
    return this.#whole(seen);
  }

  /** What the kernel refused it may take now: a module was loaded, or it was the machine's fault and not the rule's. */
  #tryAgain(): void {
    for (const [chain, { rules }] of this.#refused) {
      this.#chains.set(chain, rules);
      this.#dirty.add(chain);
    }
    this.#refused.clear();
  }

  /** Writes the chains that may differ and nothing else. Undefined when the kernel would not have it. */
  async #touch(held: Map<string, SavedChain>): Promise<number | undefined> {
    const wanted = this.#wanted();
    const dirty = new Set(this.#dirty);
    const steps = iptables.diffTable(wanted, held, this.#foreign, dirty);
    if (steps.length > 0) {
      this.#held = undefined;
      try {
        await this.#write(steps);
      } catch {
        // What we believed may not be so, or a rule is refused: that is found out with the whole table before us.
        return undefined;
      }
      this.#held = held;
    }
    for (const name of dirty) {
      this.#dirty.delete(name);
      const rules = wanted.chains.get(name);
      if (rules !== undefined) {
        const found = held.get(name)?.rules ?? [];
        const kept = found.slice(0, iptables.keptRules(rules, found, wanted));
        held.set(name, { name, rules: [...kept, ...rules.slice(kept.length).map(({ text }) => text)] });
      } else if (this.#foreign.has(name)) held.set(name, { name, rules: [] });
      else held.delete(name);
    }
    return steps.length;
  }

  async #whole(seen: readonly SavedChain[] | undefined): Promise<number> {
    // If this fails, nobody knows what the kernel holds.
    this.#held = undefined;
    let taken = 0;
    let present = seen;
    for (let attempt = 1; ; attempt++) {
      present ??= await this.look();
      const held = byName(present);
      present = undefined;
      const dirty = new Set(this.#dirty);
      const steps = iptables.diffTable(this.#wanted(), held);
      if (steps.length === 0) {
        this.#learn(held, dirty);
        return taken;
      }
      if (attempt > ATTEMPTS)
        throw new Error(`the ${this.#name} changes under our hands: ${steps.length} steps are left`);
      try {
        await this.#write(steps);
        taken += steps.length;
      } catch (error) {
        const failed = { table: this.table, steps };
        const refused = await refusedChains(error, failed, attempt === ATTEMPTS, {
          mayRefuse: (chain) => isUsersChain({ name: chain }) && !this.#refused.has(chain),
          write: (tried) => this.#write(tried),
        });
        // A chain set aside does not count as an attempt; there are only so many chains.
        if (refused.length > 0) attempt--;
        else if (attempt === ATTEMPTS) throw error;
        for (const chain of refused) this.#setAside(chain, error);
      }
    }
  }

  /**
   * After a first load, all of which is of our own writing: the tool's success says that it is there, and reading it back
   * would take half as long again. The next look at the kernel does.
   */
  #believe(before: HeldChains, clean: ReadonlySet<string>): void {
    const held = new Map(before);
    for (const [name, rules] of this.#chains) held.set(name, { name, rules: rules.map(({ text }) => text) });
    for (const { chain, first, last } of this.#hooks) {
      const theirs = before.get(chain)?.rules ?? [];
      const rules = [...first.map(({ text }) => text), ...theirs, ...last.map(({ text }) => text)];
      held.set(chain, { name: chain, rules });
    }
    this.#hold(held, clean);
    this.#unseen = true;
  }

  /** It holds what nobody has read back: look at it again, soon. */
  get unseen(): boolean {
    return this.#unseen;
  }

  #write(steps: readonly Step[]): Promise<void> {
    return this.#io.write(this.version, [{ table: this.table, steps }]);
  }

  #wanted(): iptables.WantedTable {
    return { owner: OWNER, chains: this.#chains, hooks: this.#hooks, spelling: this.#spelling };
  }

  #hold(held: Map<string, SavedChain>, clean: ReadonlySet<string>): void {
    this.#held = held;
    this.#foreign = iptables.foreignTargets(held, OWNER);
    for (const name of clean) this.#dirty.delete(name);
    this.#spelling.clear();
  }

  #learn(held: Map<string, SavedChain>, clean: ReadonlySet<string>): void {
    this.#hold(held, clean);
    this.#unseen = false;
    for (const { rules } of held.values()) {
      for (const text of rules) {
        const hash = hashOf(text);
        if (hash !== undefined) this.#spelling.set(hash, text);
      }
    }
  }

  /** From now on, and until its policy or profile changes or it is tried again, that chain drops what it is asked about. */
  #setAside(chain: string, error: unknown): void {
    const aside = this.#chains.get(chain) ?? [];
    const drop = [rule([], { kind: 'drop' }, 'The kernel refused this chain')];
    const said = error instanceof CommandError ? error.stderr.trim() : String(error);
    this.#chains.set(chain, renderChain(chain, drop, this.version));
    this.#dirty.add(chain);
    const problem = {
      code: 'RULES_REFUSED',
      value: chain,
      what: `the kernel refused a rule of chain ${chain} (IPv${this.version}): ${said}`,
      remedy:
        'change the policy or profile that the chain belongs to; until then, or until the kernel takes it when it is looked at again, the chain drops all it is asked about',
    };
    this.#refused.set(chain, { problem, rules: aside });
  }

  get #name(): string {
    return `IPv${this.version} table ${this.table}`;
  }

  /** Rules of ours that the kernel holds, as far as we know. */
  get ruleCount(): number {
    let count = 0;
    for (const { name, rules } of this.#held?.values() ?? []) if (isOurs(name)) count += rules.length;
    return count;
  }

  /** What the rules of our own chains have counted. */
  async counters(): Promise<readonly RuleCounter[]> {
    const { version, table } = this;
    const places = new Map<string, number>();
    const counters: RuleCounter[] = [];
    for (const { chain, rule: text, packets, bytes } of (await this.#io.counters?.(version, table)) ?? []) {
      const hash = hashOf(text);
      if (hash === undefined || !isOurs(chain)) continue;
      const index = places.get(chain) ?? 0;
      places.set(chain, index + 1);
      counters.push({ version, table, chain, index, hash, packets, bytes });
    }
    return counters;
  }
}

/** Whether nothing in a table is ours. */
export function isFresh(seen: readonly SavedChain[]): boolean {
  return seen.every(({ name, rules }) => !isOurs(name) && rules.every((each) => hashOf(each) === undefined));
}

function byName(chains: readonly SavedChain[]): Map<string, SavedChain> {
  return new Map(chains.map((chain) => [chain.name, chain]));
}
