/** What the speaker measures. One label value per peer or family; peers are as many as are configured, up to a bound. */
import type { Metric, Sample } from '../../daemon/metrics.ts';
import { one } from '../../daemon/metrics.ts';
import { FAMILIES, type Family } from '../wire/types.ts';
import type { Neighbour } from './neighbour.ts';
import type { PrefixLimitStatus } from './prefix-limit.ts';
import type { SessionStateName } from './session.ts';
import type { Speaker } from './speaker.ts';

export interface Measured {
  readonly speaker: Speaker;
  /** Milliseconds of its clock. */
  readonly now: number;
}

type SpeakerMetric = Metric<Measured>;

/**
 * Peers with series of their own, by name. Others count in the sums alone and in
 * `poplin_bgp_peers_without_series`: whoever may open sessions (dynamic neighbours) must not fill a time series store.
 */
export const PEERS_WITH_SERIES = 10_000;

const FAMILY_NAMES = Object.keys(FAMILIES) as Family[];
const STATES: readonly SessionStateName[] = [
  'Idle',
  'Connect',
  'Active',
  'OpenSent',
  'OpenConfirm',
  'Established',
];

function* perPeer(speaker: Speaker, value: (neighbour: Neighbour) => number): Generator<Sample, void> {
  for (const neighbour of withSeries(speaker)) yield { labels: [neighbour.name], value: value(neighbour) };
}

function* perPeerAndFamily(
  speaker: Speaker,
  value: (neighbour: Neighbour, family: Family) => number,
): Generator<Sample, void> {
  for (const family of FAMILY_NAMES) {
    for (const neighbour of withSeries(speaker)) {
      const { session, adjRibIn } = neighbour;
      if (session.config.families.includes(family) || adjRibIn[family].size > 0)
        yield { labels: [neighbour.name, family], value: value(neighbour, family) };
    }
  }
}

function withSeries({ neighbours }: Speaker): readonly Neighbour[] {
  if (neighbours.length <= PEERS_WITH_SERIES) return neighbours;
  return neighbours.toSorted((a, b) => (a.name < b.name ? -1 : 1)).slice(0, PEERS_WITH_SERIES);
}

function perFamily(value: (family: Family) => number): readonly Sample[] {
  return FAMILY_NAMES.map((family) => ({ labels: [family], value: value(family) }));
}

function ofPeer(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  value: (neighbour: Neighbour, now: number) => number,
): SpeakerMetric {
  return {
    name: `poplin_bgp_peer_${name}`,
    type,
    help,
    labels: ['peer'],
    read: ({ speaker, now }) => perPeer(speaker, (neighbour) => value(neighbour, now)),
  };
}

function ofPeerRoutes(
  name: string,
  help: string,
  value: (neighbour: Neighbour, family: Family, speaker: Speaker) => number,
): SpeakerMetric {
  return {
    name: `poplin_bgp_peer_routes_${name}`,
    type: 'gauge',
    help,
    labels: ['peer', 'family'],
    read: ({ speaker }) =>
      perPeerAndFamily(speaker, (neighbour, family) => value(neighbour, family, speaker)),
  };
}

/** Only of peers and families that have a limit. */
function ofPeerLimits(
  name: string,
  help: string,
  value: (status: PrefixLimitStatus) => number,
): SpeakerMetric {
  return {
    name: `poplin_bgp_peer_prefix_limit_${name}`,
    type: 'gauge',
    help,
    labels: ['peer', 'family'],
    *read({ speaker }): Generator<Sample, void> {
      for (const neighbour of withSeries(speaker))
        for (const status of neighbour.limits.status())
          yield { labels: [neighbour.name, status.family], value: value(status) };
    },
  };
}

export const PEER_METRICS: readonly SpeakerMetric[] = [
  {
    name: 'poplin_bgp_peers',
    type: 'gauge',
    help: 'Peers by state of the session (RFC 4271 §8.2.2)',
    labels: ['state'],
    read: ({ speaker }) => {
      const counts = new Map<string, number>(STATES.map((state) => [state, 0]));
      for (const { session } of speaker.neighbours)
        counts.set(session.state, (counts.get(session.state) ?? 0) + 1);
      return [...counts].map(([state, value]) => ({ labels: [state], value }));
    },
  },
  {
    name: 'poplin_bgp_peers_without_series',
    type: 'gauge',
    help: `Peers beyond the first ${PEERS_WITH_SERIES} by name, which have no series of their own`,
    labels: [],
    read: ({ speaker }) => one(Math.max(0, speaker.neighbours.length - PEERS_WITH_SERIES)),
  },
  ofPeer('up', 'gauge', '1 while the session is Established', ({ session }) =>
    session.state === 'Established' ? 1 : 0,
  ),
  ofPeer('state_age_seconds', 'gauge', 'How long the session has been in its state', ({ session }, now) =>
    Math.max(0, (now - session.since) / 1000),
  ),
  ofPeer(
    'established_total',
    'counter',
    'Times the session came up',
    ({ session }) => session.counters.establishedTransitions,
  ),
  ofPeer(
    'messages_received_total',
    'counter',
    'Messages received',
    ({ session }) => session.counters.messagesIn,
  ),
  ofPeer('messages_sent_total', 'counter', 'Messages sent', ({ session }) => session.counters.messagesOut),
  ofPeer(
    'updates_received_total',
    'counter',
    'UPDATE messages received',
    ({ session }) => session.counters.updatesIn,
  ),
  ofPeer(
    'updates_sent_total',
    'counter',
    'UPDATE messages sent',
    ({ session }) => session.counters.updatesOut,
  ),
  ofPeer(
    'notifications_received_total',
    'counter',
    'NOTIFICATION messages that ended a connection',
    ({ session }) => session.history.notificationsReceived,
  ),
  ofPeer(
    'notifications_sent_total',
    'counter',
    'NOTIFICATION messages that we ended a connection with',
    ({ session }) => session.history.notificationsSent,
  ),
  ofPeer(
    'treated_as_withdraw_total',
    'counter',
    'UPDATE messages that an error turned into withdrawals (RFC 7606)',
    ({ session }) => session.counters.treatedAsWithdraw,
  ),
  ofPeer(
    'attributes_discarded_total',
    'counter',
    'Attributes discarded for an error (RFC 7606)',
    ({ session }) => session.counters.attributesDiscarded,
  ),
  ofPeerRoutes('received', 'Routes in the Adj-RIB-In', ({ adjRibIn }, family) => adjRibIn[family].size),
  ofPeerRoutes(
    'accepted',
    'Routes in the Adj-RIB-In that import lets into the decision',
    ({ adjRibIn }, family) => adjRibIn[family].accepted,
  ),
  ofPeerRoutes(
    'stale',
    'Routes kept for a peer that is restarting (RFC 4724)',
    ({ adjRibIn }, family) => adjRibIn[family].stale,
  ),
  ofPeerRoutes(
    'advertised',
    'Routes the peer has been told',
    (neighbour, family, speaker) => speaker.membership(neighbour, family)?.advertised() ?? 0,
  ),
  ofPeerLimits('max', 'Routes that the peer may send', ({ limit }) => limit.max),
  ofPeerLimits('count', 'Routes that count against the limit at the moment', ({ count }) => count),
  ofPeerLimits('exceeded', '1 while the limit is exceeded', ({ state }) => (state === 'exceeded' ? 1 : 0)),
  ofPeerLimits('refused', 'Routes not taken since the limit was reached', ({ refused }) => refused),
  ofPeer('held_down', 'gauge', '1 while a prefix limit keeps the session down', ({ limits }) =>
    limits.held === undefined ? 0 : 1,
  ),
];

export const RIB_METRICS: readonly SpeakerMetric[] = [
  {
    name: 'poplin_bgp_rib_prefixes',
    type: 'gauge',
    help: 'Prefixes in the Loc-RIB with at least one usable path',
    labels: ['family'],
    read: ({ speaker }) => perFamily((family) => speaker.tables[family].locRib.size),
  },
  {
    name: 'poplin_bgp_rib_undecided_prefixes',
    type: 'gauge',
    help: 'Prefixes whose paths changed and that wait for the decision process',
    labels: ['family'],
    read: ({ speaker }) => perFamily((family) => speaker.tables[family].locRib.dirty),
  },
  {
    name: 'poplin_bgp_rib_attribute_sets',
    type: 'gauge',
    help: 'Distinct sets of path attributes in memory',
    labels: [],
    read: ({ speaker }) => one(speaker.pool.size),
  },
  {
    name: 'poplin_bgp_update_groups',
    type: 'gauge',
    help: 'Groups of peers that are told the same',
    labels: ['family'],
    read: ({ speaker }) => perFamily((family) => speaker.tables[family].groups.size),
  },
  {
    name: 'poplin_bgp_restarting',
    type: 'gauge',
    help: '1 while selection waits for the End-of-RIB of peers after a restart (RFC 4724 §4.1)',
    labels: [],
    read: ({ speaker }) => one(speaker.deferral.active ? 1 : 0),
  },
];
