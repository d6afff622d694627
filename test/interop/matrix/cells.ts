/**
 * The matrix as data: which routers, which sessions with each, and what a router of that version cannot do. Tests are
 * made of it; where a router cannot, the test checks that it is so, and the row goes the day it no longer is.
 */
import { BirdRouter } from './bird.ts';
import { ExabgpRouter } from './exabgp.ts';
import { FrrRouter } from './frr.ts';
import { GobgpRouter } from './gobgp.ts';
import { OpenbgpdRouter } from './openbgpd.ts';
import type { RouterKind } from './router.ts';

export interface RouterRow {
  readonly name: string;
  readonly version: string;
  readonly kind: RouterKind;
  /** Why not, for what it cannot do; absent: it can. */
  readonly cannot: {
    /** Be a speaker without 4-octet AS numbers (RFC 6793 §4.2.2). */
    readonly beOld?: string;
    /** Carry IPv6 on the session where it is one. */
    readonly ipv6WhenOld?: string;
    /** Speak to our 4-octet number when old; ours has 2 octets there. */
    readonly expectAsTrans?: string;
    /** When old, read AGGREGATOR in the 6 octets it then has (RFC 6793 §4.1). */
    readonly readOldAggregator?: string;
    /** When old, merge AS4_PATH beside an AGGREGATOR that holds a true 2-octet number (RFC 6793 §4.2.3). */
    readonly mergeBesideAggregator?: string;
    /** When old, read the number in AS4_AGGREGATOR; it takes the upper half. */
    readonly readAs4Aggregator?: string;
    /** When old, put AS4_PATH in the place of AS_PATH (RFC 6793 §4.2.3). */
    readonly mergeAs4Path?: string;
    /** Ask for routes again (RFC 2918). */
    readonly askRefresh?: string;
    /** Send routes again when asked though none has changed. */
    readonly answerRefresh?: string;
    /** Read the words with a shutdown (RFC 9003). */
    readonly hearWords?: string;
    /** Give words for a shutdown (RFC 9003). */
    readonly sendWords?: string;
  };
}

export const ROUTERS: readonly RouterRow[] = [
  {
    name: 'bird',
    version: 'BIRD 2.0.12',
    kind: BirdRouter,
    cannot: {
      expectAsTrans:
        'without 4-octet numbers of its own it still reads ours, and refuses both that and 23456',
    },
  },
  {
    name: 'frr',
    version: 'FRR 8.4.4',
    kind: FrrRouter,
    cannot: {
      ipv6WhenOld: 'it can leave out all capabilities or none, and IPv6 is one of them',
      readOldAggregator: 'it expects 8 octets as soon as we offer 4-octet numbers, whether it does or not',
      mergeAs4Path: 'for the same reason it takes us for a new speaker, whose AS4_PATH is to be thrown away',
    },
  },
  {
    name: 'gobgp',
    version: 'GoBGP 3.10',
    kind: GobgpRouter,
    cannot: {
      askRefresh: 'its softresetin goes through what it has kept and asks nobody',
      beOld: 'it always offers 4-octet AS numbers; nothing switches that off',
    },
  },
  {
    name: 'openbgpd',
    version: 'OpenBGPD 7.7',
    kind: OpenbgpdRouter,
    cannot: {
      expectAsTrans: 'its configuration refuses 23456 as a reserved number',
      answerRefresh: 'it counts the request, and sends nothing that its Adj-RIB-Out says has been sent',
      mergeBesideAggregator: 'it takes the number for proof that an old speaker has changed the path',
    },
  },
  {
    name: 'exabgp',
    version: 'ExaBGP 4.2.21',
    kind: ExabgpRouter,
    cannot: {
      readAs4Aggregator: 'it takes the attribute apart as it does AGGREGATOR, with 2 octets for the number',
      hearWords: 'it takes the NOTIFICATION for an UPDATE that it cannot decode',
      sendWords: 'its teardown command takes a subcode and no words',
    },
  },
];

/** AS numbers of the routers: one instance each. */
export const ROUTER_ASNS = [65_010, 4_200_000_010] as const;

export interface SessionRow {
  readonly over: 'IPv4' | 'IPv6';
  /** Our AS; `internal` is the router's own. */
  readonly ours: number | 'internal';
  readonly old?: true;
}

export const SESSIONS: readonly SessionRow[] = (['IPv4', 'IPv6'] as const).flatMap((over) =>
  ([64_501, 4_200_000_101, 'internal'] as const).map((ours) => ({ over, ours })),
);

/** With a router that speaks as an old one; ours is a 4-octet number that it takes for 23456, where it can. */
export function oldSession({ cannot }: RouterRow): SessionRow | undefined {
  if (cannot.beOld !== undefined) return undefined;
  return { over: 'IPv4', ours: cannot.expectAsTrans === undefined ? 4_200_000_102 : 64_502, old: true };
}

export const FEEDER_ASN = 64_990;
