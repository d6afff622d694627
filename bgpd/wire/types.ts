/**
 * The vocabulary of BGP messages as values: what the codecs in this folder produce and take, and what
 * the rest of `bgpd` speaks in. Plain immutable data; no bytes but where a field is opaque.
 */
import type { Address, Prefix } from '../../net/addr/index.ts';

/** AFI and SAFI together (RFC 4760 §3), for the families this speaker understands. */
export type Family = 'ipv4-unicast' | 'ipv6-unicast';

export const FAMILIES: Readonly<
  Record<Family, { readonly afi: number; readonly safi: number; readonly version: 4 | 6 }>
> = {
  'ipv4-unicast': { afi: 1, safi: 1, version: 4 },
  'ipv6-unicast': { afi: 2, safi: 1, version: 6 },
};

export function familyOf(afi: number, safi: number): Family | undefined {
  if (safi !== 1) return undefined;
  return afi === 1 ? 'ipv4-unicast' : afi === 2 ? 'ipv6-unicast' : undefined;
}

/** One reachable or withdrawn prefix; `pathId` only where ADD-PATH was negotiated (RFC 7911 §3). */
export interface Nlri {
  readonly prefix: Prefix;
  readonly pathId?: number;
}

export type Origin = 'IGP' | 'EGP' | 'incomplete';

/** RFC 4271 §4.3 b, RFC 5065 §3. AS numbers are 32-bit (RFC 6793). */
export interface AsSegment {
  readonly type: 'sequence' | 'set' | 'confed-sequence' | 'confed-set';
  readonly asns: readonly number[];
}

export interface Aggregator {
  readonly asn: number;
  readonly address: Address;
}

/** RFC 8092 §3. */
export interface LargeCommunity {
  readonly global: number;
  readonly local1: number;
  readonly local2: number;
}

/** RFC 7311 §3: the accumulated metric, 64-bit, and all TLVs but the first metric, as they came. */
export interface Aigp {
  readonly metric: bigint;
  readonly others?: Uint8Array;
}

/** An attribute that no codec knows; passed on if transitive, with the partial bit (RFC 4271 §5). */
export interface RawAttribute {
  readonly flags: number;
  readonly code: number;
  readonly value: Uint8Array;
}

/**
 * Path attributes without NLRI and next hop, which belong to a family (see {@link Reach}).
 * Absent means absent on the wire. Shared between routes: never mutated.
 */
export interface PathAttributes {
  readonly origin: Origin;
  readonly asPath: readonly AsSegment[];
  readonly med?: number;
  readonly localPref?: number;
  readonly atomicAggregate?: true;
  readonly aggregator?: Aggregator;
  /** 32-bit values, as on the wire: upper 16 bits AS, lower 16 bits value (RFC 1997). */
  readonly communities?: readonly number[];
  /** BGP identifier as 32-bit number (RFC 4456 §8). */
  readonly originatorId?: number;
  readonly clusterList?: readonly number[];
  /** 8 octets each (RFC 4360). */
  readonly extendedCommunities?: readonly bigint[];
  readonly aigp?: Aigp;
  readonly largeCommunities?: readonly LargeCommunity[];
  readonly unknown?: readonly RawAttribute[];
  /**
   * Codes of optional transitive attributes above, ascending, that have passed somebody who did not know them. Whoever
   * passes them on does not take the mark away (RFC 4271 §5).
   */
  readonly partial?: readonly number[];
}

/** Where packets for the NLRI go. IPv6 may carry a link-local address beside the global one (RFC 2545 §3). */
export interface NextHop {
  readonly address: Address;
  readonly linkLocal?: Address;
}

export interface Reach {
  readonly family: Family;
  readonly nextHop: NextHop;
  readonly nlri: readonly Nlri[];
}

export interface Unreach {
  readonly family: Family;
  readonly nlri: readonly Nlri[];
}

export interface GracefulRestartCapability {
  readonly code: 64;
  /** R bit: the sender has restarted (RFC 4724 §3). */
  readonly restarting: boolean;
  /** N bit (RFC 8538). */
  readonly notification: boolean;
  readonly restartSeconds: number;
  readonly families: readonly { readonly family: Family; readonly forwarding: boolean }[];
}

export type Capability =
  | { readonly code: 1; readonly afi: number; readonly safi: number }
  | { readonly code: 2 }
  | { readonly code: 6 }
  | GracefulRestartCapability
  | { readonly code: 65; readonly asn: number }
  | {
      readonly code: 69;
      readonly families: readonly {
        readonly family: Family;
        readonly send: boolean;
        readonly receive: boolean;
      }[];
    }
  | { readonly code: 70 }
  | { readonly code: 'unknown'; readonly number: number; readonly value: Uint8Array };

export interface OpenMessage {
  readonly type: 'open';
  readonly version: number;
  /** True AS number: from the four-octet capability when present, else the 2-octet field. */
  readonly asn: number;
  readonly holdSeconds: number;
  /** BGP identifier, 32-bit, never 0 (RFC 6286). */
  readonly routerId: number;
  readonly capabilities: readonly Capability[];
}

export interface UpdateMessage {
  readonly type: 'update';
  readonly unreach: readonly Unreach[];
  readonly reach: readonly Reach[];
  /** Undefined exactly when `reach` is empty. */
  readonly attributes: PathAttributes | undefined;
}

/** RFC 4271 §4.5; `data` is the raw octets after the subcode. */
export interface NotificationMessage {
  readonly type: 'notification';
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

export interface KeepaliveMessage {
  readonly type: 'keepalive';
}

/** RFC 2918; subtype 1 and 2 are BoRR and EoRR (RFC 7313). Unknown families are dropped by the decoder. */
export interface RouteRefreshMessage {
  readonly type: 'route-refresh';
  readonly family: Family;
  readonly subtype: 0 | 1 | 2;
}

export type Message =
  | OpenMessage
  | UpdateMessage
  | NotificationMessage
  | KeepaliveMessage
  | RouteRefreshMessage;

/** What the two OPENs settled; every codec call after OPEN needs it. */
export interface Negotiated {
  readonly peerAsn: number;
  readonly peerRouterId: number;
  readonly internal: boolean;
  /** 0 = no keepalives, no hold timer. */
  readonly holdSeconds: number;
  readonly keepaliveSeconds: number;
  readonly families: readonly Family[];
  readonly fourOctetAs: boolean;
  readonly extendedMessages: boolean;
  readonly routeRefresh: boolean;
  readonly enhancedRefresh: boolean;
  /** AIGP is spoken on this session (RFC 7311 §3.3); our configuration alone says so. */
  readonly aigp?: true | undefined;
  /** What the peer said, if it said it. */
  readonly gracefulRestart?: GracefulRestartCapability | undefined;
  /** Families in which the peer sends us path ids, and in which we send them. */
  readonly addPathReceive: readonly Family[];
  readonly addPathSend: readonly Family[];
}

/**
 * The marker that ends the initial dump of a family (RFC 4724 §2): exactly one family in `unreach`, without NLRI.
 * The decoder produces that only for a true marker, and the encoders make the marker of it.
 */
export function isEndOfRib(update: UpdateMessage): Family | undefined {
  const only = update.unreach[0];
  if (update.reach.length > 0 || update.unreach.length !== 1 || only === undefined) return undefined;
  return only.nlri.length === 0 ? only.family : undefined;
}
