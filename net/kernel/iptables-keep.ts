/** Keeps one's own part of a table as wanted, beside whoever else writes there: read, compare, write, read back. */
import { PoplinError } from '../../api/problem.ts';
import { type IpVersion, restore, type RestoreOptions, save } from './iptables-tools.ts';
import {
  diffTable,
  hashRules,
  type HeldChains,
  ownerOf,
  type WantedHook,
  type WantedTable,
} from './iptables-diff.ts';
import type { RestoreStep, SavedChain, SavedTable } from './iptables-text.ts';

/** Rules are text as iptables takes it behind `-A <chain> `, without a comment of ours. */
export interface OwnTable {
  /** Chains named `<prefix>-...` and rules with a comment `<prefix>:...` are ours, others' are left alone. */
  readonly prefix: string;
  /** `filter`, `nat`, ... */
  readonly table: string;
  /** Our chains. One that was ours and is not among them goes. */
  readonly chains: Readonly<Record<string, readonly string[]>>;
  /** What we have in chains that are not ours: before all rules of others, and behind them. */
  readonly hooks?: Readonly<
    Record<string, { readonly first?: readonly string[]; readonly last?: readonly string[] }>
  >;
}

/**
 * What to tell {@link restore}, and nothing where all is as wanted. Pure: for who reads and writes by other means.
 *
 * @param present  the table as {@link save} told it; undefined: there is none
 * @throws RangeError for a chain whose name does not begin with the prefix, and for a prefix that is none
 */
export function planTable(wanted: OwnTable, present: SavedTable | undefined): readonly RestoreStep[] {
  return diffTable(hashed(wanted), byName(present?.chains ?? []));
}

function byName(chains: readonly SavedChain[]): HeldChains {
  return new Map(chains.map((chain) => [chain.name, chain]));
}

function hashed({ prefix, chains, hooks = {} }: OwnTable): WantedTable {
  const owner = ownerOf(prefix);
  const foreign = Object.keys(chains).find((name) => !owner.isOurs(name));
  if (foreign !== undefined)
    throw new RangeError(`a chain of ours begins with ${prefix}-: ${JSON.stringify(foreign)}`);
  return {
    owner,
    chains: new Map(Object.entries(chains).map(([name, rules]) => [name, hashRules(prefix, name, rules)])),
    hooks: Object.entries(hooks).map(
      ([chain, { first = [], last = [] }]): WantedHook => ({
        chain,
        first: hashRules(prefix, chain, first),
        // Else a rule that stands in both places would have one hash.
        last: hashRules(prefix, `${chain} last`, last),
      }),
    ),
  };
}

/** Transactions until we give up: somebody else may write at the same time. */
const ATTEMPTS = 3;

/**
 * One's own part of one table of one family. Remembers how the kernel spells what was written, so that a rule that somebody
 * changed under our comment is found, too.
 */
export class TableKeeper {
  readonly #version: IpVersion;
  readonly #options: RestoreOptions;
  readonly #spelling = new Map<string, string>();

  constructor(version: IpVersion, options: RestoreOptions = {}) {
    this.#version = version;
    this.#options = options;
  }

  /**
   * Brings the kernel to what is wanted, in one transaction, or finds it there.
   *
   * @returns how many steps it took: 0 where nothing had to be done
   * @throws CommandError where the tools fail (`failureOf` says how), and the kernel then holds what it held;
   *   PoplinError with the code TABLE_CONTESTED where another program undoes what we do
   */
  async apply(wanted: OwnTable): Promise<number> {
    const target = { ...hashed(wanted), spelling: this.#spelling };
    let taken = 0;
    for (let attempt = 0; attempt <= ATTEMPTS; attempt++) {
      const [saved] = await save(this.#version, wanted.table, this.#options);
      const present = byName(saved?.chains ?? []);
      const steps = diffTable(target, present);
      if (steps.length === 0) {
        this.#learn(target, present);
        return taken;
      }
      if (attempt < ATTEMPTS)
        await restore(this.#version, [{ table: wanted.table, steps }], { ...this.#options, noflush: true });
      taken += steps.length;
    }
    throw new PoplinError([
      {
        code: 'TABLE_CONTESTED',
        what: `IPv${this.#version} table ${wanted.table}: ${ATTEMPTS} times another program undid what was written`,
        remedy: `find who else writes chains ${wanted.prefix}-* or rules with comments ${wanted.prefix}:*`,
        value: wanted.table,
      },
    ]);
  }

  #learn({ owner }: WantedTable, present: HeldChains): void {
    this.#spelling.clear();
    for (const { rules } of present.values())
      for (const rule of rules) {
        const hash = owner.hashOf(rule);
        if (hash !== undefined) this.#spelling.set(hash, rule);
      }
  }
}
