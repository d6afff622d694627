/**
 * Paths as the {@link PathTable} keeps them, by the hundred thousand: five fields, and all that nearly every path of a
 * peer has in common in one object beside ({@link Terms}).
 */
import type { NextHop } from '../wire/types.ts';
import type { AttributeSet } from './attributes.ts';
import { sameNextHop, type Path, type PathIdentity, type Source } from './path.ts';

/** Objects of terms that are kept for the next path. There are few; should there be more, that only costs memory. */
const SHARED_TERMS = 4096;

export type Terms = Pick<PathIdentity, 'source' | 'nextHop' | 'announcedNextHop' | 'rejected' | 'kernel'>;

export class SharedPath implements Path {
  readonly number: number;
  readonly pathId: number;
  readonly received: AttributeSet;
  readonly attributes: AttributeSet;
  readonly #terms: Terms;

  constructor(number: number, { pathId, received, attributes }: PathIdentity, terms: Terms) {
    this.number = number;
    this.pathId = pathId;
    this.received = received;
    this.attributes = attributes;
    this.#terms = terms;
  }

  get source(): Source {
    return this.#terms.source;
  }

  get nextHop(): NextHop | undefined {
    return this.#terms.nextHop;
  }

  get announcedNextHop(): NextHop | undefined {
    return this.#terms.announcedNextHop;
  }

  get rejected(): string | undefined {
    return this.#terms.rejected;
  }

  get kernel(): PathIdentity['kernel'] {
    return this.#terms.kernel;
  }

  /** Nobody resolves next hops yet. */
  get reachable(): boolean {
    return true;
  }

  get interiorCost(): number {
    return 0;
  }
}

export class TermsTable {
  /** By source, then by the text of the next hops. */
  readonly #known = new Map<Source, Map<string, Terms[]>>();
  #count = 0;
  #last: Terms | undefined;

  /** The same object for the same terms, as long as it is remembered. */
  of(identity: PathIdentity): Terms {
    if (this.#last === undefined || !sameTerms(this.#last, identity)) this.#last = this.#find(identity);
    return this.#last;
  }

  #find(identity: PathIdentity): Terms {
    const { source, nextHop, announcedNextHop, rejected, kernel } = identity;
    const list = this.#listOf(source, `${textOf(nextHop)} ${textOf(announcedNextHop)}`);
    const known = list.find((terms) => sameTerms(terms, identity));
    if (known !== undefined) return known;
    const terms: Terms = { source, nextHop, announcedNextHop, rejected, kernel };
    list.push(terms);
    this.#count++;
    return terms;
  }

  #listOf(source: Source, nextHops: string): Terms[] {
    if (this.#count >= SHARED_TERMS) this.#forget();
    let lists = this.#known.get(source);
    if (lists === undefined) this.#known.set(source, (lists = new Map<string, Terms[]>()));
    let list = lists.get(nextHops);
    if (list === undefined) lists.set(nextHops, (list = []));
    return list;
  }

  #forget(): void {
    this.#known.clear();
    this.#count = 0;
  }
}

function sameTerms(terms: Terms, other: Terms): boolean {
  return (
    terms.source === other.source &&
    terms.rejected === other.rejected &&
    terms.kernel === other.kernel &&
    sameNextHop(terms.nextHop, other.nextHop) &&
    sameNextHop(terms.announcedNextHop, other.announcedNextHop)
  );
}

function textOf(nextHop: NextHop | undefined): string {
  return nextHop === undefined ? '' : `${nextHop.address.toString()} ${nextHop.linkLocal?.toString()}`;
}
