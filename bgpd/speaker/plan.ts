/**
 * What a new configuration does to each peer: one table of fields says what a change of each asks for. The speaker acts
 * by it, and `plan` tells beforehand what will happen.
 */
import { originKey, type PeerConfig, type SpeakerConfig } from './config.ts';
import type { SessionConfig } from './session.ts';

/**
 * `restart`: what the two sides have agreed on, or the connection itself, is another. `next`: counts from the next
 * connection on. `nothing`: for people.
 */
export const SESSION_FIELDS = {
  name: 'restart',
  description: 'nothing',
  peerAddress: 'restart',
  peerPort: 'next',
  peerAsn: 'restart',
  peerKind: 'restart',
  localAsn: 'restart',
  routerId: 'restart',
  localAddress: 'restart',
  ttl: 'restart',
  minimalTtl: 'restart',
  password: 'restart',
  holdSeconds: 'restart',
  connectRetrySeconds: 'next',
  passive: 'next',
  delayOpenSeconds: 'next',
  families: 'restart',
  gracefulRestart: 'restart',
  aigp: 'restart',
} as const satisfies Record<keyof SessionConfig, 'restart' | 'next' | 'nothing'>;

/** `import`, `export`: stored routes are judged again. `live`: counts at once, and no route is another for it. */
export const PEER_FIELDS = {
  importPolicy: 'import',
  exportPolicy: 'export',
  allowedLocalAs: 'import',
  enforceFirstAs: 'import',
  rejectAsSets: 'import',
  reflectorClient: 'restart',
  clusterId: 'restart',
  otherClusterIds: 'import',
  nextHop: 'export',
  advertisementIntervalSeconds: 'export',
  maxStaleSeconds: 'live',
  prefixLimits: 'live',
} as const satisfies Record<Exclude<keyof PeerConfig, 'session'>, 'restart' | 'import' | 'export' | 'live'>;

type Effect = 'restart' | 'import' | 'export' | 'live' | 'next' | 'nothing';

export interface FieldChange {
  readonly field: string;
  readonly effect: Effect;
}

/** Fields that differ, with what each asks for. */
export function peerChanges(before: PeerConfig, after: PeerConfig): readonly FieldChange[] {
  const session = Object.entries(SESSION_FIELDS).flatMap(([field, effect]) =>
    same(before.session, after.session, field as keyof SessionConfig) ? [] : [{ field, effect }],
  );
  const own = Object.entries(PEER_FIELDS).flatMap(([field, effect]) =>
    same(before, after, field as keyof PeerConfig) ? [] : [{ field, effect }],
  );
  return [...session, ...own];
}

/** What a field that is not given counts for: to write a default out is no change. */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  delayOpenSeconds: 0,
  aigp: false,
  allowedLocalAs: 0,
  enforceFirstAs: true,
  rejectAsSets: false,
  reflectorClient: false,
  nextHop: 'auto',
} satisfies Partial<SessionConfig & PeerConfig>;

function same<T>(before: T, after: T, field: keyof T & string): boolean {
  const [one, other] = [before[field] ?? DEFAULTS[field], after[field] ?? DEFAULTS[field]];
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}

export interface PeerPlan {
  readonly peer: string;
  /** `updated`: something counts from now or from the next connection on; neither session nor routes feel it. */
  readonly action: 'added' | 'removed' | 'restarted' | 'policy' | 'updated' | 'nothing';
  readonly changes: readonly FieldChange[];
}

export interface Plan {
  /** One for each peer that there is or will be, in the order of the new configuration, removed ones last. */
  readonly peers: readonly PeerPlan[];
  /** Fields of the whole speaker that differ. */
  readonly router: readonly string[];
}

/** @param before  undefined: nothing runs yet */
export function plan(before: SpeakerConfig | undefined, after: SpeakerConfig): Plan {
  const old = new Map(before?.peers.map((peer) => [peer.session.name, peer]));
  const kept = new Set([...after.peers.map(({ session }) => session.name), ...(after.held ?? [])]);
  const removed = [...old.keys()].filter((name) => !kept.has(name));
  return {
    peers: [
      ...after.peers.map((peer) => peerPlan(old.get(peer.session.name), peer)),
      ...removed.map((peer) => ({ peer, action: 'removed', changes: [] }) as const),
    ],
    router: before === undefined ? [] : routerChanges(before, after),
  };
}

function peerPlan(before: PeerConfig | undefined, after: PeerConfig): PeerPlan {
  const peer = after.session.name;
  if (before === undefined) return { peer, action: 'added', changes: [] };
  const changes = peerChanges(before, after);
  return { peer, action: actionOf(changes), changes };
}

function actionOf(changes: readonly FieldChange[]): PeerPlan['action'] {
  const effects = new Set(changes.map(({ effect }) => effect));
  if (effects.has('restart')) return 'restarted';
  if (effects.has('import') || effects.has('export')) return 'policy';
  return effects.has('live') || effects.has('next') ? 'updated' : 'nothing';
}

function routerChanges(before: SpeakerConfig, after: SpeakerConfig): readonly string[] {
  const keys: Record<string, (config: SpeakerConfig) => string> = {
    asNumber: (config) => String(config.asn),
    routerId: (config) => String(config.routerId),
    clusterId: (config) => String(config.clusterId),
    originate: (config) => config.originated.map(originKey).sort().join(),
    addresses: (config) => config.addresses.map(String).sort().join(),
    decision: (config) => JSON.stringify(config.decision ?? {}),
  };
  return Object.entries(keys).flatMap(([field, key]) => (key(before) === key(after) ? [] : [field]));
}
