/**
 * NOTIFICATION: its codes, its octets, and what it says to people.
 * RFC 4271 §4.5 and §6; RFC 4486 and 8538 (Cease); RFC 6608 (FSM); RFC 7313 §5; RFC 9003 (shutdown text); RFC 9687.
 */
import { HEADER_LENGTH, MAX_LENGTH, MESSAGE_TYPE, putHeader } from './header.ts';
import { FAMILIES, familyOf, type Family, type NotificationMessage } from './types.ts';
import { Writer } from './writer.ts';

export const ERROR = {
  header: 1,
  open: 2,
  update: 3,
  holdTimerExpired: 4,
  fsm: 5,
  cease: 6,
  routeRefresh: 7,
  sendHoldTimerExpired: 8,
} as const;

/** Subcodes of Cease (RFC 4486 §3, RFC 8538 §3, RFC 9384). */
export const CEASE = {
  maximumPrefixes: 1,
  administrativeShutdown: 2,
  peerDeconfigured: 3,
  administrativeReset: 4,
  connectionRejected: 5,
  configurationChange: 6,
  connectionCollision: 7,
  outOfResources: 8,
  hardReset: 9,
  bfdDown: 10,
} as const;

/** The registry "BGP Error (Notification) Codes" with its subcodes, as IANA spells them. */
const NAMES: Readonly<
  Record<number, { readonly name: string; readonly subcodes: readonly (string | undefined)[] }>
> = {
  1: {
    name: 'Message Header Error',
    subcodes: ['Unspecific', 'Connection Not Synchronized', 'Bad Message Length', 'Bad Message Type'],
  },
  2: {
    name: 'OPEN Message Error',
    subcodes: [
      'Unspecific',
      'Unsupported Version Number',
      'Bad Peer AS',
      'Bad BGP Identifier',
      'Unsupported Optional Parameter',
      undefined,
      'Unacceptable Hold Time',
      'Unsupported Capability',
      undefined,
      undefined,
      undefined,
      'Role Mismatch',
    ],
  },
  3: {
    name: 'UPDATE Message Error',
    subcodes: [
      'Unspecific',
      'Malformed Attribute List',
      'Unrecognized Well-known Attribute',
      'Missing Well-known Attribute',
      'Attribute Flags Error',
      'Attribute Length Error',
      'Invalid ORIGIN Attribute',
      undefined,
      'Invalid NEXT_HOP Attribute',
      'Optional Attribute Error',
      'Invalid Network Field',
      'Malformed AS_PATH',
    ],
  },
  4: { name: 'Hold Timer Expired', subcodes: [] },
  5: {
    name: 'Finite State Machine Error',
    subcodes: [
      'Unspecified Error',
      'Receive Unexpected Message in OpenSent State',
      'Receive Unexpected Message in OpenConfirm State',
      'Receive Unexpected Message in Established State',
    ],
  },
  6: {
    name: 'Cease',
    subcodes: [
      'Unspecific',
      'Maximum Number of Prefixes Reached',
      'Administrative Shutdown',
      'Peer De-configured',
      'Administrative Reset',
      'Connection Rejected',
      'Other Configuration Change',
      'Connection Collision Resolution',
      'Out of Resources',
      'Hard Reset',
      'BFD Down',
    ],
  },
  7: { name: 'ROUTE-REFRESH Message Error', subcodes: ['Reserved', 'Invalid Message Length'] },
  8: { name: 'Send Hold Timer Expired', subcodes: [] },
};

const EMPTY = new Uint8Array(0);

export function notification(code: number, subcode = 0, data: Uint8Array = EMPTY): NotificationMessage {
  return { type: 'notification', code, subcode, data };
}

/** Cease with a subcode and its data; a text, for administrative shutdown and reset, is for the other side's operator. */
export function cease(subcode: number, said: string | Uint8Array = EMPTY): NotificationMessage {
  if (typeof said !== 'string') return notification(ERROR.cease, subcode, said);
  return notification(ERROR.cease, subcode, said === '' ? EMPTY : shutdownData(said));
}

/** Data of Cease / Maximum Number of Prefixes Reached (RFC 4486 §4): the family, and how many it may be. */
export function maximumPrefixesData(family: Family, max: number): Uint8Array {
  const { afi, safi } = FAMILIES[family];
  return new Writer(7).u16(afi).u8(safi).u32(Math.min(max, 0xffff_ffff)).finish();
}

/** @returns the message, at most 4096 octets: data beyond that is cut off, as every peer must be able to read it */
export function encodeNotification(message: NotificationMessage): Uint8Array {
  const data = message.data.subarray(0, MAX_LENGTH - HEADER_LENGTH - 2);
  const w = new Writer(HEADER_LENGTH + 2 + data.length);
  putHeader(w, MESSAGE_TYPE.notification, HEADER_LENGTH + 2 + data.length);
  return w.u8(message.code).u8(message.subcode).put(data).finish();
}

/** `Cease / Administrative Shutdown (6/2): "maintenance until noon"`. Safe to log: no control characters. */
export function formatNotification(message: NotificationMessage): string {
  const entry = NAMES[message.code];
  const name = entry?.name ?? 'Unknown error';
  const detail = entry?.subcodes[message.subcode];
  const shown =
    detail !== undefined && message.subcode !== 0
      ? `${name} / ${detail} (${message.code}/${message.subcode})`
      : `${name} (${message.code}/${message.subcode})`;
  const text = shutdownText(message);
  if (text !== undefined) return `${shown}: ${JSON.stringify(text)}`;
  const limit = maximumPrefixes(message);
  if (limit !== undefined) return `${shown}: ${limit}`;
  return message.data.length === 0 ? shown : `${shown}, data ${hex(message.data, 32)}`;
}

/** `at most 100 of ipv4-unicast`; undefined where the data is not what RFC 4486 §4 says, and where there is none. */
function maximumPrefixes({ code, subcode, data }: NotificationMessage): string | undefined {
  if (code !== ERROR.cease || subcode !== CEASE.maximumPrefixes || data.length !== 7) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const [afi, safi, max] = [view.getUint16(0), view.getUint8(2), view.getUint32(3)];
  return `at most ${max} of ${familyOf(afi, safi) ?? `family ${afi}/${safi}`}`;
}

/**
 * The operator's text in an administrative shutdown or reset (RFC 9003 §2), with control characters replaced.
 * Undefined when there is none, when its length does not fit, or when it is not UTF-8.
 */
export function shutdownText(message: NotificationMessage): string | undefined {
  const speaks =
    message.code === ERROR.cease &&
    (message.subcode === CEASE.administrativeShutdown || message.subcode === CEASE.administrativeReset);
  const length = message.data[0];
  if (!speaks || length === undefined || length === 0 || length > message.data.length - 1) return undefined;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(message.data.subarray(1, 1 + length));
    return text.replaceAll(/\p{C}/gu, '\u{fffd}');
  } catch {
    return undefined;
  }
}

/** One length octet and UTF-8, cut at a character boundary to 255 octets (RFC 9003 §2). */
function shutdownData(text: string): Uint8Array {
  const data = new Uint8Array(256);
  const { written } = new TextEncoder().encodeInto(text, data.subarray(1));
  data[0] = written;
  return data.subarray(0, written + 1);
}

function hex(bytes: Uint8Array, limit: number): string {
  const text = [...bytes.subarray(0, limit)].map((octet) => octet.toString(16).padStart(2, '0')).join('');
  return bytes.length > limit ? `${text}... (${bytes.length} octets)` : text;
}
