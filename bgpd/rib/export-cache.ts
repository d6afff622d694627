/**
 * What becomes of a path on its way out, worked out once for all prefixes that share it. Where the policy looks at
 * prefixes too, only the octets are shared.
 *
 * Owns nothing but the last answer: a remembered one counts only while the path is the same object and the exported set
 * the same birth, so that what routes no longer use may go without a word.
 */
import type { Prefix } from '../../net/addr/index.ts';
import { encodeRoute } from '../wire/update-packer.ts';
import type { Family, Negotiated, NextHop, PathAttributes } from '../wire/types.ts';
import { Writer } from '../wire/writer.ts';
import { Column } from './column.ts';
import { NO_SET, type ExportedSets } from './exported-sets.ts';
import type { Path } from './path.ts';

export interface ExportOptions {
  readonly family: Family;
  /** What the OPENs of the group's members settled: the same for all. */
  readonly session: Negotiated;
  /** What the group is told of a path; undefined = nothing. */
  readonly export: (
    prefix: Prefix,
    path: Path,
  ) => { readonly attributes: PathAttributes; readonly nextHop: NextHop } | undefined;
  /**
   * The short way to the octets of what `export` says: how many it wrote, or -1 where `export` has to be asked; see
   * `../filter/unread-export.ts`.
   */
  readonly unread?: ((path: Path, w: Writer) => number) | undefined;
  /** The answer of `export` depends on the prefix beside the path. */
  readonly perPrefix: boolean;
}

export class ExportCache {
  readonly #options: ExportOptions;
  readonly #sets: ExportedSets;
  readonly #prefixOf: (id: number) => Prefix;
  readonly #writer = new Writer(512);
  /** By number of the path. */
  readonly #paths: (Path | undefined)[] = [];
  readonly #known = new Column();
  /** A number is not given out four billion times while a path lives. */
  readonly #births = new Column();
  /** Owned, until the next one is worked out. */
  #last = NO_SET;

  /** @param prefixOf  the prefix of an id, called only where an answer is not known */
  constructor(options: ExportOptions, sets: ExportedSets, prefixOf: (id: number) => Prefix) {
    this.#options = options;
    this.#sets = sets;
    this.#prefixOf = prefixOf;
  }

  /**
   * @param id  of the prefix that the path is for
   * @returns the exported set or `NO_SET`; it lives until the next call, or as long as somebody else owns it
   */
  setOf(path: Path, id: number): number {
    if (this.#options.perPrefix) return this.#work(path, id);
    const { number } = path;
    if (this.#paths[number] === path) {
      const set = this.#known.get(number);
      if (this.#births.get(number) === this.#sets.birth(set)) return set;
    }
    const set = this.#work(path, id);
    // Dense, so that the array stays a plain one.
    while (this.#paths.length < number) this.#paths.push(undefined);
    this.#paths[number] = path;
    this.#known.set(number, set);
    this.#births.set(number, this.#sets.birth(set));
    return set;
  }

  clear(): void {
    this.#keep(NO_SET);
    this.#paths.length = 0;
    this.#known.clear();
    this.#births.clear();
  }

  #work(path: Path, id: number): number {
    const short = this.#options.unread?.(path, this.#writer.reset()) ?? -1;
    const length = short < 0 ? this.#encode(path, this.#prefixOf(id)) : short;
    if (length < 0) return NO_SET;
    const set = this.#sets.acquire(path.source.id, this.#writer.view(), 0, length);
    this.#keep(set);
    return set;
  }

  #encode(path: Path, prefix: Prefix): number {
    const { family, session } = this.#options;
    const told = this.#options.export(prefix, path);
    if (told === undefined) return -1;
    // Attributes that leave no room for a prefix: the route cannot be told, and no older version of it must stay.
    return encodeRoute(this.#writer.reset(), family, told.attributes, told.nextHop, session);
  }

  #keep(set: number): void {
    if (this.#last !== NO_SET) this.#sets.release(this.#last);
    this.#last = set;
  }
}
