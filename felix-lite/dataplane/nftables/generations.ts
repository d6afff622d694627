/**
 * The kernel's count of transactions of nf_tables, of all tables and programs: each that we made or were told of is added.
 * What is missing in between is somebody else's, and may be anything. Pure.
 */
export class Generations {
  /** All up to this one are accounted for. */
  #last: number;
  /** Those beyond, behind at least one that is missing. */
  readonly #ahead = new Set<number>();

  /** @param last  the present one: nobody asks what was before */
  constructor(last: number) {
    this.#last = last;
  }

  add(generation: number): void {
    this.#ahead.add(generation);
    for (let next = nextOf(this.#last); this.#ahead.delete(next); next = nextOf(next)) this.#last = next;
  }

  /**
   * Whether some are missing; each is told once.
   *
   * @param present  the kernel's, asked when all that it tells of those before has been added
   */
  takeMissed(present: number = this.#last): boolean {
    const beyond = [...this.#ahead, present].filter((each) => isLater(each, this.#last));
    this.#ahead.clear();
    for (const each of beyond) if (isLater(each, this.#last)) this.#last = each;
    return beyond.length > 0;
  }
}

/** The kernel counts in 32 bits, and leaves 0 out. */
function nextOf(generation: number): number {
  return generation === 0xffff_ffff ? 1 : generation + 1;
}

function isLater(one: number, other: number): boolean {
  return ((one - other) | 0) > 0;
}
