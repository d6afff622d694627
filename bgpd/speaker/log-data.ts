/** What a line about a peer says to programs: stable names for a log store to search by. The text beside it is for people. */
import type { End } from '../fsm/index.ts';
import type { Fault, NotificationMessage } from '../wire/index.ts';
import { attributeName, strongest } from '../wire/fault.ts';

export interface LogData {
  /** The kind of message that the line is about. */
  readonly message?: 'update' | 'notification';
  /** `AS_PATH (2)`; of the fault that decided, where there are several. */
  readonly attribute?: string;
  /** Of the offending octet, from the start of the message. */
  readonly offset?: number;
  /** What we did: an outcome of RFC 7606, or the end of a connection. */
  readonly action?: string;
  /** What says so: `RFC 7606 §7.2`. */
  readonly source?: string;
  /** Faults in the message. */
  readonly faults?: number;
  /** Code and subcode of the NOTIFICATION sent or received. */
  readonly sent?: string;
  readonly received?: string;
  readonly state?: string;
}

export function faultData(faults: readonly Fault[]): LogData {
  const worst = strongest(faults);
  if (worst === undefined) return { message: 'update' };
  return {
    message: 'update',
    attribute: attributeName(worst.attribute),
    offset: worst.offset,
    action: worst.check.outcome,
    source: worst.check.source,
    faults: faults.length,
  };
}

export function endData({ cause, sent, received }: End): LogData {
  return {
    action: cause,
    ...(sent === undefined ? {} : { sent: codes(sent) }),
    ...(received === undefined ? {} : { received: codes(received) }),
  };
}

function codes({ code, subcode }: NotificationMessage): string {
  return `${code}/${subcode}`;
}
