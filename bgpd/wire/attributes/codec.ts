/**
 * What one path attribute brings to the table: its place, its codec, and each error it can have with what
 * RFC 7606 makes of it. `table.ts` and `../decode-attributes.ts` alone deal with flags, duplicates and order.
 */
import type { Reader } from '../reader.ts';
import type {
  Aggregator,
  Aigp,
  AsSegment,
  LargeCommunity,
  Negotiated,
  Origin,
  PathAttributes,
  Reach,
  Unreach,
} from '../types.ts';
import type { Writer } from '../writer.ts';
import type { Address } from '../../../net/addr/index.ts';

/** In rising strength (RFC 7606 §2); the strongest of an UPDATE's errors decides (§3 h). */
export const OUTCOMES = ['attribute-discard', 'treat-as-withdraw', 'session-reset'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** With whom the session is: inside our AS or not, and whether both sides have 4-octet AS numbers. */
export type PeerKind = 'internal' | 'external' | '2-octet AS' | '4-octet AS';

/** One row of the error table: an error an attribute can have, and what follows. */
export interface Check {
  /** The error in words, `length is not 4`. */
  readonly when: string;
  readonly outcome: Outcome;
  /** UPDATE Message Error subcode (RFC 4271 §6.3) where the session has to be reset over it. */
  readonly subcode: number;
  /** What says so. */
  readonly source: string;
  /** Absent: whoever the peer is. */
  readonly peers?: PeerKind;
}

/** A decoder's "no": which check failed, and at which octet of the message. */
export class Refusal {
  readonly check: Check;
  readonly offset: number;

  constructor(check: Check, offset: number) {
    this.check = check;
    this.offset = offset;
  }
}

/** A decoder's "but for this": the value without what the check speaks of, which is dropped and logged. */
export class Mended<T> {
  readonly value: T;
  readonly check: Check;
  readonly offset: number;

  constructor(value: T, check: Check, offset: number) {
    this.value = value;
    this.check = check;
    this.offset = offset;
  }
}

/** UPDATE Message Error subcodes. */
export const SUBCODE = {
  malformedList: 1,
  unrecognizedWellKnown: 2,
  missingWellKnown: 3,
  flags: 4,
  length: 5,
  origin: 6,
  nextHop: 8,
  optional: 9,
  network: 10,
  asPath: 11,
} as const;

/** Everything that one UPDATE's attributes can say: {@link PathAttributes} and what it is assembled from. */
export interface AttributeValues {
  origin?: Origin;
  asPath?: readonly AsSegment[];
  nextHop?: Address;
  med?: number;
  localPref?: number;
  atomicAggregate?: true;
  aggregator?: Aggregator;
  communities?: readonly number[];
  originatorId?: number;
  clusterList?: readonly number[];
  mpReach?: Reach;
  mpUnreach?: Unreach;
  extendedCommunities?: readonly bigint[];
  as4Path?: readonly AsSegment[];
  as4Aggregator?: Aggregator;
  aigp?: Aigp;
  largeCommunities?: readonly LargeCommunity[];
  unknown?: NonNullable<PathAttributes['unknown']>;
  partial?: NonNullable<PathAttributes['partial']>;
}

export type AttributeField = Exclude<keyof AttributeValues, 'unknown' | 'partial'>;

/** RFC 4271 §5: fixes the Optional and Transitive bits. */
export type AttributeClass = 'well-known' | 'optional-transitive' | 'optional-non-transitive';

export interface AttributeCodec<K extends AttributeField = AttributeField> {
  readonly code: number;
  /** As in the RFC: `AS_PATH`. */
  readonly name: string;
  readonly class: AttributeClass;
  readonly field: K;
  /** Set where only peers of one kind may send it; from others it is discarded by this row. */
  readonly only?: {
    readonly peers: PeerKind;
    readonly from: (session: Negotiated) => boolean;
    readonly else: Check;
  };
  /** Absent: on every session. Where it says no, the attribute is ignored and not sent, as if nobody knew it. */
  readonly spoken?: (session: Negotiated) => boolean;
  /** Set where the attribute's own specification says what follows where only the Transitive bit is wrong (RFC 7606 §3 c). */
  readonly transitiveBit?: Check;
  readonly checks: Readonly<Record<string, Check>>;
  /** Reads the whole value. Octets left over are an error that the decoder itself must see. */
  decode(
    r: Reader,
    session: Negotiated,
  ): NonNullable<AttributeValues[K]> | Refusal | Mended<NonNullable<AttributeValues[K]>>;
  encode(w: Writer, value: NonNullable<AttributeValues[K]>, session: Negotiated): void;
}

/** @throws never; a helper so that the field's type is inferred from its name */
export function attribute<K extends AttributeField>(codec: AttributeCodec<K>): AttributeCodec<K> {
  return codec;
}

/** For attributes that have a meaning inside one AS alone. */
export function internalOnly(source: string): NonNullable<AttributeCodec['only']> {
  return {
    peers: 'internal',
    from: (session) => session.internal,
    else: {
      peers: 'external',
      when: 'comes from an external peer',
      outcome: 'attribute-discard',
      subcode: SUBCODE.optional,
      source,
    },
  };
}
