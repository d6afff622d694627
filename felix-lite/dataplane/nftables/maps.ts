/** Verdict maps from interfaces to chains, of one family: what is wanted, what the kernel holds, and what lies between. */
import type { IpVersion } from '../../../net/addr/index.ts';
import type { NftElement } from '../../../net/kernel/index.ts';
import { ourTable } from './names.ts';
import type { Planned } from './planned.ts';
import { interfaceKey } from './render.ts';

/** Interface and chain. */
type Entry = readonly [string, string];

export interface MapPlans {
  /** Before the chains that ask the maps. */
  readonly make: readonly Planned[];
  /** Behind the chains that the entries lead to, and before those that no entry leads to any more are removed. */
  readonly entries: readonly Planned[];
}

export class NftMaps {
  readonly #version: IpVersion;
  readonly #wanted = new Map<string, Map<string, string>>();
  readonly #held = new Map<string, Map<string, string>>();
  /** Keys that may differ, by map. */
  readonly #dirty = new Map<string, Set<string>>();

  constructor(version: IpVersion) {
    this.#version = version;
  }

  /** Leads interfaces to chains; undefined: no longer. */
  put(name: string, entries: ReadonlyMap<string, string | undefined>): void {
    const map = this.#wanted.get(name) ?? new Map<string, string>();
    this.#wanted.set(name, map);
    for (const [key, chain] of entries) {
      if (chain === undefined) map.delete(key);
      else map.set(key, chain);
    }
    this.#touch(name, entries.keys());
  }

  /** Takes for true what was just read. */
  hold(found: ReadonlyMap<string, ReadonlyMap<string, string>>): void {
    this.#held.clear();
    for (const [name, entries] of found) this.#held.set(name, new Map(entries));
    for (const maps of [this.#wanted, this.#held])
      for (const [name, entries] of maps) this.#touch(name, entries.keys());
  }

  plan(): MapPlans {
    const plans = [...this.#dirty].map(([name, keys]) => this.#planOne(name, keys));
    return { make: plans.flatMap(({ make }) => make), entries: plans.flatMap(({ entries }) => entries) };
  }

  get hasChanges(): boolean {
    return this.#dirty.size > 0;
  }

  /** The kernel has taken the plan. */
  finished(): void {
    this.#dirty.clear();
  }

  #touch(map: string, keys: Iterable<string>): void {
    const dirty = this.#dirty.get(map) ?? new Set<string>();
    this.#dirty.set(map, dirty);
    for (const key of keys) dirty.add(key);
  }

  #planOne(name: string, keys: ReadonlySet<string>): MapPlans {
    const table = ourTable(this.#version);
    const wanted = this.#wanted.get(name);
    const held = this.#held.get(name);
    if (wanted === undefined) {
      if (held === undefined) return { make: [], entries: [] };
      const done = (): void => void this.#held.delete(name);
      return { make: [], entries: [{ operation: { op: 'delete-set', table, set: name }, done }] };
    }
    const gone: Entry[] = [];
    const come: Entry[] = [];
    for (const key of keys) {
      const [before, after] = [held?.get(key), wanted.get(key)];
      if (before === after) continue;
      if (before !== undefined) gone.push([key, before]);
      if (after !== undefined) come.push([key, after]);
    }
    const set = { name, key: ['ifname'], verdicts: true } as const;
    const make = (): Planned => ({
      operation: { op: 'add-set', table, set },
      done: () => this.#note(name, true, []),
    });
    return {
      make: held === undefined ? [make()] : [],
      entries: [
        ...this.#elements(name, 'delete-elements', gone),
        ...this.#elements(name, 'add-elements', come),
      ],
    };
  }

  #elements(
    name: string,
    op: 'add-elements' | 'delete-elements',
    entries: readonly Entry[],
  ): readonly Planned[] {
    if (entries.length === 0) return [];
    const operation = { op, table: ourTable(this.#version), set: name, elements: entries.map(entryOf) };
    return [{ operation, done: () => this.#note(name, op === 'add-elements', entries) }];
  }

  #note(map: string, add: boolean, entries: readonly Entry[]): void {
    const held = this.#held.get(map) ?? new Map<string, string>();
    this.#held.set(map, held);
    for (const [key, chain] of entries) {
      if (add) held.set(key, chain);
      else held.delete(key);
    }
  }
}

function entryOf([name, chain]: Entry): NftElement {
  return { key: interfaceKey(name), verdict: { code: 'goto', chain } };
}
