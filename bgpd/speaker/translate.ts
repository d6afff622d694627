/** Between the words of the wire, of the state machine and of the routing side. */
import { formatRouterId, type ConnectionEvent, type End } from '../fsm/index.ts';
import {
  MESSAGE_TYPE,
  decodeMessage,
  readPlainUpdate,
  type Fault,
  type Negotiated,
  type NotificationMessage,
} from '../wire/index.ts';
import type { DownReason } from './session.ts';

export interface Translated {
  readonly event: ConnectionEvent;
  /** What was wrong with an UPDATE: mended as RFC 7606 says, or the reason of a `message-error`. */
  readonly faults: readonly Fault[];
}

/**
 * One whole message as an event.
 *
 * @param peer what was negotiated, once Established. Before, UPDATE and ROUTE-REFRESH are errors in themselves and
 *   are not decoded.
 */
export function eventOf(bytes: Uint8Array, peer: Negotiated | undefined): Translated {
  const type = bytes[18];
  if (peer === undefined && type === MESSAGE_TYPE.update) return clean({ type: 'update-received' });
  if (peer === undefined && type === MESSAGE_TYPE.routeRefresh) return clean({ type: 'refresh-received' });
  if (peer !== undefined && type === MESSAGE_TYPE.update) {
    const message = readPlainUpdate(bytes, peer);
    if (message !== undefined) return clean({ type: 'update-received', message });
  }
  const decoded = decodeMessage(bytes, peer);
  if (!decoded.ok)
    return { event: messageError(decoded.notification, decoded.reason), faults: decoded.faults };
  const { message } = decoded;
  switch (message?.type) {
    case undefined:
      // A ROUTE-REFRESH that the RFCs say to ignore.
      return clean({ type: 'refresh-received' });
    case 'open':
      return clean({ type: 'open-received', open: message });
    case 'keepalive':
      return clean({ type: 'keepalive-received' });
    case 'notification':
      return clean({ type: 'notification-received', notification: message });
    case 'route-refresh':
      return clean({ type: 'refresh-received', message });
    case 'update':
      return { event: { type: 'update-received', message }, faults: decoded.faults };
  }
}

function clean(event: ConnectionEvent): Translated {
  return { event, faults: [] };
}

export function messageError(notification: NotificationMessage, reason: string): ConnectionEvent {
  return { type: 'message-error', notification, reason };
}

export function downReason({ cause, sent, received }: End): DownReason {
  if (cause === 'hold-timer-expired' || cause === 'administrative') return { cause };
  if (received !== undefined) return { cause: 'notification-received', notification: received };
  if (sent !== undefined) return { cause: 'notification-sent', notification: sent };
  return { cause: 'connection-lost' };
}

/** `external, AS 65001, id 10.0.0.2, ipv4-unicast and ipv6-unicast, hold time 90 s`. */
export function describePeer(peer: Negotiated): string {
  const kind = peer.internal ? 'internal' : 'external';
  const id = formatRouterId(peer.peerRouterId);
  return `${kind}, AS ${peer.peerAsn}, id ${id}, ${peer.families.join(' and ')}, hold time ${peer.holdSeconds} s`;
}
