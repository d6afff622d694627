/**
 * Many may pass together, or one alone. Who waits to be alone holds back those that come after, so it does get its turn.
 * ADD and DEL pass together; a sweep compares store, kernel and IPAM and must see no half-made attachment.
 */
export class SharedGate {
  #inside = 0;
  #alone: Promise<void> | undefined;
  #empty: (() => void) | undefined;

  async together<T>(work: () => Promise<T>): Promise<T> {
    while (this.#alone !== undefined) await this.#alone;
    this.#inside++;
    try {
      return await work();
    } finally {
      if (--this.#inside === 0) this.#empty?.();
    }
  }

  async alone<T>(work: () => Promise<T>): Promise<T> {
    while (this.#alone !== undefined) await this.#alone;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#alone = promise;
    try {
      if (this.#inside > 0) await new Promise<void>((empty) => (this.#empty = empty));
      return await work();
    } finally {
      this.#alone = undefined;
      this.#empty = undefined;
      resolve();
    }
  }
}
