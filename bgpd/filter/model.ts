/**
 * Routing policy as data: an ordered list of rules, the first that accepts or rejects decides. Plain values, so that
 * two policies can be compared (a reload evaluates routes again only where the policy really changed) and a verdict can
 * name its rule. People write policies as text; `policy-text.ts` reads them.
 */
import type { Address, Prefix } from '../../net/addr/index.ts';
import type { NextHop, Origin, PathAttributes } from '../wire/types.ts';
import type { Community, CommunityPattern } from './community.ts';
import type { Range } from './range.ts';

export interface Policy {
  readonly rules: readonly PolicyRule[];
  /** What happens to a route that no rule decides. */
  readonly otherwise: 'accept' | 'reject';
}

export interface PolicyRule {
  /** For people: `BGPFilter/tor exportV4[0]`, `inside our block 10.244.1.0/26`. */
  readonly name: string;
  /** All that are given must hold; none given matches every route. */
  readonly match: Match;
  /** `continue`: the operations are carried out, and the rules that follow see the route as it is then. */
  readonly action: 'accept' | 'reject' | 'continue';
  /** Carried out, in order, on a route that matches and is not rejected. */
  readonly operations?: readonly Operation[];
}

export interface Match {
  readonly prefix?: PrefixMatch;
  /** The prefix lies in at least one of these; an index is made of a long list. */
  readonly prefixes?: readonly PrefixRange[];
  readonly prefixLength?: Range;
  /** Our own routes, or what peers told us. */
  readonly source?: 'local' | 'peers';
  /** The kind of peer on the other side of this import or export. */
  readonly peerKind?: 'external' | 'internal';
  /** The link over which the next hop is reached, `*` for any run of characters; a route without one does not match. */
  readonly interface?: string;
  readonly communities?: CommunityMatch;
  /** The leftmost AS numbers of the path. */
  readonly asPathPrefix?: readonly number[];
  /** An expression over AS numbers for the whole path, `65001 .*`; see `as-path-pattern.ts`. */
  readonly asPath?: string;
  /** As the decision process counts it: a set is one. */
  readonly asPathLength?: Range;
  readonly med?: Range | 'absent';
  readonly localPref?: Range | 'absent';
  readonly origin?: readonly Origin[];
  /** The next hop lies in at least one of these. */
  readonly nextHop?: readonly Prefix[];
  /** This must not hold as a whole. */
  readonly not?: Match;
}

/** A prefix and what is more specific, between two lengths; from the prefix's own to a host's where none is given. */
export interface PrefixRange {
  readonly cidr: Prefix;
  readonly minLength?: number;
  readonly maxLength?: number;
}

export interface PrefixMatch extends PrefixRange {
  /** `In`: the same prefix or a more specific one. `Equal`: exactly it. `Not…`: the opposite, length range included. */
  readonly operator: 'Equal' | 'NotEqual' | 'In' | 'NotIn';
}

export interface CommunityMatch {
  /** The route carries at least one community that fits one of these. */
  readonly any?: readonly CommunityPattern[];
  /** For each of these it carries one that fits. */
  readonly all?: readonly CommunityPattern[];
  /** It carries none that fits any of these. */
  readonly none?: readonly CommunityPattern[];
}

export type Operation =
  | { readonly type: 'add-community'; readonly community: Community }
  | { readonly type: 'remove-communities'; readonly patterns: readonly CommunityPattern[] }
  /** Of the left-most segment, in the order listed: `[1, 2]` makes `1 2 …`. */
  | { readonly type: 'prepend'; readonly asns: readonly number[] }
  | { readonly type: 'set-local-pref'; readonly value: number }
  /** Only where the route carries none: what it counts for then. */
  | { readonly type: 'default-local-pref'; readonly value: number }
  | { readonly type: 'set-med'; readonly value: number }
  /** Of 0 where there is none; stops at 0 and at 2^32 - 1. */
  | { readonly type: 'add-med'; readonly value: number }
  | { readonly type: 'remove-med' }
  | { readonly type: 'set-origin'; readonly origin: Origin }
  /**
   * An address means routes of its own version of IP. On export also `self`, our end of the session, and `keep`, as the
   * route came.
   */
  | { readonly type: 'set-next-hop'; readonly to: Address | 'self' | 'keep' };

/** The route as a rule sees it. */
export interface RouteView {
  readonly prefix: Prefix;
  readonly source: 'local' | 'peers';
  readonly peerKind: 'external' | 'internal';
  readonly attributes: PathAttributes;
  /** Undefined: we are it. */
  readonly nextHop?: NextHop | undefined;
  /** Name of the link to the next hop; undefined where that is unknown. */
  readonly interface?: string | undefined;
}

export type Verdict =
  | {
      readonly accepted: true;
      /** The same object as the route's where no operation changed anything. */
      readonly attributes: PathAttributes;
      readonly nextHop?: Address | 'self' | 'keep';
      readonly rule: string;
      /** Rules that changed the route, in order; the one that accepted it may be the last. */
      readonly changedBy?: readonly string[];
    }
  | { readonly accepted: false; readonly rule: string };
