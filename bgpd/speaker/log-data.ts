/** What a line about a peer says to programs: stable names for a log store to search by. The text beside it is for people. */
import type { End } from '../fsm/index.ts';
import type { Fault, NotificationMessage, UpdateMessage } from '../wire/index.ts';
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
  /** The first of the prefixes that the message was about, where they could be read. */
  readonly prefixes?: readonly string[];
  /** How many prefixes there were. */
  readonly prefixCount?: number;
  /** The whole message as hexadecimal digits, for `poplin bgp decode`. */
  readonly octets?: string;
  /** Code and subcode of the NOTIFICATION sent or received. */
  readonly sent?: string;
  readonly received?: string;
  readonly state?: string;
}

/** So many prefixes are named; all of them are in `octets`. */
const PREFIXES_TOLD = 10;

/**
 * A malformed UPDATE, with the NLRI that it involved and all its octets (RFC 7606 §6).
 *
 * @param message what was made of it; undefined where it ended the session
 */
export function faultData(faults: readonly Fault[], bytes: Uint8Array, message?: UpdateMessage): LogData {
  const worst = strongest(faults);
  const octets = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
  if (worst === undefined) return { message: 'update', octets };
  const nlri =
    message === undefined ? [] : [...message.reach, ...message.unreach].flatMap((each) => each.nlri);
  return {
    message: 'update',
    attribute: attributeName(worst.attribute),
    offset: worst.offset,
    action: message === undefined ? 'session-reset' : worst.check.outcome,
    source: worst.check.source,
    faults: faults.length,
    ...(message === undefined
      ? {}
      : {
          prefixes: nlri.slice(0, PREFIXES_TOLD).map(({ prefix }) => String(prefix)),
          prefixCount: nlri.length,
        }),
    octets,
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
