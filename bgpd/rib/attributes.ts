/**
 * Interned path attributes: one object per distinct set, shared by every route that carries it, with the
 * figures that the decision process compares worked out once. Equality of sets is identity of objects.
 *
 * Ownership is counted by hand: who stores a set in a RIB interns it (or retains it) and releases it when the
 * route goes. A set nobody owns leaves the pool, so that hostile churn of attributes does not grow memory.
 */
import type { AsSegment, PathAttributes } from '../wire/types.ts';
import { PathTable } from './path-table.ts';

/** RFC 4271 leaves the default to the implementation; every speaker we meet uses 100. */
export const DEFAULT_LOCAL_PREF = 100;

const ORIGIN_RANK = { IGP: 0, EGP: 1, incomplete: 2 } as const;

export interface AttributeSet {
  /** Dense, the set's own for as long as somebody owns it: for columns and keys of whoever owns it. */
  readonly id: number;
  readonly attributes: PathAttributes;
  /** Text that is equal exactly when the attributes are. */
  readonly key: string;
  readonly localPref: number;
  /** RFC 4271 §9.1.2.2 a: a set counts 1; RFC 5065 §5.3: confederation segments count 0. */
  readonly asPathLength: number;
  /** RFC 4271 §9.1.2.2 b: lower wins. */
  readonly originRank: number;
  /** Undefined where the route carries none; the decision says what that means. */
  readonly med: number | undefined;
  /** The AS the route came in from, 0 for one that has not left our own (RFC 4271 §9.1.2.2 c). */
  readonly neighbourAs: number;
  readonly originatorId: number | undefined;
  readonly clusterListLength: number;
}

interface Counted {
  readonly set: AttributeSet;
  owners: number;
}

export class AttributePool {
  /** The paths made of these sets. */
  readonly paths = new PathTable(this);
  readonly #sets = new Map<string, Counted>();
  readonly #spareIds: number[] = [];

  /** The shared set for these attributes; the caller owns one reference. */
  intern(attributes: PathAttributes): AttributeSet {
    const key = attributeKey(attributes);
    let counted = this.#sets.get(key);
    if (counted === undefined) {
      counted = { set: describe(this.#spareIds.pop() ?? this.#sets.size, attributes, key), owners: 0 };
      this.#sets.set(key, counted);
    }
    counted.owners++;
    return counted.set;
  }

  retain(set: AttributeSet): AttributeSet {
    this.#counted(set).owners++;
    return set;
  }

  release(set: AttributeSet): void {
    const counted = this.#counted(set);
    counted.owners--;
    if (counted.owners > 0) return;
    this.#sets.delete(set.key);
    this.#spareIds.push(set.id);
  }

  /** Distinct sets alive; 0 when every RIB is empty. */
  get size(): number {
    return this.#sets.size;
  }

  #counted(set: AttributeSet): Counted {
    const counted = this.#sets.get(set.key);
    if (counted === undefined || counted.set !== set)
      throw new Error('attribute set used after its last release');
    return counted;
  }
}

function describe(id: number, attributes: PathAttributes, key: string): AttributeSet {
  return {
    id,
    attributes,
    key,
    localPref: attributes.localPref ?? DEFAULT_LOCAL_PREF,
    asPathLength: asPathLength(attributes.asPath),
    originRank: ORIGIN_RANK[attributes.origin],
    med: attributes.med,
    neighbourAs: neighbourAs(attributes.asPath),
    originatorId: attributes.originatorId,
    clusterListLength: attributes.clusterList?.length ?? 0,
  };
}

export function asPathLength(path: readonly AsSegment[]): number {
  let length = 0;
  for (const segment of path) {
    if (segment.type === 'sequence') length += segment.asns.length;
    else if (segment.type === 'set') length += 1;
  }
  return length;
}

/** Leftmost AS of the path, past confederation segments; 0 where the path starts with a set or is empty. */
export function neighbourAs(path: readonly AsSegment[]): number {
  const first = path.find((segment) => segment.type === 'sequence' || segment.type === 'set');
  return first?.type === 'sequence' ? (first.asns[0] ?? 0) : 0;
}

/** How often `asn` appears anywhere in the path, confederation segments included (RFC 4271 §9.1.2, RFC 5065 §4). */
export function occurrences(path: readonly AsSegment[], asn: number): number {
  let count = 0;
  for (const segment of path) for (const each of segment.asns) if (each === asn) count++;
  return count;
}

/** Order matters in AS_PATH and CLUSTER_LIST only, but attributes that differ in any octet stay distinct: we pass on what we got. */
function attributeKey(a: PathAttributes): string {
  let key = a.origin[0] ?? '';
  for (const segment of a.asPath) key += `${SEGMENT_LETTER[segment.type]}${segment.asns.join(' ')}`;
  if (a.med !== undefined) key += `|m${a.med}`;
  if (a.localPref !== undefined) key += `|l${a.localPref}`;
  if (a.atomicAggregate) key += '|a';
  if (a.aggregator !== undefined) key += `|g${a.aggregator.asn}@${a.aggregator.address.toString()}`;
  if (a.communities !== undefined) key += `|c${a.communities.join(' ')}`;
  if (a.originatorId !== undefined) key += `|o${a.originatorId}`;
  if (a.clusterList !== undefined) key += `|r${a.clusterList.join(' ')}`;
  if (a.extendedCommunities !== undefined) key += `|e${a.extendedCommunities.join(' ')}`;
  if (a.largeCommunities !== undefined)
    key += `|L${a.largeCommunities.map((c) => `${c.global}:${c.local1}:${c.local2}`).join(' ')}`;
  if (a.unknown !== undefined)
    key += `|u${a.unknown.map((u) => `${u.code}.${u.flags}.${u.value.join('.')}`).join(' ')}`;
  return key;
}

const SEGMENT_LETTER = { sequence: 'q', set: 's', 'confed-sequence': 'Q', 'confed-set': 'S' } as const;
