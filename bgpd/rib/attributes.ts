/**
 * Interned path attributes: one object per distinct set, shared by every route that carries it, with the
 * figures that the decision process compares worked out once. Equality of sets is identity of objects.
 *
 * Hot (bench/micro/bgp-inbound.ts). A set is kept as its octets in canonical form, which are its key too; it is decoded
 * into values when somebody reads `attributes`, and those are kept for a while only.
 *
 * Ownership is counted by hand: who stores a set in a RIB interns it (or retains it) and releases it when the
 * route goes. A set nobody owns leaves the pool, so that hostile churn of attributes does not grow memory.
 */
import { decodeCanonical, encodeCanonical } from '../wire/canonical.ts';
import type { AttributeField } from '../wire/plain-update.ts';
import type { AsSegment, PathAttributes } from '../wire/types.ts';
import { figuresOf, hasInternalIn, occurrencesIn, Scratch, type Figures } from './attribute-octets.ts';
import { Column } from './column.ts';
import { FigureColumns } from './figure-columns.ts';
import { HashIndex } from './hash-index.ts';
import { OctetStore } from './octet-store.ts';

export { DEFAULT_LOCAL_PREF } from './attribute-octets.ts';
export { pathLength as asPathLength } from '../wire/attributes/as-path.ts';

/** A full table has some 200,000 of them: all but the number is in columns of the pool, or in its octets. */
export class AttributeSet implements Figures {
  /** Dense, the set's own for as long as somebody owns it: for columns and keys of whoever owns it. */
  readonly id: number;
  readonly #pool: AttributePool;

  constructor(pool: AttributePool, id: number) {
    this.#pool = pool;
    this.id = id;
  }

  get localPref(): number {
    return this.#pool.figures.localPref(this.id);
  }

  get asPathLength(): number {
    return this.#pool.figures.asPathLength(this.id);
  }

  get originRank(): number {
    return this.#pool.figures.originRank(this.id);
  }

  get med(): number | undefined {
    return this.#pool.figures.med(this.id);
  }

  get neighbourAs(): number {
    return this.#pool.figures.neighbourAs(this.id);
  }

  get originatorId(): number | undefined {
    return this.#pool.figures.originatorId(this.id);
  }

  get clusterListLength(): number {
    return this.#pool.figures.clusterListLength(this.id);
  }

  get aigp(): bigint | undefined {
    return this.#pool.figures.aigp(this.id);
  }

  /** Decoded when asked; not the same object each time. @throws once nobody owns the set */
  get attributes(): PathAttributes {
    return this.#pool.attributesOf(this);
  }

  /** Hands its octets, in canonical form, to a reader that keeps no view of them. */
  readOctets<T>(reader: (bytes: Uint8Array, at: number, end: number) => T): T {
    return this.#pool.read(this, reader);
  }

  /** How often the AS is anywhere in the path; read without decoding. */
  occurrences(asn: number): number {
    return this.#pool.read(this, (bytes, at, end) => occurrencesIn(bytes, at, end, asn));
  }

  /** It carries what only internal peers may say: LOCAL_PREF, ORIGINATOR_ID or CLUSTER_LIST. */
  get hasInternal(): boolean {
    return this.#pool.read(this, hasInternalIn);
  }
}

/** How many sets stay decoded: those of an UPDATE are read several times in a row, by import and by export. */
const DECODED = 1024;

const scratch = new Scratch();

export class AttributePool {
  readonly figures = new FigureColumns();
  readonly #octets = new OctetStore();
  readonly #byContent = new HashIndex();
  /** By id. */
  readonly #sets: (AttributeSet | undefined)[] = [];
  readonly #places = new Column();
  readonly #lengths = new Column();
  readonly #owners = new Column();
  readonly #spareIds: number[] = [];
  /** By id modulo {@link DECODED}. */
  readonly #decoded: ({ readonly set: AttributeSet; readonly attributes: PathAttributes } | undefined)[] =
    Array.from({ length: DECODED }, () => undefined);
  #size = 0;

  /** The shared set for these attributes; the caller owns one reference. */
  intern(attributes: PathAttributes): AttributeSet {
    const octets = encodeCanonical(attributes);
    scratch.load(octets, 0, octets.length);
    return this.#internScratch();
  }

  /** The same for attributes of a plain UPDATE, which need no decoding for it. */
  internField(field: AttributeField): AttributeSet {
    scratch.loadField(field);
    return this.#internScratch();
  }

  retain(set: AttributeSet): AttributeSet {
    this.#owners.set(set.id, this.#ownersOf(set) + 1);
    return set;
  }

  release(set: AttributeSet): void {
    const owners = this.#ownersOf(set) - 1;
    this.#owners.set(set.id, owners);
    if (owners === 0) this.#remove(set);
  }

  /** Distinct sets alive; 0 when every RIB is empty. */
  get size(): number {
    return this.#size;
  }

  /** For {@link AttributeSet.attributes}. */
  attributesOf(set: AttributeSet): PathAttributes {
    this.#ownersOf(set);
    const known = this.#decoded[set.id % DECODED];
    if (known?.set === set) return known.attributes;
    const attributes = this.read(set, decodeCanonical);
    this.#decoded[set.id % DECODED] = { set, attributes };
    return attributes;
  }

  /** Hands the octets of a set to a reader, which keeps no view of them. */
  read<T>(set: AttributeSet, reader: (bytes: Uint8Array, at: number, end: number) => T): T {
    this.#ownersOf(set);
    const place = this.#places.get(set.id);
    const at = this.#octets.at(place);
    return reader(this.#octets.chunk(place), at, at + this.#lengths.get(set.id));
  }

  #internScratch(): AttributeSet {
    const hash = scratch.hash();
    const known = this.#byContent.find(hash, this.#isScratch);
    if (known !== undefined) return this.retain(this.#sets[known] as AttributeSet);
    const id = this.#spareIds.pop() ?? this.#sets.length;
    const set = new AttributeSet(this, id);
    this.figures.put(id, figuresOf(scratch.bytes, scratch.length));
    this.#sets[id] = set;
    this.#places.set(id, this.#octets.put(scratch.bytes, scratch.length));
    this.#lengths.set(id, scratch.length);
    this.#owners.set(id, 1);
    this.#byContent.add(hash, id);
    this.#size++;
    return set;
  }

  readonly #isScratch = (id: number): boolean => {
    if (this.#lengths.get(id) !== scratch.length) return false;
    const place = this.#places.get(id);
    const chunk = this.#octets.chunk(place);
    const at = this.#octets.at(place);
    for (let i = 0; i < scratch.length; i++) if (chunk[at + i] !== scratch.bytes[i]) return false;
    return true;
  };

  #remove(set: AttributeSet): void {
    const { id } = set;
    const [place, length] = [this.#places.get(id), this.#lengths.get(id)];
    scratch.load(this.#octets.chunk(place), this.#octets.at(place), length);
    this.#byContent.remove(scratch.hash(), id);
    this.#octets.free(place, length);
    this.#sets[id] = undefined;
    this.#spareIds.push(id);
    this.#size--;
    if (this.#decoded[id % DECODED]?.set === set) this.#decoded[id % DECODED] = undefined;
  }

  #ownersOf(set: AttributeSet): number {
    if (this.#sets[set.id] !== set) throw new Error('attribute set used after its last release');
    return this.#owners.get(set.id);
  }
}

/** How often `asn` appears anywhere in the path, confederation segments included (RFC 4271 §9.1.2, RFC 5065 §4). */
export function occurrences(path: readonly AsSegment[], asn: number): number {
  let count = 0;
  for (const segment of path) for (const each of segment.asns) if (each === asn) count++;
  return count;
}
