/**
 * Path attributes in one fixed form, for keeping and comparing: ascending codes, 4-octet AS numbers, shortest lengths,
 * without next hop and NLRI. Attributes are equal exactly when these octets are. It is also what a well-behaved
 * peer sends, so most of what comes in needs no conversion (`plain-update.ts`).
 */
import { decodeAttributes } from './decode-attributes.ts';
import { assemble } from './decode-update.ts';
import { encodeAttributes } from './encode-update.ts';
import { Reader } from './reader.ts';
import type { Negotiated, PathAttributes } from './types.ts';

/** A session on which every attribute may travel. */
const CANONICAL: Negotiated = {
  peerAsn: 0,
  peerRouterId: 0,
  internal: true,
  holdSeconds: 0,
  keepaliveSeconds: 0,
  families: [],
  fourOctetAs: true,
  extendedMessages: true,
  routeRefresh: false,
  enhancedRefresh: false,
  aigp: true,
  addPathReceive: [],
  addPathSend: [],
};

export function encodeCanonical(attributes: PathAttributes): Uint8Array {
  return encodeAttributes(attributes, CANONICAL);
}

/** @throws where the octets did not come from {@link encodeCanonical} or an equal source: a bug */
export function decodeCanonical(bytes: Uint8Array, at: number, end: number): PathAttributes {
  const attributes = assemble(decodeAttributes(new Reader(bytes, at, end), CANONICAL).values);
  if (attributes === undefined) throw new Error('kept attributes without ORIGIN or AS_PATH');
  return attributes;
}
