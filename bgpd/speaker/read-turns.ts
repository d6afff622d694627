/**
 * Shares out the time that reading may take. Node reads a socket that has more up to 32 times before it looks at any
 * other, or at a timer: two megabytes of UPDATEs, a second of work, while keepalives wait. Here a turn of the event loop
 * reads for some milliseconds; what else has come by then waits, its sockets are paused, and those that waited are
 * served a piece each in the turns that follow. So a peer that floods us is slowed to what we can take, by TCP.
 */
import type { Clock, Millis } from '../../clock/clock.ts';

/** Of reading in one turn; the last piece may go beyond it. */
const BUDGET: Millis = 5;
/** Less than this is carried over to the turns that follow: to count it anew in each costs more than to read one UPDATE. */
const NEGLIGIBLE: Millis = 1;
/** Octets received between two looks at the clock: some 1,000 prefixes. Messages that the cut parts are put together again. */
const PIECE = 4 * 1024;

export interface Source {
  receive(chunk: Uint8Array): void;
  /** All that came was received, and was less than a piece. */
  lull(): void;
  pause(): void;
  /** Called once everything that waited has been received. */
  resume(): void;
}

export class ReadTurns {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #nextTurn: (fire: () => void) => void;
  /** In the order in which they are due. */
  readonly #waiting = new Map<Source, Uint8Array[]>();
  #spent: Millis = 0;
  #scheduled = false;

  constructor(clock: Pick<Clock, 'now'>, nextTurn: (fire: () => void) => void = setImmediate) {
    this.#clock = clock;
    this.#nextTurn = nextTurn;
  }

  take(source: Source, chunk: Uint8Array): void {
    const before = this.#waiting.get(source);
    if (before !== undefined) {
      before.push(chunk);
      return;
    }
    if (chunk.length < PIECE && this.#spent < BUDGET) {
      this.#receive(source, chunk, true);
      return;
    }
    let at = 0;
    while (at < chunk.length && this.#spent < BUDGET) {
      this.#receive(source, chunk.subarray(at, at + PIECE), false);
      at += PIECE;
    }
    if (at >= chunk.length) return;
    this.#waiting.set(source, [chunk.subarray(at)]);
    source.pause();
    this.#schedule();
  }

  /** True while chunks of the source wait. */
  waits(source: Source): boolean {
    return this.#waiting.has(source);
  }

  forget(source: Source): void {
    this.#waiting.delete(source);
  }

  #receive(source: Source, chunk: Uint8Array, all: boolean): void {
    const start = this.#clock.now();
    source.receive(chunk);
    if (all) source.lull();
    this.#spent += this.#clock.now() - start;
    if (this.#spent >= NEGLIGIBLE) this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#nextTurn(() => {
      this.#scheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    this.#spent = 0;
    // Sources that are put back come last, and are met again where there is time.
    for (const [source, chunks] of this.#waiting) {
      if (this.#spent >= BUDGET) break;
      const chunk = chunks.shift() ?? new Uint8Array(0);
      if (chunk.length > PIECE) chunks.unshift(chunk.subarray(PIECE));
      this.#receive(source, chunk.subarray(0, PIECE), false);
      if (!this.#waiting.delete(source)) continue; // It was forgotten meanwhile.
      if (chunks.length > 0) this.#waiting.set(source, chunks);
      else source.resume();
    }
    if (this.#waiting.size > 0) this.#schedule();
  }
}
