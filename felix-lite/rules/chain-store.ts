/**
 * The chains of one table of one family, each programmed only while something refers to it. Tells what has
 * to change in the kernel. A reference to a chain that nobody has given yet gets one that drops.
 */
import { type Chain, type Rule, references, rule } from './types.ts';

export class ChainStore {
  readonly #given = new Map<string, Chain>();
  /** How often programmed chains (and hooks) refer to each name. */
  readonly #counts = new Map<string, number>();
  readonly #programmed = new Map<string, Chain>();
  readonly #changed = new Set<string>();
  readonly #maps = new Map<string, Map<string, string>>();
  readonly #changedEntries = new Map<string, Map<string, string | undefined>>();

  /** Adds or replaces. */
  put(chain: Chain): void {
    this.#given.set(chain.name, chain);
    this.#settle(chain.name);
  }

  delete(name: string): void {
    if (this.#given.delete(name)) this.#settle(name);
  }

  /** The kernel's own chains refer to these from now on. */
  addRoots(rules: readonly Rule[]): void {
    for (const name of references(rules)) this.#count(name, 1);
  }

  /** The map is there from now on, be it empty: rules may ask it before it has a key. */
  putMap(map: string): void {
    if (this.#maps.has(map)) return;
    this.#maps.set(map, new Map());
    this.#changedEntries.set(map, new Map());
  }

  /** Leads the key to a chain, which is thereby programmed; undefined takes the key out of the map. */
  putEntry(map: string, key: string, chain: string | undefined): void {
    const entries = this.#maps.get(map) ?? new Map<string, string>();
    this.#maps.set(map, entries);
    const before = entries.get(key);
    if (before === chain) return;
    if (chain === undefined) entries.delete(key);
    else entries.set(key, chain);
    const changed = this.#changedEntries.get(map) ?? new Map<string, string | undefined>();
    this.#changedEntries.set(map, changed.set(key, chain));
    if (chain !== undefined) this.#count(chain, 1);
    if (before !== undefined) this.#count(before, -1);
  }

  get maps(): ReadonlyMap<string, ReadonlyMap<string, string>> {
    return this.#maps;
  }

  /** Entries as they have to be; undefined for those that have to go. Each change is told once. */
  takeMapChanges(): ReadonlyMap<string, ReadonlyMap<string, string | undefined>> {
    const changes = new Map(this.#changedEntries);
    this.#changedEntries.clear();
    return changes;
  }

  /** Chains as they have to be; undefined for those that have to go. Each change is told once. */
  takeChanges(): ReadonlyMap<string, Chain | undefined> {
    const changes = new Map([...this.#changed].map((name) => [name, this.#programmed.get(name)]));
    this.#changed.clear();
    return changes;
  }

  get programmed(): ReadonlyMap<string, Chain> {
    return this.#programmed;
  }

  /** Brings what is programmed under this name in line with what was given and who refers to it. */
  #settle(name: string): void {
    const wanted =
      (this.#counts.get(name) ?? 0) > 0 ? (this.#given.get(name) ?? failClosed(name)) : undefined;
    const present = this.#programmed.get(name);
    if (wanted === present) return;
    this.#changed.add(name);
    if (wanted === undefined) this.#programmed.delete(name);
    else this.#programmed.set(name, wanted);
    // New references first: a chain that both versions use must not come and go in between.
    for (const target of references(wanted?.rules ?? [])) this.#count(target, 1);
    for (const target of references(present?.rules ?? [])) this.#count(target, -1);
  }

  #count(name: string, by: 1 | -1): void {
    const before = this.#counts.get(name) ?? 0;
    const after = before + by;
    if (after === 0) this.#counts.delete(name);
    else this.#counts.set(name, after);
    if (before === 0 || after === 0) this.#settle(name);
  }
}

function failClosed(name: string): Chain {
  return { name, rules: [rule([], { kind: 'drop' }, 'Chain is not known yet')] };
}
