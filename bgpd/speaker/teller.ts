/**
 * Tells peers what there is to tell, in rounds: news are read into the outboxes, then each outbox goes out. A thousand of
 * them are a thousand system calls, tens of milliseconds, so a round goes on from one turn of the event loop to the next;
 * other news are read once everybody was served.
 */
import type { Clock, Millis } from '../../clock/clock.ts';
import type { Outbox } from './outbox.ts';
import { Pacer } from './pacer.ts';

export interface TellerOptions {
  readonly clock: Clock;
  /** Reads news into outboxes until it is late; true while more can be read right now. */
  readonly read: (isLate: () => boolean) => boolean;
  /** There is work again. */
  readonly wake: () => void;
}

export class Teller {
  readonly #options: TellerOptions;
  readonly #pacer: Pacer;
  /** Outboxes that have something and may send it. */
  readonly #unsent = new Set<Outbox>();
  /** News are being read that go out when there is enough of them. */
  #collecting = false;

  constructor(options: TellerOptions) {
    this.#options = options;
    this.#pacer = new Pacer(options.clock);
  }

  /** The outbox has something and may send it. */
  readonly pending = (outbox: Outbox): void => {
    this.#unsent.add(outbox);
  };

  forget(outbox: Outbox): void {
    this.#unsent.delete(outbox);
  }

  /** News came in that concern so many peers. */
  heard(peers: number): void {
    this.#pacer.heard(peers);
  }

  /**
   * Works for about so long.
   *
   * @returns true while more can be told right now
   */
  turn(budget: Millis): boolean {
    const { clock, read, wake } = this.#options;
    const end = clock.now() + budget;
    const isLate = (): boolean => clock.now() >= end;
    this.#pacer.start();
    if (!this.#collecting) this.#flush(isLate);
    let more = true;
    while (this.#mayRead() && more && !isLate()) {
      more = read(isLate);
      this.#collecting = more && isLate() && !this.#pacer.isWorthwhile(this.#unsent);
      if (!this.#collecting) more = this.#flush(isLate) || more;
    }
    if (this.#unsent.size > 0) return true;
    return this.#pacer.isTime() ? more : this.#pacer.later(wake);
  }

  stop(): void {
    this.#pacer.stop();
  }

  /** Everybody was served, and it is time for other news; or those at hand are not worth a round yet. */
  #mayRead(): boolean {
    const served = this.#unsent.size === 0;
    this.#pacer.pass(served);
    return this.#collecting || (served && this.#pacer.isTime());
  }

  /** True where that made room for what could wait. */
  #flush(isLate: () => boolean): boolean {
    let room = false;
    for (const outbox of this.#unsent) {
      this.#unsent.delete(outbox);
      this.#pacer.note(outbox.octets);
      room = outbox.flush() || room;
      if (isLate()) break;
    }
    return room;
  }
}
