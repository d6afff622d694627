/**
 * Interned paths: one {@link Path} for all prefixes that a peer announced with the same attributes, next hop and
 * verdict, and a small dense number for it, so that RIBs are columns of numbers.
 *
 * Ownership is counted by hand, as of attribute sets: each place that stores a number owns a reference, and a path
 * owns its attribute sets. A number is given to another path once nobody owns it.
 */
import type { AttributePool } from './attributes.ts';
import { finishHash, HashIndex, inTableOf, mixWord } from './hash-index.ts';
import { sameNextHop, type Path, type PathIdentity } from './path.ts';
import { SharedPath, TermsTable } from './shared-path.ts';
import { widen } from './widen.ts';

export class PathTable {
  readonly pool: AttributePool;
  readonly #paths: (Path | undefined)[] = [];
  readonly #byContent = new HashIndex();
  readonly #spare: number[] = [];
  readonly #terms = new TermsTable();
  #owners = new Uint32Array(64);
  #size = 0;
  /** What {@link PathTable.#isSought} compares with; a closure for each lookup would be garbage for each path. */
  #sought: PathIdentity | undefined;
  readonly #isSought = (number: number): boolean => isSame(this.at(number), this.#sought as PathIdentity);

  constructor(pool: AttributePool) {
    this.pool = pool;
  }

  /** Distinct paths alive; 0 when every RIB is empty. */
  get size(): number {
    return this.#size;
  }

  /** The shared path of this identity; the caller owns one reference, and keeps those to its attribute sets. */
  intern(identity: PathIdentity): Path {
    const hash = hashOf(identity);
    this.#sought = identity;
    const known = this.#byContent.find(hash, this.#isSought);
    if (known !== undefined) return this.at(this.retain(known));
    const number = this.#spare.pop() ?? this.#paths.length;
    const path = new SharedPath(number, identity, this.#terms.of(identity));
    this.#paths[number] = path;
    this.pool.retain(path.received);
    this.pool.retain(path.attributes);
    this.#own(number);
    this.#byContent.add(hash, number);
    this.#size++;
    return path;
  }

  /** @throws when nobody owns the number: a bug in whoever counts */
  at(number: number): Path {
    const path = this.#paths[number];
    if (path === undefined) throw new Error(`path ${number} used after its last release`);
    return path;
  }

  retain(number: number): number {
    this.#owners[number] = (this.#owners[number] ?? 0) + 1;
    return number;
  }

  release(number: number): void {
    const owners = (this.#owners[number] ?? 0) - 1;
    if (owners > 0) this.#owners[number] = owners;
    else this.#remove(this.at(number));
  }

  #own(number: number): void {
    if (number >= this.#owners.length) {
      this.#owners = widen(this.#owners, Math.ceil(this.#owners.length * 1.5));
    }
    this.#owners[number] = 1;
  }

  #remove(path: Path): void {
    const { number } = path;
    this.#owners[number] = 0;
    this.#byContent.remove(hashOf(path), number);
    this.#paths[number] = undefined;
    this.#spare.push(number);
    this.#size--;
    this.pool.release(path.attributes);
    this.pool.release(path.received);
  }
}

function hashOf({ source, pathId, nextHop, received, attributes }: PathIdentity): number {
  let hash = mixWord(mixWord(mixWord(source.id, pathId), received.id), attributes.id);
  if (nextHop !== undefined) hash = mixWord(mixWord(hash, nextHop.address.w0), nextHop.address.w3);
  // Sets that came one after another are looked for one after another.
  return inTableOf(received.id >>> 10, finishHash(hash));
}

function isSame(path: Path, other: PathIdentity): boolean {
  return (
    path.source === other.source &&
    path.pathId === other.pathId &&
    path.received === other.received &&
    path.attributes === other.attributes &&
    path.rejected === other.rejected &&
    path.kernel === other.kernel &&
    sameNextHop(path.nextHop, other.nextHop) &&
    sameNextHop(path.announcedNextHop, other.announcedNextHop)
  );
}
