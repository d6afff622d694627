/**
 * Who has a rehearsal (`rehearsal.ts`) before its doors open, and who has none. Most of a second, 1.1 s of processor time
 * and memory for machine code: a speaker from a file is worth that, and so is a node that reflects routes, whom all its
 * clients meet at once. A node with a handful of sessions is not: a cluster starts, and restarts, thousands of them, many
 * to a machine in a lab, each with few routes.
 */
export class Prelude {
  readonly #rehearse: () => Promise<unknown>;
  readonly #begin: () => void;
  #state: 'ahead' | 'running' | 'over' = 'ahead';

  /** @param begin  called once, after a rehearsal, however it ended */
  constructor(rehearse: () => Promise<unknown>, begin: () => void) {
    this.#rehearse = rehearse;
    this.#begin = begin;
  }

  /** @returns false: not yet, `begin` will be called. The first answer of true is the last question. */
  isOver(reflects: boolean): boolean {
    if (this.#state === 'ahead') {
      this.#state = reflects ? 'running' : 'over';
      if (reflects) void this.#play();
    }
    return this.#state === 'over';
  }

  async #play(): Promise<void> {
    try {
      await this.#rehearse();
    } finally {
      this.#state = 'over';
      this.#begin();
    }
  }
}
