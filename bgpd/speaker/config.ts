/** The whole configuration of a speaker, as values: `cluster` computes it from resources, a library user writes it. */
import type { Address, Prefix } from '../../net/addr/index.ts';
import type { Policy } from '../filter/policy.ts';
import type { DecisionOptions } from '../rib/decision.ts';
import type { PathAttributes } from '../wire/types.ts';
import type { PrefixLimits } from './prefix-limit.ts';
import type { SessionConfig } from './session.ts';

export interface SpeakerConfig {
  readonly asn: number;
  /** BGP identifier, 32-bit, not 0 (RFC 6286). */
  readonly routerId: number;
  /** RFC 4456 §7; our router id where not given. */
  readonly clusterId?: number;
  readonly peers: readonly PeerConfig[];
  /**
   * Peers that shall be there but whose configuration cannot be told at the moment (it names a filter that is missing).
   * One that runs is left as it is; one that does not is not started.
   */
  readonly held?: readonly string[];
  readonly originated: readonly OriginatedRoute[];
  /** Addresses of this machine beside the local ends of the sessions: never a next hop, and next hop self. */
  readonly addresses: readonly Address[];
  readonly decision?: Partial<DecisionOptions>;
}

export interface PeerConfig {
  /** `session.name` identifies the peer. */
  readonly session: SessionConfig;
  /** Undefined: RFC 8212, everything on iBGP and nothing on eBGP. */
  readonly importPolicy?: Policy;
  readonly exportPolicy?: Policy;
  /** Times our AS may appear in a path from this peer; default 0. */
  readonly allowedLocalAs?: number;
  /** Default true. */
  readonly enforceFirstAs?: boolean;
  /** Take no path with an AS_SET or AS_CONFED_SET (RFC 9774). Default false. */
  readonly rejectAsSets?: boolean;
  readonly reflectorClient?: boolean;
  /** Cluster of this client, where it is another than the speaker's (RFC 4456 §7). */
  readonly clusterId?: number;
  /** Clusters of other clients of ours: a path that has passed one of them has been here. */
  readonly otherClusterIds?: readonly number[];
  /** MinRouteAdvertisementInterval (RFC 4271 §9.2.1.1): news go out at most this often. Default 0, as in data centres. */
  readonly advertisementIntervalSeconds?: number;
  /** Default `auto`. */
  readonly nextHop?: 'auto' | 'self' | 'keep';
  /** Upper bound for how long this peer's routes are kept while it restarts, whatever it asks for; default 4095. */
  readonly maxStaleSeconds?: number;
  readonly prefixLimits?: PrefixLimits;
}

/** A prefix of our own. */
export interface OriginatedRoute {
  readonly prefix: Prefix;
  /** `blackhole`: the kernel drops what has no more specific route, so that packets to a free address do not circle. */
  readonly kernel: 'blackhole' | 'none';
  readonly attributes?: Partial<PathAttributes>;
}

export function ownAttributes(route: OriginatedRoute): PathAttributes {
  return { origin: 'IGP', asPath: [], ...route.attributes };
}

/** Equal text, the same route. */
export function originKey({ prefix, ...rest }: OriginatedRoute): string {
  return `${prefix.toString()} ${JSON.stringify(rest, numbers)}`;
}

/** Extended communities and metrics are big integers, which JSON does not know. */
function numbers(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
