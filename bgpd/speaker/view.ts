/** What the speaker knows of its peers, as plain data for people and programs. Routes: `route-view.ts`. */
import type { Clock, Millis } from '../../clock/clock.ts';
import { plainCapability, type PlainCapability } from '../wire/format-capability.ts';
import { dotted } from '../wire/format.ts';
import { FAMILIES, type Family, type OpenMessage } from '../wire/types.ts';
import type { SessionError } from './history.ts';
import type { Neighbour } from './neighbour.ts';
import type { PrefixLimitStatus } from './prefix-limit.ts';
import type { SessionCounters } from './session.ts';
import type { Speaker } from './speaker.ts';

export interface PeerView {
  readonly name: string;
  readonly description: string | undefined;
  readonly address: string;
  readonly port: number;
  readonly asn: number | undefined;
  readonly localAddress: string | undefined;
  readonly state: string;
  readonly sinceSeconds: number;
  /** What the OPENs settled while Established, else what we offer. */
  readonly families: readonly Family[];
  readonly prefixesReceived: number;
  readonly prefixesAccepted: number;
  readonly prefixesStale: number;
  readonly prefixesAdvertised: number;
  readonly lastError: string | undefined;
  /** Why there is no session and will be none before `inSeconds`, or before somebody acts; see `prefix-limit.ts`. */
  readonly heldDown: { readonly reason: string; readonly inSeconds: number | undefined } | undefined;
  /** Directions in which RFC 8212 lets nothing pass. */
  readonly missingPolicies: readonly ('import' | 'export')[];
  readonly counters: SessionCounters;
}

/** One peer in full. Times are those of the wall, as ISO 8601. */
export interface NeighbourView extends PeerView {
  readonly since: string;
  readonly kind: 'external' | 'internal';
  readonly localAsn: number;
  readonly localRouterId: string;
  /** Known once an OPEN has come. */
  readonly routerId: string | undefined;
  readonly reflectorClient: boolean;
  /** While Established. */
  readonly settled:
    | {
        readonly holdSeconds: number;
        readonly keepaliveSeconds: number;
        readonly fourOctetAs: boolean;
        readonly extendedMessages: boolean;
        readonly addPathReceive: readonly Family[];
        readonly addPathSend: readonly Family[];
      }
    | undefined;
  readonly capabilities: {
    readonly sent: readonly PlainCapability[] | undefined;
    readonly received: readonly PlainCapability[] | undefined;
  };
  /** The last NOTIFICATION each way, and the last end of a connection whatever ended it. */
  readonly lastErrorSent: ErrorView | undefined;
  readonly lastErrorReceived: ErrorView | undefined;
  readonly lastEnd: { readonly at: string; readonly text: string } | undefined;
  readonly timers: readonly { readonly name: string; readonly inSeconds: number }[];
  readonly routes: readonly FamilyRoutesView[];
  readonly limits: readonly PrefixLimitStatus[];
}

export interface ErrorView {
  readonly at: string;
  readonly code: number;
  readonly subcode: number;
  readonly text: string;
}

export interface FamilyRoutesView {
  readonly family: Family;
  readonly received: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly stale: number;
  readonly advertised: number;
}

const FAMILY_NAMES = Object.keys(FAMILIES) as Family[];

/** @param now  milliseconds of the speaker's clock */
export function peerViews(speaker: Speaker, now: number): readonly PeerView[] {
  return [...peerLines(speaker, now)];
}

/** By name, one at a time: with thousands of peers and a large table each costs a little. */
export function* peerLines(speaker: Speaker, now: number): Generator<PeerView, void> {
  const inOrder = speaker.neighbours.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const neighbour of inOrder) yield peerView(speaker, neighbour, now);
}

function peerView(speaker: Speaker, neighbour: Neighbour, now: number): PeerView {
  const { session } = neighbour;
  return {
    name: neighbour.name,
    description: neighbour.config.session.description,
    address: session.config.peerAddress,
    port: session.config.peerPort,
    asn: session.negotiated?.peerAsn ?? session.config.peerAsn,
    localAddress: session.localAddress ?? session.config.localAddress,
    state: session.state,
    sinceSeconds: Math.floor((now - session.since) / 1000),
    families: session.negotiated?.families ?? session.config.families,
    prefixesReceived: overFamilies((family) => neighbour.adjRibIn[family].size),
    prefixesAccepted: overFamilies((family) => neighbour.adjRibIn[family].accepted),
    prefixesStale: neighbour.staleRoutes,
    prefixesAdvertised: overFamilies((family) => speaker.membership(neighbour, family)?.advertised() ?? 0),
    lastError: session.lastError,
    heldDown: heldDown(neighbour, now),
    missingPolicies: neighbour.missingPolicies,
    counters: { ...session.counters },
  };
}

function heldDown({ limits }: Neighbour, now: Millis): PeerView['heldDown'] {
  if (limits.held === undefined) return undefined;
  const { reason, until } = limits.held;
  return { reason, inSeconds: until === undefined ? undefined : Math.ceil((until - now) / 1000) };
}

function overFamilies(count: (family: Family) => number): number {
  return FAMILY_NAMES.reduce((total, family) => total + count(family), 0);
}

/** @param name  the peer's name, or its address */
export function findNeighbour({ neighbours }: Speaker, name: string): Neighbour | undefined {
  return (
    neighbours.find((each) => each.name === name) ??
    neighbours.find((each) => each.session.config.peerAddress === name)
  );
}

export function neighbourView(speaker: Speaker, neighbour: Neighbour, clock: Clock): NeighbourView {
  const { session } = neighbour;
  const { config, history, negotiated } = session;
  const at = (then: Millis): string => new Date(clock.wall().getTime() + then - clock.now()).toISOString();
  const error = (one: SessionError | undefined): ErrorView | undefined =>
    one === undefined
      ? undefined
      : {
          at: at(one.at),
          code: one.notification.code,
          subcode: one.notification.subcode,
          text: one.text,
        };
  return {
    ...peerView(speaker, neighbour, clock.now()),
    since: at(session.since),
    kind: neighbour.peerKind,
    localAsn: config.localAsn,
    localRouterId: dotted(config.routerId),
    routerId: history.openReceived === undefined ? undefined : dotted(history.openReceived.routerId),
    reflectorClient: neighbour.config.reflectorClient ?? false,
    settled:
      negotiated === undefined
        ? undefined
        : {
            holdSeconds: negotiated.holdSeconds,
            keepaliveSeconds: negotiated.keepaliveSeconds,
            fourOctetAs: negotiated.fourOctetAs,
            extendedMessages: negotiated.extendedMessages,
            addPathReceive: negotiated.addPathReceive,
            addPathSend: negotiated.addPathSend,
          },
    capabilities: {
      sent: capabilitiesOf(history.openSent),
      received: capabilitiesOf(history.openReceived),
    },
    lastErrorSent: error(history.errorSent),
    lastErrorReceived: error(history.errorReceived),
    lastEnd: history.lastEnd && { at: at(history.lastEnd.at), text: history.lastEnd.text },
    timers: session.pending().map(({ name: timer, inMs }) => ({
      name: timer,
      inSeconds: Math.max(0, Math.round(inMs / 100) / 10),
    })),
    routes: FAMILY_NAMES.filter((family) => isSpoken(neighbour, family)).map((family) =>
      familyRoutes(speaker, neighbour, family),
    ),
    limits: neighbour.limits.status(),
  };
}

function capabilitiesOf(open: OpenMessage | undefined): readonly PlainCapability[] | undefined {
  return open?.capabilities.map(plainCapability);
}

/** Also of a peer that is down: routes may be kept for it. */
function isSpoken({ session, adjRibIn }: Neighbour, family: Family): boolean {
  return (
    (session.negotiated?.families ?? session.config.families).includes(family) || adjRibIn[family].size > 0
  );
}

function familyRoutes(speaker: Speaker, neighbour: Neighbour, family: Family): FamilyRoutesView {
  const { size, accepted, stale } = neighbour.adjRibIn[family];
  return {
    family,
    received: size,
    accepted,
    rejected: size - accepted,
    stale,
    advertised: speaker.membership(neighbour, family)?.advertised() ?? 0,
  };
}
