/** What can be said of a peer, and of a group that lends it to its members. */
import { z } from 'zod';
import { type Complaint, rules } from '../../api/schema/field.ts';
import { address, asNumber, cidr } from '../../api/schema/network.ts';
import { integer } from '../../api/schema/scalars.ts';
import { DEFAULT_RESTART_SECONDS, DEFAULT_WARN_PERCENT } from '../speaker/prefix-limit.ts';
import { DEFAULTS } from './defaults.ts';
import { optional, required } from './fields.ts';

const FAMILY_NAMES = ['ipv4-unicast', 'ipv6-unicast'] as const;
const MAX_TIMER = 0xffff;
/** 12 bits on the wire (RFC 4724 §3). */
const MAX_RESTART = 4095;

const timers = rules(
  z.strictObject({
    holdSeconds: optional(
      integer(0, MAX_TIMER),
      'Hold time we propose (RFC 4271 §4.2); the lower of the two proposals counts. 0 switches keepalives off.',
      DEFAULTS.timers.holdSeconds,
    ),
    connectRetrySeconds: optional(
      integer(1, MAX_TIMER),
      'Pause between two attempts to connect.',
      DEFAULTS.timers.connectRetrySeconds,
    ),
    delayOpenSeconds: optional(
      integer(0, MAX_TIMER),
      "Once connected, wait this long for the peer's OPEN before sending ours (RFC 4271 §8.1.1).",
      DEFAULTS.timers.delayOpenSeconds,
    ),
    advertisementIntervalSeconds: optional(
      integer(0, 600),
      'News go out at most this often (MinRouteAdvertisementInterval, RFC 4271 §9.2.1.1).',
      DEFAULTS.timers.advertisementIntervalSeconds,
    ),
  }),
  function* ({ holdSeconds }): Generator<Complaint> {
    if (holdSeconds !== 1 && holdSeconds !== 2) return;
    yield {
      path: ['holdSeconds'],
      what: `a hold time of ${holdSeconds} s is not allowed (RFC 4271 §4.2)`,
      remedy: 'use 0, or 3 and more',
    };
  },
);

const gracefulRestart = z.strictObject({
  enabled: optional(z.boolean(), 'Offer graceful restart (RFC 4724).', DEFAULTS.gracefulRestart.enabled),
  restartSeconds: optional(
    integer(0, MAX_RESTART),
    'How long the peer shall keep our routes while we restart.',
    DEFAULTS.gracefulRestart.restartSeconds,
  ),
  maxStaleSeconds: optional(
    integer(1, MAX_RESTART),
    "Upper bound for how long we keep the peer's routes while it restarts, whatever it asks for.",
    DEFAULTS.gracefulRestart.maxStaleSeconds,
  ),
});

const prefixLimit = z.strictObject({
  max: required(integer(1, 100_000_000), 'So many routes are fine.'),
  count: optional(
    z.enum(['received', 'accepted']),
    'Every route, or those that import lets through.',
    'received',
  ),
  warnPercent: optional(
    integer(1, 100),
    'A warning goes to the log at so many percent of `max`.',
    DEFAULT_WARN_PERCENT,
  ),
  action: required(
    z.enum(['warn', 'reject', 'restart', 'shutdown']),
    'Above `max`: only say so; take no further route; end the session (Cease 1, RFC 4486) for `restartSeconds`; end it until somebody raises the limit.',
  ),
  restartSeconds: optional(
    integer(1, 86_400),
    'For `restart`: how long the session stays down.',
    DEFAULT_RESTART_SECONDS,
  ),
});

const prefixLimits = z.strictObject({
  'ipv4-unicast': optional(prefixLimit, 'For IPv4.'),
  'ipv6-unicast': optional(prefixLimit, 'For IPv6.'),
});

const filterNames = z.array(z.string({ error: 'the name of a filter' }));

/** Settings that a group can lend. A peer's own word wins over its group's, a group's over that of the group it is in. */
export const peerSettings = {
  group: optional(
    z.string(),
    'Group whose settings apply where none are given here. A group can be in a group, too.',
  ),
  description: optional(z.string(), 'For people. A change of it touches nothing.'),
  asNumber: optional(
    z.union([asNumber(), z.enum(['internal', 'external'])], {
      error: 'an AS number, "internal" or "external"',
    }),
    'AS of the peer. `internal` is our own, `external` any other.',
  ),
  port: optional(integer(1, 65_535), 'Port we connect to.', DEFAULTS.peer.port),
  sourceAddress: optional(address(), 'Our address of connections that we open; else the kernel chooses.'),
  passive: optional(z.boolean(), 'Wait for the peer to connect.', DEFAULTS.peer.passive),
  multihopTtl: optional(
    integer(1, 255),
    'TTL (hop limit) of what we send. An external peer is one hop away unless this says otherwise: 1 for external peers, what the system uses for internal ones.',
  ),
  ttlSecurityHops: optional(
    integer(1, 254),
    'GTSM (RFC 5082): the peer is at most so many hops away, 1 for a neighbour on the link, and packets from farther are dropped. Both sides have to be configured for it.',
  ),
  password: optional(
    z
      .string()
      .min(1)
      .refine((text) => new TextEncoder().encode(text).length <= 80, { error: 'at most 80 octets' }),
    'Key of TCP MD5 signatures (RFC 2385): what is not signed with it is dropped. Not for dynamic peers. Let nobody else read the file.',
  ),
  families: optional(
    z.array(z.enum(FAMILY_NAMES)).min(1),
    'Address families we offer, over whichever version of IP the session runs.',
    DEFAULTS.peer.families,
  ),
  timers: optional(timers, 'Times of the session. Each is inherited by itself.'),
  gracefulRestart: optional(gracefulRestart, 'Graceful restart. Each field is inherited by itself.'),
  routeReflectorClient: optional(
    z.boolean(),
    'We reflect what other internal peers say to this one, and what it says to them (RFC 4456).',
    DEFAULTS.peer.routeReflectorClient,
  ),
  clusterId: optional(
    address(4),
    'Cluster that this client belongs to, where it is another than `clusterId` of the router.',
  ),
  nextHop: optional(
    z.enum(['auto', 'self', 'keep']),
    'Next hop of what we tell the peer. `auto`: ourselves towards external peers, unchanged towards internal ones. `self`: always ourselves. `keep`: always unchanged.',
    DEFAULTS.peer.nextHop,
  ),
  allowOwnAs: optional(
    integer(0, 10),
    'How often our own AS may be in a path from this peer.',
    DEFAULTS.peer.allowOwnAs,
  ),
  enforceFirstAs: optional(
    z.boolean(),
    "Refuse an external peer's path that does not begin with its AS (RFC 4271 §6.3). A route server needs this off.",
    DEFAULTS.peer.enforceFirstAs,
  ),
  rejectAsSets: optional(
    z.boolean(),
    'Take no path with an AS_SET or AS_CONFED_SET, which RFC 9774 forbids. Off, as aggregates of routers in use still have them.',
    DEFAULTS.peer.rejectAsSets,
  ),
  import: optional(
    filterNames,
    'Filters for what the peer says, in order: the first rule that matches decides, and what none matches is refused. `accept-all` and `reject-all` are there without being defined. Without this an internal peer is believed everything and an external one nothing (RFC 8212).',
  ),
  export: optional(
    filterNames,
    'Filters for what the peer is told; as `import`. Without this an internal peer is told everything and an external one nothing (RFC 8212).',
  ),
  aigp: optional(
    z.boolean(),
    'Take and send the accumulated metric (AIGP). For peers under the same hand only. Without this: `true` for an internal peer, `false` for an external one (RFC 7311 §3.3).',
  ),
  prefixLimits: optional(prefixLimits, 'How many routes the peer may send, per family.'),
  requirePolicy: optional(
    z.boolean(),
    'RFC 8212. `false`: an external peer without `import` or `export` is treated as if it had `accept-all` there.',
    DEFAULTS.peer.requirePolicy,
  ),
};

export const peerGroup = z.strictObject(peerSettings);

export const peer = z.strictObject({
  address: required(address(), 'Address of the peer. Each peer has its own.'),
  name: optional(z.string().min(1), 'What commands and logs call it; its address where not given.'),
  ...peerSettings,
});

export const dynamicPeers = z.strictObject({
  prefix: required(
    cidr({ hostBits: 'refuse' }),
    'Whoever connects from an address in it, and is no peer of `peers`, becomes one. The longest prefix decides.',
  ),
  limit: optional(integer(1, 100_000), 'How many of them at once.', DEFAULTS.dynamicLimit),
  ...peerSettings,
});

export type DynamicEntry = z.output<typeof dynamicPeers>;
export type PeerSettings = z.output<typeof peerGroup>;
export type PeerEntry = z.output<typeof peer>;
