/**
 * Calls that come together write together. A runtime that starts fifty pods starts fifty plugins, and each of their ADDs
 * writes to the store twice: that addresses are taken, and the endpoint. Every write is a transaction with its own sync and
 * its own wake-up of all who watch, and fifty of them rewrite the same block fifty times. So who is about to write waits
 * until those that are on their way to the same write have come, but never longer than a moment; who is alone never waits.
 *
 * Guarded by `npm run bench -- cni`: fifty ADDs cost the agent's thread 98 ms without this and 73 ms with it.
 */
import type { Cancel, Clock, Millis } from '../../clock/clock.ts';

/** What an ADD writes, in order. */
const WRITES = ['addresses', 'endpoint'] as const;

type Write = (typeof WRITES)[number];

/** A fraction of what an ADD takes among fifty; on top of one alone it would be felt. */
const MOMENT: Millis = 3;

export class Burst {
  readonly #meetings: Readonly<Record<Write, Meeting>>;

  constructor(clock: Clock) {
    this.#meetings = { addresses: new Meeting(clock), endpoint: new Meeting(clock) };
  }

  /** Of a call that will write; it must end. */
  join(): Guest {
    return new Guest(this.#meetings);
  }
}

/** One call on its way through all its writes. */
export class Guest {
  readonly #meetings: Readonly<Record<Write, Meeting>>;
  readonly #ahead = new Set<Write>(WRITES);

  constructor(meetings: Readonly<Record<Write, Meeting>>) {
    this.#meetings = meetings;
    for (const write of WRITES) meetings[write].expect();
  }

  /** Resolves when it is time for this write. */
  async before(write: Write): Promise<void> {
    if (this.#ahead.delete(write)) await this.#meetings[write].arrive();
  }

  /** It will not write with others any more: nobody waits for it. Harmless when repeated. */
  end(): void {
    for (const write of this.#ahead) this.#meetings[write].miss();
    this.#ahead.clear();
  }
}

class Meeting {
  readonly #clock: Clock;
  #expected = 0;
  #present: (() => void)[] = [];
  #patience: Cancel | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  expect(): void {
    this.#expected++;
  }

  arrive(): Promise<void> {
    return new Promise((begin) => {
      this.#present.push(begin);
      this.#patience ??= this.#clock.after(MOMENT, 'meet other calls before a write', () => this.#begin());
      this.miss();
    });
  }

  miss(): void {
    if (--this.#expected === 0) this.#begin();
  }

  #begin(): void {
    this.#patience?.();
    this.#patience = undefined;
    for (const begin of this.#present.splice(0)) begin();
  }
}
