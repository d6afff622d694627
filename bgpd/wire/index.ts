/** BGP on the wire: octets to values and back, without sockets, timers or state. */
export * from './types.ts';
export { MessageFramer } from './framer.ts';
export { HEADER_LENGTH, MAX_EXTENDED_LENGTH, MAX_LENGTH, MESSAGE_TYPE } from './header.ts';
export { PlainUpdate, readPlainUpdate } from './plain-update.ts';
export { NlriCursor } from './nlri-cursor.ts';
export { type Decoded, decodeMessage, encodeKeepalive } from './message.ts';
export { AS_TRANS, BGP_VERSION, encodeOpen } from './open.ts';
export { CAPABILITY, encodeCapability } from './capabilities.ts';
export {
  CEASE,
  ERROR,
  cease,
  encodeNotification,
  formatNotification,
  notification,
  shutdownText,
} from './notification.ts';
export { encodeAttributes, encodeEndOfRib, encodeUpdates, fits, maxMessageLength } from './encode-update.ts';
export {
  decodeLabelledNlri,
  encodeLabelledNlri,
  type LabelledField,
  type LabelledNlri,
} from './labelled-nlri.ts';
export { Reader } from './reader.ts';
export { Writer } from './writer.ts';
export { encodeRouteRefresh } from './route-refresh.ts';
export { type Fault, formatFault, formatFaults, outcomeOf } from './fault.ts';
export { pathLength } from './attributes/as-path.ts';
export { errorTable } from './attributes/table.ts';
export type { Check, Outcome } from './attributes/codec.ts';
