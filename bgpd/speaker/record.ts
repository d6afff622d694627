/** What people and programs are told of a session: counters, its last words both ways, log lines at a bounded rate. */
import type { Clock } from '../../clock/clock.ts';
import type { End } from '../fsm/index.ts';
import { formatFaults, outcomeOf, type Fault, type Negotiated, type UpdateMessage } from '../wire/index.ts';
import { SessionHistory } from './history.ts';
import { endData, faultData, type LogData } from './log-data.ts';
import { LogLimit } from './log-limit.ts';
import { noCounters } from './session.ts';
import { describePeer } from './translate.ts';

export type Log = (level: 'info' | 'warn', text: string, data: LogData) => void;

export class SessionRecord {
  readonly counters = noCounters();
  readonly history = new SessionHistory();
  readonly #clock: Clock;
  readonly #log: Log | undefined;
  readonly #limits: Readonly<Record<'info' | 'warn', LogLimit>>;
  #lastError: string | undefined;
  /** The last error is a NOTIFICATION, and there has been no session since. */
  #explained = false;

  constructor(clock: Clock, log: Log | undefined) {
    this.#clock = clock;
    this.#log = log;
    this.#limits = { info: new LogLimit(clock), warn: new LogLimit(clock) };
  }

  get lastError(): string | undefined {
    return this.#lastError;
  }

  established(peer: Negotiated): void {
    this.counters.establishedTransitions++;
    this.#explained = false;
    this.say(`established: ${describePeer(peer)}`, { state: 'Established' }, 'info');
  }

  /** @param message  what is left of the UPDATE; undefined: the session ends over it */
  malformed(faults: readonly Fault[], bytes: Uint8Array, message: UpdateMessage | undefined): void {
    if (message !== undefined) {
      if (outcomeOf(faults) === 'treat-as-withdraw') this.counters.treatedAsWithdraw++;
      for (const fault of faults)
        if (fault.check.outcome === 'attribute-discard') this.counters.attributesDiscarded++;
    }
    this.say(`malformed UPDATE: ${formatFaults(faults)}`, () => faultData(faults, bytes, message));
  }

  ended(end: End): void {
    this.history.ended(end, this.#clock.now());
    if (end.cause === 'administrative' || end.cause === 'collision') return;
    if (end.cause === 'connection-lost') {
      this.unreachable(end.reason);
    } else {
      this.#lastError = end.reason;
      this.#explained = true;
    }
    this.say(`connection ended: ${end.reason}`, endData(end));
  }

  /** What one side said to the other tells more than the failures to connect that follow it, so those leave it alone. */
  unreachable(reason: string): void {
    if (!this.#explained) this.#lastError = reason;
  }

  /** Good news has a budget of its own: a peer's bad news must not hide that it is up again, nor its flaps fill the log. */
  say(text: string, data: LogData | (() => LogData), level: 'info' | 'warn' = 'warn'): void {
    const line = this.#limits[level].pass(text);
    if (line !== undefined) this.#log?.(level, line, typeof data === 'function' ? data() : data);
  }
}
