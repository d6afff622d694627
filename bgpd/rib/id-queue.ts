/** Ids that wait for work, each once, first come first served. Hot: a bit and four octets for each that waits. */
const BLOCK = 8192;

export class IdQueue {
  /** One bit per id: it waits. */
  #waiting = new Uint32Array(32);
  readonly #blocks: Uint32Array[] = [];
  /** Positions in the first and in the last block. */
  #head = 0;
  #tail = BLOCK;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(id: number): boolean {
    return ((this.#waiting[id >>> 5] ?? 0) & (1 << (id & 31))) !== 0;
  }

  push(id: number): void {
    if (this.has(id)) return;
    this.#mark(id);
    if (this.#tail === BLOCK) {
      this.#blocks.push(new Uint32Array(BLOCK));
      this.#tail = 0;
    }
    const last = this.#blocks.at(-1) as Uint32Array;
    last[this.#tail++] = id;
    this.#size++;
  }

  /** Undefined when none waits. */
  shift(): number | undefined {
    const first = this.#blocks[0];
    if (this.#size === 0 || first === undefined) return undefined;
    const id = first[this.#head++] as number;
    this.#size--;
    // The last block stays: one prefix that comes and goes should cost none each time.
    if (this.#size === 0) this.#head = this.#tail = 0;
    else if (this.#head === BLOCK) {
      this.#blocks.shift();
      this.#head = 0;
    }
    const word = id >>> 5;
    this.#waiting[word] = (this.#waiting[word] ?? 0) & ~(1 << (id & 31));
    return id;
  }

  #mark(id: number): void {
    const word = id >>> 5;
    if (word >= this.#waiting.length) {
      const longer = new Uint32Array(Math.max(word + 1, this.#waiting.length * 2));
      longer.set(this.#waiting);
      this.#waiting = longer;
    }
    this.#waiting[word] = (this.#waiting[word] ?? 0) | (1 << (id & 31));
  }
}
