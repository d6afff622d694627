/** What two OPENs settle: RFC 4271 §4.2 and §6.2, RFC 4760 §8, RFC 5492 §3, RFC 6286 §2.2, RFC 6793 §4.1. */
import { CAPABILITY, encodeCapability } from '../wire/capabilities.ts';
import { ERROR, formatNotification, notification } from '../wire/notification.ts';
import {
  FAMILIES,
  familyOf,
  type Capability,
  type Family,
  type Negotiated,
  type NotificationMessage,
  type OpenMessage,
} from '../wire/types.ts';
import { Writer } from '../wire/writer.ts';
import type { FsmConfig } from './state.ts';

export type Negotiation =
  | { readonly ok: true; readonly peer: Negotiated }
  | { readonly ok: false; readonly notification: NotificationMessage; readonly reason: string };

/** Judges the peer's OPEN, well-formed already, against our configuration. */
export function negotiate(open: OpenMessage, config: FsmConfig): Negotiation {
  if (config.peerAsn !== undefined && open.asn !== config.peerAsn)
    return refuse(2, `the peer says AS ${open.asn}, AS ${config.peerAsn} is configured`, asnData(open.asn));
  const internal = open.asn === config.localAsn;
  if (internal && config.peerKind === 'external')
    return refuse(2, `the peer says AS ${open.asn}, our own, and shall be external`, asnData(open.asn));
  // RFC 6286 §2.2: an identifier is unique inside its AS only.
  if (internal && open.routerId === config.routerId)
    return refuse(3, `the peer has our own BGP Identifier ${formatRouterId(open.routerId)}`);
  const families = commonFamilies(open.capabilities, config.families);
  if (families.length === 0)
    return refuse(
      7,
      `no address family in common; ours: ${config.families.join(', ')}`,
      lacking(config.families),
    );

  const holdSeconds = Math.min(open.holdSeconds, config.holdSeconds);
  const has = (code: Capability['code']): boolean => open.capabilities.some((c) => c.code === code);
  // RFC 4724 §3: of several, the last one counts.
  const gracefulRestart = open.capabilities.findLast((c) => c.code === CAPABILITY.gracefulRestart);
  return {
    ok: true,
    peer: {
      peerAsn: open.asn,
      peerRouterId: open.routerId,
      internal,
      holdSeconds,
      // RFC 4271 §4.4: a third of the hold time, and never more than one a second.
      keepaliveSeconds: holdSeconds === 0 ? 0 : Math.max(1, Math.floor(holdSeconds / 3)),
      families,
      fourOctetAs: has(CAPABILITY.fourOctetAs),
      // RFC 8654 §3: what we may send depends on the peer alone; what we accept, on our own OPEN.
      extendedMessages: has(CAPABILITY.extendedMessage),
      routeRefresh: has(CAPABILITY.routeRefresh),
      enhancedRefresh: has(CAPABILITY.enhancedRouteRefresh),
      // Always there, said or not: every UPDATE looks into this object, and one shape is quicker than three.
      aigp: config.aigp === true ? true : undefined,
      gracefulRestart,
      addPathReceive: [],
      addPathSend: [],
    },
  };
}

/** In our order. A peer without the multiprotocol capability speaks IPv4 unicast and nothing else (RFC 4760 §8). */
function commonFamilies(theirs: readonly Capability[], ours: readonly Family[]): readonly Family[] {
  const offered = theirs
    .filter((c) => c.code === CAPABILITY.multiprotocol)
    .map(({ afi, safi }) => ({ afi, safi }));
  if (offered.length === 0) return ours.filter((family) => family === 'ipv4-unicast');
  return ours.filter((family) => offered.some(({ afi, safi }) => familyOf(afi, safi) === family));
}

/** RFC 5492 §3: the capabilities that we miss, as an OPEN would carry them. */
function lacking(families: readonly Family[]): Uint8Array {
  const w = new Writer(families.length * 6);
  for (const family of families)
    encodeCapability(w, {
      code: CAPABILITY.multiprotocol,
      afi: FAMILIES[family].afi,
      safi: FAMILIES[family].safi,
    });
  return w.finish();
}

/** The AS number refused, for the peer's operator: RFC 4271 §6.2 leaves the Data field of this one open. */
function asnData(asn: number): Uint8Array {
  return asn > 0xffff ? new Writer(4).u32(asn).finish() : new Writer(2).u16(asn).finish();
}

function refuse(subcode: number, reason: string, data?: Uint8Array): Negotiation {
  const answer = notification(ERROR.open, subcode, data);
  return {
    ok: false,
    notification: answer,
    reason: `${formatNotification(notification(ERROR.open, subcode))}: ${reason}`,
  };
}

export function formatRouterId(id: number): string {
  return `${id >>> 24}.${(id >>> 16) & 255}.${(id >>> 8) & 255}.${id & 255}`;
}
