/** Members of a set, and which of them become elements of the kernel's set. Pure. */
import type { Member } from '../../calc/model.ts';
import type { PrefixCover } from './cover.ts';

export type Members = Pick<PrefixCover, 'members' | 'outermost' | 'add' | 'delete' | 'hasNetworks'>;

/** Of sets with ports: one for one. */
export class PlainMembers implements Members {
  readonly #members = new Set<Member>();

  get hasNetworks(): boolean {
    return false;
  }

  members(): Iterable<Member> {
    return this.#members;
  }

  *outermost(): Generator<Member> {
    yield* this.#members;
  }

  add(member: Member): ReturnType<Members['add']> {
    const fresh = !this.#members.has(member);
    this.#members.add(member);
    return { appear: fresh ? [member] : [], vanish: [] };
  }

  delete(member: Member): ReturnType<Members['delete']> {
    return { appear: [], vanish: this.#members.delete(member) ? [member] : [] };
  }
}
