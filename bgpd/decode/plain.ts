/** Decoded messages as plain JSON: the fields in the RFCs' words, or the error with its offset and what follows from it. */
import { plainCapability } from '../wire/format-capability.ts';
import { dotted, hex, plainAttributes } from '../wire/format.ts';
import {
  decodeMessage,
  formatNotification,
  isEndOfRib,
  outcomeOf,
  shutdownText,
  type Decoded,
  type Fault,
  type Message,
  type Negotiated,
  type Nlri,
  type NotificationMessage,
  type OpenMessage,
  type UpdateMessage,
} from '../wire/index.ts';
import { ignoredFamilies, type MultipleLabels } from './ignored-families.ts';
import { attributeName } from '../wire/fault.ts';

export type Plain = Readonly<Record<string, unknown>>;

const TYPES = ['open', 'update', 'notification', 'keepalive', 'route-refresh'];

/**
 * @param session  how to read an UPDATE
 * @param multipleLabels  likewise, what the speaker does not speak of it
 */
export function plainMessage(
  bytes: Uint8Array,
  session: Negotiated,
  multipleLabels: MultipleLabels = () => undefined,
): { readonly plain: Plain; readonly open?: OpenMessage } {
  const decoded = decodeMessage(bytes, session);
  const type = TYPES[(bytes[18] ?? 0) - 1] ?? 'unknown';
  if (!decoded.ok) return { plain: { type, ...plainError(decoded) } };
  const { message, faults } = decoded;
  if (message === undefined) return { plain: { type, ignored: true, octets: hex(bytes.subarray(19)) } };
  const outcome = outcomeOf(faults);
  const ignored =
    message.type === 'update' && faults.length > 0 ? ignoredFamilies(bytes, multipleLabels) : [];
  const plain = {
    type,
    ...fieldsOf(message),
    ...(ignored.length === 0 ? {} : { ignored }),
    ...(outcome === undefined ? {} : { outcome, faults: faults.map(plainFault) }),
  };
  return message.type === 'open' ? { plain, open: message } : { plain };
}

function plainError({ reason, offset, notification, faults }: Decoded & { ok: false }): Plain {
  return {
    outcome: 'session-reset',
    error: { what: reason, offset },
    notification: codes(notification),
    ...(faults.length === 0 ? {} : { faults: faults.map(plainFault) }),
  };
}

function codes({ code, subcode, data }: NotificationMessage): Plain {
  return { code, subcode, ...(data.length === 0 ? {} : { data: hex(data) }) };
}

function plainFault({ check, attribute, offset }: Fault): Plain {
  return {
    ...(attribute === undefined ? {} : { attribute: attributeName(attribute), code: attribute }),
    offset,
    what: check.when,
    outcome: check.outcome,
    source: check.source,
  };
}

function fieldsOf(message: Message): Plain {
  switch (message.type) {
    case 'open':
      return {
        version: message.version,
        asn: message.asn,
        holdSeconds: message.holdSeconds,
        routerId: dotted(message.routerId),
        capabilities: message.capabilities.map(plainCapability),
      };
    case 'update':
      return updateFields(message);
    case 'notification': {
      const text = shutdownText(message);
      return {
        ...codes(message),
        meaning: formatNotification({ ...message, data: new Uint8Array(0) }),
        ...(text === undefined ? {} : { text }),
      };
    }
    case 'keepalive':
      return {};
    case 'route-refresh':
      return { family: message.family, subtype: ['request', 'begin', 'end'][message.subtype] };
  }
}

function updateFields(update: UpdateMessage): Plain {
  const ended = isEndOfRib(update);
  if (ended !== undefined) return { endOfRib: ended };
  const { unreach, reach, attributes } = update;
  return {
    ...(unreach.length === 0
      ? {}
      : { withdrawn: unreach.map(({ family, nlri }) => ({ family, nlri: nlri.map(plainNlri) })) }),
    ...(reach.length === 0
      ? {}
      : {
          announced: reach.map(({ family, nextHop, nlri }) => ({
            family,
            nextHop: nextHop.address.toString(),
            ...(nextHop.linkLocal === undefined ? {} : { linkLocal: nextHop.linkLocal.toString() }),
            nlri: nlri.map(plainNlri),
          })),
        }),
    ...(attributes === undefined ? {} : { attributes: plainAttributes(attributes) }),
  };
}

function plainNlri({ prefix, pathId }: Nlri): string | Plain {
  return pathId === undefined ? prefix.toString() : { prefix: prefix.toString(), pathId };
}
