/**
 * Sets of the kernel that a walk looks into, and no others: the walk runs over what is known, what it missed is read, and
 * it runs again. A node may hold a hundred thousand members, of which a packet's way needs few. Pure but for the reader.
 */

export class SetReader<S> {
  readonly #known = new Map<string, S | undefined>();
  readonly #empty: S;
  readonly #read: (name: string) => Promise<S | undefined>;

  /** @param read  undefined: there is no such set, which the walk then says */
  constructor(empty: S, read: (name: string) => Promise<S | undefined>) {
    this.#empty = empty;
    this.#read = read;
  }

  async walk<W>(walk: (sets: ReadonlyMap<string, S>) => W): Promise<W> {
    for (;;) {
      const sets = new AskedSets(this.#known, this.#empty);
      const walked = walk(sets);
      if (sets.missed.size === 0) return walked;
      for (const name of sets.missed) this.#known.set(name, await this.#read(name));
    }
  }
}

class AskedSets<S> extends Map<string, S> {
  readonly missed = new Set<string>();
  readonly #known: ReadonlyMap<string, S | undefined>;
  readonly #empty: S;

  constructor(known: ReadonlyMap<string, S | undefined>, empty: S) {
    super();
    this.#known = known;
    this.#empty = empty;
  }

  override get(name: string): S | undefined {
    if (this.#known.has(name)) return this.#known.get(name);
    this.missed.add(name);
    return this.#empty;
  }
}
