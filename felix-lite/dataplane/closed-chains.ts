/**
 * What becomes of chains that look into a set which the kernel would not take: they fail closed, and they alone. A chain of
 * a policy or profile drops all it is asked about. In a chain of our own making rules that allow by such a set are left out
 * and rules that drop by it drop whatever is in the set. Makes no call to the kernel.
 */
import type { Problem } from '../../api/problem.ts';
import type { IpVersion } from '../../net/addr/index.ts';
import { type Chain, rule } from '../rules/types.ts';

/** Chains whose content users decide. */
const USERS = /^cali-(?:pi|po|pri|pro)-/;

export function isUsersChain({ name }: Pick<Chain, 'name'>): boolean {
  return USERS.test(name);
}

export class ClosedChains {
  readonly #setName: (set: string) => string;
  /** Chains that look into any set, as they should be. */
  readonly #chains = new Map<string, Chain>();
  readonly #lookingInto = new Map<string, Set<string>>();
  #refused: ReadonlySet<string> = new Set();

  /** @param setName  what the backend calls the set of a match */
  constructor(setName: (set: string) => string = (set) => set) {
    this.#setName = setName;
  }

  /** @returns the chain as it is to be written */
  put(key: string, chain: Chain | undefined): Chain | undefined {
    const before = this.#chains.get(key);
    if (before !== undefined)
      for (const set of this.#setsOf(before)) {
        const chains = this.#lookingInto.get(set);
        if (chains?.delete(key) === true && chains.size === 0) this.#lookingInto.delete(set);
      }
    const sets = chain === undefined ? NONE : this.#setsOf(chain);
    if (chain === undefined || sets.size === 0) {
      this.#chains.delete(key);
      return chain;
    }
    this.#chains.set(key, chain);
    for (const set of sets) {
      const chains = this.#lookingInto.get(set) ?? new Set<string>();
      this.#lookingInto.set(set, chains.add(key));
    }
    return this.#closed(chain);
  }

  /**
   * From now on these sets are not to be looked into, and no others.
   * @returns chains that this changes, as they are to be written
   */
  refuse(sets: ReadonlySet<string>): ReadonlyMap<string, Chain> {
    const before = this.#refused;
    this.#refused = new Set(sets);
    const keys = new Set<string>();
    for (const set of sets.symmetricDifference(before))
      for (const key of this.#lookingInto.get(set) ?? []) keys.add(key);
    const changed = new Map<string, Chain>();
    for (const key of keys) {
      const chain = this.#chains.get(key);
      if (chain !== undefined) changed.set(key, this.#closed(chain));
    }
    return changed;
  }

  /** Whom the set's refusal concerns: policies and profiles by their names, other chains by theirs. */
  users(set: string): readonly string[] {
    return [...(this.#lookingInto.get(set) ?? [])].map((key) => {
      const chain = this.#chains.get(key);
      return chain?.rules[0]?.comments?.at(-1) ?? chain?.name ?? key;
    });
  }

  #closed(chain: Chain): Chain {
    const looks = (set: string): boolean => this.#refused.has(this.#setName(set));
    if (![...this.#setsOf(chain)].some((set) => this.#refused.has(set))) return chain;
    if (isUsersChain(chain)) {
      const [first] = chain.rules;
      const comments = [
        ...(first?.comments?.slice(-1) ?? []),
        'The kernel refused a set that this looks into',
      ];
      return { name: chain.name, rules: [rule([], { kind: 'drop' }, ...comments)] };
    }
    return {
      name: chain.name,
      rules: chain.rules.flatMap((each) => {
        const others = each.matches.filter((match) => match.kind !== 'set' || !looks(match.set));
        if (others.length === each.matches.length) return [each];
        return each.verdict?.kind === 'drop' ? [{ ...each, matches: others }] : [];
      }),
    };
  }

  #setsOf({ rules }: Chain): ReadonlySet<string> {
    let sets: Set<string> | undefined;
    for (const { matches } of rules)
      for (const match of matches)
        if (match.kind === 'set') (sets ??= new Set()).add(this.#setName(match.set));
    return sets ?? NONE;
  }
}

const NONE: ReadonlySet<string> = new Set();

/** @param users  see {@link ClosedChains.users} */
export function refusedSet(set: string, version: IpVersion, said: string, users: readonly string[]): Problem {
  const who = [...new Set(users)].sort().join(', ');
  return {
    code: 'SET_REFUSED',
    value: set,
    what: `the kernel refused the address set ${set} (IPv${version}), so what looks into it fails closed (${who}): ${said}`,
    remedy:
      'mend what the kernel says of it, or change the policy so that it needs another set; the set is tried again when it changes and when the kernel is looked at again',
  };
}
