/**
 * A set of prefixes, and those of them that lie in no other: ranges in a set of nf_tables may not overlap, and what lies
 * inside another adds nothing to it. Two prefixes are apart or one holds the other, so the outermost ones are disjoint
 * and cover the same addresses. Pure.
 */
import { Address, Prefix } from '../../../net/addr/index.ts';
import type { Member } from '../../calc/model.ts';

export interface CoverChange {
  readonly appear: readonly Member[];
  readonly vanish: readonly Member[];
}

/** Up to so many possible sub-prefixes are asked for one by one; beyond, all members are looked through. */
const ENUMERATE = 1024n;

export class PrefixCover {
  readonly #members = new Map<Member, Prefix>();
  /** How many members have each length. */
  readonly #lengths = new Map<number, number>();
  #networks = 0;

  /** Some members are more than one address. */
  get hasNetworks(): boolean {
    return this.#networks > 0;
  }

  members(): Iterable<Member> {
    return this.#members.keys();
  }

  /** The members that lie in no other. */
  *outermost(): Generator<Member> {
    for (const [member, prefix] of this.#members) if (!this.#isCovered(prefix)) yield member;
  }

  /** What becomes of {@link outermost}. */
  add(member: Member): CoverChange {
    if (this.#members.has(member)) return NO_CHANGE;
    const prefix = parse(member);
    const covered = this.#isCovered(prefix);
    const vanish = covered ? [] : this.#outermostInside(prefix);
    this.#members.set(member, prefix);
    if (!prefix.isHost) this.#networks++;
    this.#lengths.set(prefix.length, (this.#lengths.get(prefix.length) ?? 0) + 1);
    return { appear: covered ? [] : [member], vanish };
  }

  /** What becomes of {@link outermost}. */
  delete(member: Member): CoverChange {
    const prefix = this.#members.get(member);
    if (prefix === undefined) return NO_CHANGE;
    this.#members.delete(member);
    if (!prefix.isHost) this.#networks--;
    const left = (this.#lengths.get(prefix.length) ?? 1) - 1;
    if (left === 0) this.#lengths.delete(prefix.length);
    else this.#lengths.set(prefix.length, left);
    if (this.#isCovered(prefix)) return NO_CHANGE;
    return { appear: this.#outermostInside(prefix), vanish: [member] };
  }

  #isCovered(prefix: Prefix): boolean {
    for (const length of this.#lengths.keys())
      if (length < prefix.length && this.#members.has(textOf(Prefix.of(prefix.address, length)))) return true;
    return false;
  }

  /** Among the members inside the prefix (itself not being one) those that lie in no other. */
  #outermostInside(prefix: Prefix): readonly Member[] {
    const longer = [...this.#lengths.keys()].filter((length) => length > prefix.length);
    if (longer.length === 0) return [];
    const inside = this.#inside(prefix, longer);
    const set = new Set(inside.map(({ member }) => member));
    return inside
      .filter(
        (each) =>
          !longer.some(
            (length) =>
              length < each.prefix.length && set.has(textOf(Prefix.of(each.prefix.address, length))),
          ),
      )
      .map(({ member }) => member);
  }

  #inside(
    prefix: Prefix,
    longer: readonly number[],
  ): readonly { readonly member: Member; readonly prefix: Prefix }[] {
    const possible = longer.reduce((sum, length) => sum + (1n << BigInt(length - prefix.length)), 0n);
    if (possible > ENUMERATE)
      return [...this.#members]
        .filter(([, each]) => each.length > prefix.length && prefix.contains(each))
        .map(([member, each]) => ({ member, prefix: each }));
    return longer.flatMap((length) =>
      Array.from({ length: 2 ** (length - prefix.length) }, (_, index) => prefix.subnet(length, index))
        .map((each) => ({ member: textOf(each), prefix: each }))
        .filter(({ member }) => this.#members.has(member)),
    );
  }
}

const NO_CHANGE: CoverChange = { appear: [], vanish: [] };

/** `10.0.0.1` is the prefix that holds it alone. */
function parse(member: Member): Prefix {
  const address = member.includes('/') ? undefined : Address.parse(member);
  const prefix = address === undefined ? Prefix.parse(member) : Prefix.host(address);
  if (prefix === undefined) throw new RangeError(`no address or prefix: ${JSON.stringify(member)}`);
  return prefix;
}

/** As members are written: hosts without their length. */
function textOf(prefix: Prefix): Member {
  return prefix.isHost ? prefix.address.toString() : prefix.toString();
}
