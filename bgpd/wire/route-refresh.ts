/** ROUTE-REFRESH: RFC 2918 §3, RFC 7313 §3 and §5. */
import { HEADER_LENGTH, MESSAGE_TYPE, putHeader } from './header.ts';
import { ERROR, notification } from './notification.ts';
import { Reader } from './reader.ts';
import { FAMILIES, familyOf, type NotificationMessage, type RouteRefreshMessage } from './types.ts';
import { Writer } from './writer.ts';

const LENGTH = HEADER_LENGTH + 4;

export type DecodedRouteRefresh =
  | { readonly ok: true; readonly message: RouteRefreshMessage | undefined }
  | { readonly ok: false; readonly notification: NotificationMessage };

/**
 * Decodes the message whose header, already checked, starts at the first octet. A family that we do not speak and a
 * subtype that no one has defined are ignored (RFC 2918 §4, RFC 7313 §5): no message, no error. Octets after the
 * family are an ORF (RFC 5291), which we do not offer; the request for the family stands.
 */
export function decodeRouteRefresh(bytes: Uint8Array): DecodedRouteRefresh {
  const r = new Reader(bytes, HEADER_LENGTH);
  const afi = r.u16();
  const subtype = r.u8();
  const family = familyOf(afi, r.u8());
  if ((subtype === 1 || subtype === 2) && r.remaining > 0)
    return { ok: false, notification: notification(ERROR.routeRefresh, 1, bytes.slice()) };
  if (family === undefined || (subtype !== 0 && subtype !== 1 && subtype !== 2))
    return { ok: true, message: undefined };
  return { ok: true, message: { type: 'route-refresh', family, subtype } };
}

export function encodeRouteRefresh({ family, subtype }: Omit<RouteRefreshMessage, 'type'>): Uint8Array {
  const w = new Writer(LENGTH);
  putHeader(w, MESSAGE_TYPE.routeRefresh, LENGTH);
  return w.u16(FAMILIES[family].afi).u8(subtype).u8(FAMILIES[family].safi).finish();
}
