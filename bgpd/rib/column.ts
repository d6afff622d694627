/**
 * One unsigned 32-bit number per id, 0 where nothing was set. Hot (bench/micro/bgp-inbound.ts).
 *
 * In pages, made when first written to: a peer with ten routes under ids from all over a large table costs a few
 * kilobytes, and growth copies nothing.
 */
const PAGE_BITS = 10;
const PAGE = 1 << PAGE_BITS;
const MASK = PAGE - 1;

export class Column {
  readonly #pages: (Uint32Array | undefined)[] = [];

  get(id: number): number {
    const page = this.#pages[id >>> PAGE_BITS];
    return page === undefined ? 0 : (page[id & MASK] as number);
  }

  set(id: number, value: number): void {
    const n = id >>> PAGE_BITS;
    let page = this.#pages[n];
    if (page === undefined) {
      // Dense, so that the array of pages stays a plain one.
      while (this.#pages.length < n) this.#pages.push(undefined);
      page = new Uint32Array(PAGE);
      this.#pages[n] = page;
    }
    page[id & MASK] = value;
  }

  /** Ids whose number is not 0, in order; what is set meanwhile is seen if it lies ahead. */
  *ids(): Generator<number, undefined> {
    for (let id = this.next(0); id !== undefined; id = this.next(id + 1)) yield id;
    return undefined;
  }

  /** The first id from here on whose number is not 0. */
  next(from: number): number | undefined {
    let i = from & MASK;
    for (let n = from >>> PAGE_BITS; n < this.#pages.length; n++) {
      const page = this.#pages[n];
      if (page !== undefined) for (; i < PAGE; i++) if (page[i] !== 0) return n * PAGE + i;
      i = 0;
    }
    return undefined;
  }

  /** Forgets everything, pages included. */
  clear(): void {
    this.#pages.length = 0;
  }
}
