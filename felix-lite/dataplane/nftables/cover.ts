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
  /** Undefined for an address alone that nobody has had to compare yet: most sets hold nothing else, by the thousand. */
  readonly #members = new Map<Member, Prefix | undefined>();
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
    for (const member of this.#members.keys())
      if (this.#networks === 0 || !this.#isCovered(this.#prefix(member))) yield member;
  }

  #prefix(member: Member): Prefix {
    const known = this.#members.get(member);
    if (known !== undefined) return known;
    const prefix = parse(member);
    if (this.#members.has(member)) this.#members.set(member, prefix);
    return prefix;
  }

  /** What becomes of {@link outermost}. */
  add(member: Member): CoverChange {
    if (this.#members.has(member)) return NO_CHANGE;
    if (this.#networks === 0 && !member.includes('/')) {
      this.#members.set(member, undefined);
      this.#count(hostLength(member), 1);
      return { appear: [member], vanish: [] };
    }
    const prefix = parse(member);
    const covered = this.#isCovered(prefix);
    const vanish = covered ? [] : this.#outermostInside(prefix);
    this.#members.set(member, prefix);
    if (!prefix.isHost) this.#networks++;
    this.#count(prefix.length, 1);
    return { appear: covered ? [] : [member], vanish };
  }

  /** What becomes of {@link outermost}. */
  delete(member: Member): CoverChange {
    if (!this.#members.has(member)) return NO_CHANGE;
    if (this.#networks === 0) {
      this.#members.delete(member);
      this.#count(hostLength(member), -1);
      return { appear: [], vanish: [member] };
    }
    const prefix = this.#prefix(member);
    this.#members.delete(member);
    if (!prefix.isHost) this.#networks--;
    this.#count(prefix.length, -1);
    if (this.#isCovered(prefix)) return NO_CHANGE;
    return { appear: this.#outermostInside(prefix), vanish: [member] };
  }

  #count(length: number, by: 1 | -1): void {
    const count = (this.#lengths.get(length) ?? 0) + by;
    if (count === 0) this.#lengths.delete(length);
    else this.#lengths.set(length, count);
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
      return [...this.#members.keys()]
        .map((member) => ({ member, prefix: this.#prefix(member) }))
        .filter(({ prefix: each }) => each.length > prefix.length && prefix.contains(each));
    return longer.flatMap((length) =>
      Array.from({ length: 2 ** (length - prefix.length) }, (_, index) => prefix.subnet(length, index))
        .map((each) => ({ member: textOf(each), prefix: each }))
        .filter(({ member }) => this.#members.has(member)),
    );
  }
}

const NO_CHANGE: CoverChange = { appear: [], vanish: [] };

/** Of an address alone. */
function hostLength(member: Member): number {
  return member.includes(':') ? 128 : 32;
}

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
