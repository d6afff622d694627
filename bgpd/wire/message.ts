/** Any message, octets to value. */
import { decodeUpdate } from './decode-update.ts';
import { formatFault, strongest, type Fault } from './fault.ts';
import {
  HEADER_LENGTH,
  MAX_EXTENDED_LENGTH,
  MESSAGE_TYPE,
  headerError,
  lengthOf,
  putHeader,
} from './header.ts';
import { ERROR, formatNotification, notification } from './notification.ts';
import { decodeOpen } from './open.ts';
import { decodeRouteRefresh } from './route-refresh.ts';
import type { Message, Negotiated, NotificationMessage } from './types.ts';
import { Writer } from './writer.ts';

export type Decoded =
  | {
      readonly ok: true;
      /** Undefined where the RFCs say to ignore what came. */
      readonly message: Message | undefined;
      /** What was wrong and did not end the session (RFC 7606); only UPDATEs have any. */
      readonly faults: readonly Fault[];
    }
  | {
      readonly ok: false;
      /** What to answer before closing. */
      readonly notification: NotificationMessage;
      /** The same for people, with the offset where there is one. */
      readonly reason: string;
      /** Of the offending octet, from the start of the message. */
      readonly offset: number;
      /** All that was wrong with an UPDATE, in wire order; the strongest decided. */
      readonly faults: readonly Fault[];
    };

/**
 * Decodes one whole message, header included; the header is checked again, so the octets may come from anywhere.
 *
 * @param session what the OPENs settled. Without it, an UPDATE cannot be read and is a state machine error.
 * @returns values that keep no view of `bytes`
 * @throws never on what a peer sent
 */
export function decodeMessage(bytes: Uint8Array, session: Negotiated | undefined): Decoded {
  if (bytes.length < HEADER_LENGTH)
    return refuse(notification(ERROR.header, 2), `${bytes.length} octets are no message`, OFFSET.length);
  const error = headerError(bytes, 0, MAX_EXTENDED_LENGTH);
  if (error !== undefined)
    return refuse(error, `header of ${lengthOf(bytes)} octets, type ${bytes[18] ?? 0}`, offsetOf(error));
  if (lengthOf(bytes) !== bytes.length)
    return refuse(
      notification(ERROR.header, 2, bytes.slice(16, 18)),
      `length field says ${lengthOf(bytes)}, message has ${bytes.length} octets`,
      OFFSET.length,
    );
  switch (bytes[18]) {
    case MESSAGE_TYPE.open: {
      const open = decodeOpen(bytes);
      return open.ok ? accept(open.message) : refuse(open.notification, open.reason, open.offset);
    }
    case MESSAGE_TYPE.update:
      return session === undefined
        ? refuse(notification(ERROR.fsm, 0), 'UPDATE before OPEN', OFFSET.type)
        : update(bytes, session);
    case MESSAGE_TYPE.notification:
      return accept(notification(bytes[19] ?? 0, bytes[20] ?? 0, bytes.slice(21)));
    case MESSAGE_TYPE.keepalive:
      return accept({ type: 'keepalive' });
    default: {
      const refresh = decodeRouteRefresh(bytes);
      return refresh.ok
        ? accept(refresh.message)
        : refuse(refresh.notification, 'BoRR or EoRR of a wrong length', HEADER_LENGTH + 4);
    }
  }
}

function update(bytes: Uint8Array, session: Negotiated): Decoded {
  const decoded = decodeUpdate(bytes, session);
  if (decoded.ok) return accept(decoded.message, decoded.faults);
  const worst = strongest(decoded.faults);
  return refuse(
    decoded.notification,
    worst === undefined ? '' : formatFault(worst),
    worst?.offset ?? HEADER_LENGTH,
    decoded.faults,
  );
}

function accept(message: Message | undefined, faults: readonly Fault[] = []): Decoded {
  return { ok: true, message, faults };
}

/** Where the header's fields lie, RFC 4271 §4.1. */
const OFFSET = { marker: 0, length: 16, type: 18 } as const;

/** Subcodes 1, 2 and 3 of Message Header Error are about its fields in order. */
function offsetOf({ subcode }: NotificationMessage): number {
  return subcode === 1 ? OFFSET.marker : subcode === 2 ? OFFSET.length : OFFSET.type;
}

function refuse(
  answer: NotificationMessage,
  detail: string,
  offset: number,
  faults: readonly Fault[] = [],
): Decoded {
  return {
    ok: false,
    notification: answer,
    offset,
    faults,
    reason: `${formatNotification({ ...answer, data: new Uint8Array(0) })}: ${detail}`,
  };
}

/** RFC 4271 §4.4. */
export function encodeKeepalive(): Uint8Array {
  const w = new Writer(HEADER_LENGTH);
  putHeader(w, MESSAGE_TYPE.keepalive, HEADER_LENGTH);
  return w.finish();
}
