/**
 * From router.yaml to what the daemon is made of: the speaker's configuration, where to listen, and what is odd enough
 * to be said aloud. Pure. A text that the schema and the checks have accepted always converts.
 */
import { Address, Prefix } from '../../net/addr/index.ts';
import type { FieldPath } from '../../api/schema/path.ts';
import { addCommunity, parseCommunity } from '../filter/community.ts';
import { ACCEPT_ALL, type Policy } from '../filter/policy.ts';
import type { OriginatedRoute, PeerConfig, SpeakerConfig } from '../speaker/config.ts';
import type { SessionConfig } from '../speaker/session.ts';
import type { PathAttributes } from '../wire/types.ts';
import { DEFAULTS } from './defaults.ts';
import { policyOf } from './filters.ts';
import { inherited } from './inherit.ts';
import type { DynamicEntry, PeerEntry, PeerSettings } from './peer-schema.ts';
import type { RouterConfig } from './schema.ts';

const MAX_TTL = 255;

export interface RouterSetup {
  readonly speaker: SpeakerConfig;
  readonly listen: {
    readonly port: number;
    /** Undefined: every address of the machine. */
    readonly addresses: readonly string[] | undefined;
  };
  readonly dynamic: readonly DynamicRange[];
  readonly kernelExport: boolean;
  readonly controlSocket: string;
}

/** Peers that come by themselves. */
export interface DynamicRange {
  readonly prefix: Prefix;
  readonly limit: number;
  /** What the peer at this address is configured as. */
  peerAt(address: Address): PeerConfig;
}

/** Legal, and hardly what was meant. */
export interface Oddity {
  readonly code: string;
  readonly path: FieldPath;
  readonly what: string;
  readonly remedy: string;
}

export function convert(config: RouterConfig): RouterSetup {
  const peers = (config.peers ?? []).map((entry) => inherited(entry, config.peerGroups ?? {}));
  const clusterIds = [...new Set(peers.flatMap((entry) => entry.clusterId ?? []))];
  return {
    speaker: {
      asn: config.asNumber,
      routerId: numberOf(config.routerId),
      ...(config.clusterId === undefined ? {} : { clusterId: numberOf(config.clusterId) }),
      peers: peers.map((entry) => peerConfig(entry, config, clusterIds)),
      originated: (config.originate ?? []).map((route) => originatedRoute(route, config)),
      addresses: ownAddresses(config, peers),
      ...(config.decision === undefined ? {} : { decision: config.decision }),
    },
    listen: { port: config.listen?.port ?? DEFAULTS.listen.port, addresses: config.listen?.addresses },
    dynamic: (config.dynamicPeers ?? []).map((entry) => dynamicRange(entry, config, clusterIds)),
    kernelExport: config.kernelExport ?? DEFAULTS.kernelExport,
    controlSocket: config.controlSocket ?? DEFAULTS.controlSocket,
  };
}

/** RFC 8212 bites without a sign on the wire, so it is told where somebody reads. */
export function oddities(config: RouterConfig): readonly Oddity[] {
  const { peers = [], dynamicPeers = [] } = config;
  return [
    ...peers.flatMap((entry, index) => silences(entry, `peer ${nameOf(entry)}`, ['peers', index], config)),
    ...dynamicPeers.flatMap((entry, index) =>
      silences(entry, `peers in ${entry.prefix}`, ['dynamicPeers', index], config),
    ),
  ];
}

function silences(own: PeerSettings, who: string, path: FieldPath, config: RouterConfig): readonly Oddity[] {
  const entry = inherited(own, config.peerGroups ?? {});
  if (isInternal(entry, config) || !requiresPolicy(entry)) return [];
  return (['import', 'export'] as const).flatMap((direction) => {
    if (entry[direction] !== undefined) return [];
    const silent = direction === 'import' ? 'nothing is learned' : 'nothing is told';
    return [
      {
        code: 'POLICY_MISSING',
        path: [...path, direction],
        what: `external ${who} without ${direction} filter: ${silent} (RFC 8212)`,
        remedy: `set ${direction}, to [accept-all] for everything, or requirePolicy: false`,
      },
    ];
  });
}

function peerConfig(entry: PeerEntry, config: RouterConfig, clusterIds: readonly string[]): PeerConfig {
  const internal = isInternal(entry, config);
  const importPolicy = policyFor(entry, 'import', internal, config);
  const exportPolicy = policyFor(entry, 'export', internal, config);
  return {
    session: sessionConfig(entry, config, internal),
    ...(importPolicy === undefined ? {} : { importPolicy }),
    ...(exportPolicy === undefined ? {} : { exportPolicy }),
    allowedLocalAs: entry.allowOwnAs ?? DEFAULTS.peer.allowOwnAs,
    enforceFirstAs: entry.enforceFirstAs ?? DEFAULTS.peer.enforceFirstAs,
    rejectAsSets: entry.rejectAsSets ?? DEFAULTS.peer.rejectAsSets,
    reflectorClient: entry.routeReflectorClient ?? DEFAULTS.peer.routeReflectorClient,
    ...clusters(entry, clusterIds),
    nextHop: entry.nextHop ?? DEFAULTS.peer.nextHop,
    ...(entry.prefixLimits === undefined ? {} : { prefixLimits: entry.prefixLimits }),
    advertisementIntervalSeconds:
      entry.timers?.advertisementIntervalSeconds ?? DEFAULTS.timers.advertisementIntervalSeconds,
    maxStaleSeconds: entry.gracefulRestart?.maxStaleSeconds ?? DEFAULTS.gracefulRestart.maxStaleSeconds,
  };
}

/** A path that has passed any cluster of ours has been here, whoever brings it back. */
function clusters(
  entry: PeerEntry,
  all: readonly string[],
): Pick<PeerConfig, 'clusterId' | 'otherClusterIds'> {
  const others = all.filter((id) => id !== entry.clusterId).map(numberOf);
  return {
    ...(entry.clusterId === undefined ? {} : { clusterId: numberOf(entry.clusterId) }),
    ...(others.length === 0 ? {} : { otherClusterIds: others }),
  };
}

function sessionConfig(entry: PeerEntry, config: RouterConfig, internal: boolean): SessionConfig {
  const timers = { ...DEFAULTS.timers, ...entry.timers };
  const restart = { ...DEFAULTS.gracefulRestart, ...entry.gracefulRestart };
  const { ttlSecurityHops: hops } = entry;
  const plainTtl = entry.multihopTtl ?? (internal ? undefined : DEFAULTS.peer.externalTtl);
  const ttl = hops === undefined ? plainTtl : MAX_TTL;
  return {
    name: nameOf(entry),
    ...(entry.description === undefined ? {} : { description: entry.description }),
    peerAddress: entry.address,
    peerPort: entry.port ?? DEFAULTS.peer.port,
    peerAsn: peerAsn(entry, config),
    ...(entry.asNumber === 'external' ? { peerKind: 'external' } : {}),
    localAsn: config.asNumber,
    routerId: numberOf(config.routerId),
    ...(entry.sourceAddress === undefined ? {} : { localAddress: entry.sourceAddress }),
    ...(ttl === undefined ? {} : { ttl }),
    ...(hops === undefined ? {} : { minimalTtl: MAX_TTL + 1 - hops }),
    ...(entry.password === undefined ? {} : { password: entry.password }),
    holdSeconds: timers.holdSeconds,
    connectRetrySeconds: timers.connectRetrySeconds,
    delayOpenSeconds: timers.delayOpenSeconds,
    passive: entry.passive ?? DEFAULTS.peer.passive,
    families: entry.families ?? DEFAULTS.peer.families,
    ...((entry.aigp ?? peerAsn(entry, config) === config.asNumber) ? { aigp: true } : {}),
    ...(restart.enabled ? { gracefulRestart: { restartSeconds: restart.restartSeconds } } : {}),
  };
}

function nameOf(entry: PeerEntry): string {
  return entry.name ?? entry.address;
}

function isInternal({ asNumber }: PeerSettings, config: RouterConfig): boolean {
  return asNumber === 'internal' || asNumber === config.asNumber;
}

function peerAsn({ asNumber }: PeerEntry, config: RouterConfig): number | undefined {
  if (asNumber === 'internal') return config.asNumber;
  return typeof asNumber === 'number' ? asNumber : undefined;
}

function requiresPolicy(entry: PeerSettings): boolean {
  return entry.requirePolicy ?? DEFAULTS.peer.requirePolicy;
}

/** Undefined: the speaker's own default, which is RFC 8212. */
function policyFor(
  entry: PeerEntry,
  direction: 'import' | 'export',
  internal: boolean,
  config: RouterConfig,
): Policy | undefined {
  const names = entry[direction];
  if (names !== undefined) return policyOf(names, config.filters ?? {});
  return internal || requiresPolicy(entry) ? undefined : ACCEPT_ALL;
}

function dynamicRange(
  entry: DynamicEntry,
  config: RouterConfig,
  clusterIds: readonly string[],
): DynamicRange {
  const { prefix, limit = DEFAULTS.dynamicLimit, ...settings } = inherited(entry, config.peerGroups ?? {});
  return {
    prefix: prefixOf(prefix),
    limit,
    peerAt: (address) =>
      peerConfig({ ...settings, address: address.toString(), passive: true }, config, clusterIds),
  };
}

/** A text that the schema has accepted. @throws on any other */
function prefixOf(text: string): Prefix {
  const prefix = Prefix.parse(text);
  if (prefix === undefined) throw new Error(`"${text}" passed the schema and is no prefix`);
  return prefix;
}

type Originated = NonNullable<RouterConfig['originate']>[number];

function originatedRoute(route: Originated, config: RouterConfig): OriginatedRoute {
  return {
    prefix: prefixOf(route.prefix),
    kernel: config.kernelExport === true && route.blackhole === true ? 'blackhole' : 'none',
    attributes: ownAttributes(route),
  };
}

function ownAttributes({ med, localPref, aigp, communities = [] }: Originated): PathAttributes {
  const plain: PathAttributes = {
    origin: 'IGP',
    asPath: [],
    ...(med === undefined ? {} : { med }),
    ...(localPref === undefined ? {} : { localPref }),
    ...(aigp === undefined ? {} : { aigp: { metric: BigInt(aigp) } }),
  };
  return communities.reduce((attributes, text) => {
    const community = parseCommunity(text);
    return community === undefined ? attributes : addCommunity(attributes, community);
  }, plain);
}

function ownAddresses(config: RouterConfig, peers: readonly PeerEntry[]): readonly Address[] {
  const texts = [
    ...(config.addresses ?? []),
    ...(config.listen?.addresses ?? []),
    ...peers.flatMap((entry) => entry.sourceAddress ?? []),
  ];
  return [...new Set(texts)].map(addressOf).filter((address) => !address.isUnspecified);
}

/** A text that the schema has accepted. @throws on any other */
function addressOf(text: string): Address {
  const address = Address.parse(text);
  if (address === undefined) throw new Error(`"${text}" passed the schema and is no address`);
  return address;
}

function numberOf(text: string): number {
  return addressOf(text).toNumber();
}
