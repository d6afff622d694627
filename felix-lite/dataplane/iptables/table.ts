/**
 * One table of one family: what we want in it, what the kernel holds, and the transaction between the two.
 * Read, compare, write, read back. Nothing is taken for done that the kernel has not said itself.
 */
import type { Problem } from '../../../api/problem.ts';
import type { IpVersion } from '../../../net/addr/index.ts';
import { CommandError, iptables } from '../../../net/kernel/index.ts';
import { type Chain, type Hook, type TableName, rule } from '../../rules/types.ts';
import { type Step, type WantedTable, diffTable, hashOf, isOurs } from './diff.ts';
import { type RenderedRule, lastChainName, renderChain } from './render.ts';

type SavedChain = iptables.SavedChain;

/** The tools of one namespace and backend. */
export interface IptablesIo {
  read(version: IpVersion, table: TableName): Promise<readonly SavedChain[]>;
  write(version: IpVersion, table: TableName, steps: readonly Step[]): Promise<void>;
}

/** @param options  namespace and backend; defaults are this one and the machine's */
export function kernelIptables(options: iptables.IptablesOptions): IptablesIo {
  return {
    read: async (version, table) => (await iptables.save(version, table, options))[0]?.chains ?? [],
    write: (version, table, steps) =>
      iptables.restore(version, [{ table, steps }], { ...options, noflush: true }),
  };
}

/** Transactions until we give up for this pass: strangers may write at the same time. */
const ATTEMPTS = 3;

/** Chains whose content users decide. If the kernel refuses one, it alone is replaced by a drop. */
const USERS = /^cali-(?:pi|po|pri|pro)-/;

export class IptablesTable {
  readonly version: IpVersion;
  readonly table: TableName;
  readonly #io: IptablesIo;
  readonly #chains = new Map<string, readonly RenderedRule[]>();
  readonly #hooks: WantedTable['hooks'];
  readonly #spelling = new Map<string, string>();
  readonly #refused = new Map<string, Problem>();
  #actual: readonly SavedChain[] | undefined;
  #dirty = true;

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
      if (chain === undefined) this.#chains.delete(name);
      else this.#chains.set(name, renderChain(name, chain.rules, this.version));
      this.#dirty = true;
    }
  }

  /** Chains that the kernel refused and that drop everything instead. */
  get problems(): readonly Problem[] {
    return [...this.#refused.values()];
  }

  /**
   * Makes the kernel's table as wanted.
   * @param reread  look at the kernel first, for edits by others; else trust what it said last time
   * @returns the number of steps that it took
   * @throws what the tools said, when the table could not be brought there; the kernel then holds what it held
   */
  async apply(reread: boolean): Promise<number> {
    if (!this.#dirty && !reread) return 0;
    this.#dirty = true;
    let actual = reread ? undefined : this.#actual;
    // If this fails, nobody knows what the kernel holds.
    this.#actual = undefined;
    let taken = 0;
    for (let attempt = 1; ; attempt++) {
      actual ??= await this.#io.read(this.version, this.table);
      const steps = diffTable(this.#wanted(), actual);
      if (steps.length === 0) {
        this.#learn(actual);
        return taken;
      }
      if (attempt > ATTEMPTS)
        throw new Error(`the ${this.#name} changes under our hands: ${steps.length} steps are left`);
      try {
        await this.#io.write(this.version, this.table, steps);
        taken += steps.length;
      } catch (error) {
        const refused = await this.#refusedChains(error, steps, attempt === ATTEMPTS);
        // A chain set aside does not count as an attempt; there are only so many chains.
        if (refused.length > 0) attempt--;
        else if (attempt === ATTEMPTS) throw error;
        for (const chain of refused) this.#setAside(chain, error);
      }
      actual = undefined;
    }
  }

  #wanted(): WantedTable {
    return { chains: this.#chains, hooks: this.#hooks, spelling: this.#spelling };
  }

  #learn(actual: readonly SavedChain[]): void {
    this.#actual = actual;
    this.#dirty = false;
    this.#spelling.clear();
    for (const { rules } of actual) {
      for (const text of rules) {
        const hash = hashOf(text);
        if (hash !== undefined) this.#spelling.set(hash, text);
      }
    }
  }

  /**
   * Which chains of users' making the failure is about. The tool names the line where it can; the legacy tool
   * knows only that the kernel refused the whole, and then the chains are tried apart.
   */
  async #refusedChains(error: unknown, steps: readonly Step[], last: boolean): Promise<readonly string[]> {
    if (!(error instanceof CommandError)) return [];
    const line = /line(?::| number)? ?(\d+)/i.exec(error.stderr)?.[1];
    // Line 1 is `*table`.
    const named = line === undefined ? undefined : steps[Number(line) - 2];
    if (named?.op === 'append' && this.#mayRefuse(named.chain)) return [named.chain];
    if (!last) return [];
    const suspects = Map.groupBy(
      steps.filter((step) => step.op === 'append' && this.#mayRefuse(step.chain)),
      ({ chain }) => chain,
    );
    return this.#probe([...suspects.values()]);
  }

  #mayRefuse(chain: string): boolean {
    return USERS.test(chain) && !this.#refused.has(chain);
  }

  /** Loads the chains under names that nothing refers to; halves what fails until single chains are left. */
  async #probe(suspects: readonly (readonly Step[])[]): Promise<readonly string[]> {
    if (suspects.length === 0) return [];
    const names = suspects.map((_, index) => `cali-probe-${index}`);
    const load = (steps: readonly Step[]): Promise<void> => this.#io.write(this.version, this.table, steps);
    try {
      await load([
        ...names.map((chain): Step => ({ op: 'make', chain })),
        ...suspects.flatMap((steps, index) => steps.map((step) => ({ ...step, chain: names[index] ?? '' }))),
      ]);
      await load([
        ...names.map((chain): Step => ({ op: 'flush', chain })),
        ...names.map((chain): Step => ({ op: 'remove', chain })),
      ]);
      return [];
    } catch {
      if (suspects.length === 1) return suspects[0]?.slice(0, 1).map(({ chain }) => chain) ?? [];
      const half = suspects.length >> 1;
      return [...(await this.#probe(suspects.slice(0, half))), ...(await this.#probe(suspects.slice(half)))];
    }
  }

  /** From now on, and until its policy or profile changes, that chain drops what it is asked about. */
  #setAside(chain: string, error: unknown): void {
    const drop = [rule([], { kind: 'drop' }, 'The kernel refused this chain')];
    const said = error instanceof CommandError ? error.stderr.trim() : String(error);
    this.#chains.set(chain, renderChain(chain, drop, this.version));
    this.#refused.set(chain, {
      code: 'RULES_REFUSED',
      value: chain,
      what: `the kernel refused a rule of chain ${chain} (IPv${this.version}): ${said}`,
      remedy:
        'change the policy or profile that the chain belongs to; until then it drops all it is asked about',
    });
  }

  get #name(): string {
    return `IPv${this.version} table ${this.table}`;
  }

  /** Rules of ours that the kernel holds, as it said last. */
  get ruleCount(): number {
    return (this.#actual ?? []).reduce((sum, { name, rules }) => sum + (isOurs(name) ? rules.length : 0), 0);
  }
}
