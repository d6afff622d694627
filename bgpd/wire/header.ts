/** The 19 octets before every message, and the checks of RFC 4271 §6.1 on them. */
import type { NotificationMessage } from './types.ts';
import type { Writer } from './writer.ts';

export const HEADER_LENGTH = 19;
/** RFC 4271 §4.1. */
export const MAX_LENGTH = 4096;
/** RFC 8654 §4: all messages but OPEN and KEEPALIVE, once the capability was sent. */
export const MAX_EXTENDED_LENGTH = 65535;

export const MESSAGE_TYPE = { open: 1, update: 2, notification: 3, keepalive: 4, routeRefresh: 5 } as const;

/** Fewest octets of each type, header included. */
const MIN_LENGTH: readonly (number | undefined)[] = [undefined, 29, 23, 21, 19, 23];

const MARKER = new Uint8Array(16).fill(0xff);

export function putHeader(w: Writer, type: number, length: number): void {
  w.put(MARKER).u16(length).u8(type);
}

export function lengthOf(header: Uint8Array, at = 0): number {
  return ((header[at + 16] ?? 0) << 8) | (header[at + 17] ?? 0);
}

/**
 * Checks the header that starts at `at`; 19 octets must be there.
 *
 * @param limit longest message that the session allows, 4096 or 65535
 * @returns the NOTIFICATION to close with; undefined when the header is sound
 */
export function headerError(bytes: Uint8Array, at: number, limit: number): NotificationMessage | undefined {
  for (let i = 0; i < 16; i++) if (bytes[at + i] !== 0xff) return error(1);
  const length = lengthOf(bytes, at);
  const lengthField = bytes.slice(at + 16, at + 18);
  if (length < HEADER_LENGTH || length > limit) return error(2, lengthField);
  const type = bytes[at + 18] ?? 0;
  const least = MIN_LENGTH[type];
  if (least === undefined) return error(3, bytes.slice(at + 18, at + 19));
  const fixed = type === MESSAGE_TYPE.keepalive;
  const short = type === MESSAGE_TYPE.open || type === MESSAGE_TYPE.keepalive;
  if (length < least || (fixed && length !== least) || (short && length > MAX_LENGTH))
    return error(2, lengthField);
  return undefined;
}

function error(subcode: number, data: Uint8Array = new Uint8Array(0)): NotificationMessage {
  return { type: 'notification', code: 1, subcode, data };
}
