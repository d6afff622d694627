/**
 * Routing policy as data: an ordered list of rules, the first that matches decides. Plain values, so that two
 * policies can be compared (a reload evaluates routes again only where the policy really changed) and a verdict can
 * name its rule.
 */
import type { Prefix } from '../../net/addr/index.ts';
import type { AsSegment, LargeCommunity, PathAttributes } from '../wire/types.ts';

export interface Policy {
  readonly rules: readonly PolicyRule[];
  /** What happens to a route that no rule matches. */
  readonly otherwise: 'accept' | 'reject';
}

export interface PolicyRule {
  /** For people: `BGPFilter/tor exportV4[0]`, `inside our block 10.244.1.0/26`. */
  readonly name: string;
  /** All that are given must hold; none given matches every route. */
  readonly match: Match;
  readonly action: 'accept' | 'reject';
  /** Carried out, in order, on a route the rule accepts. */
  readonly operations?: readonly Operation[];
}

export interface Match {
  readonly prefix?: PrefixMatch;
  /** Our own routes, or what peers told us. */
  readonly origin?: 'local' | 'peers';
  /** The kind of peer on the other side of this import or export. */
  readonly peerKind?: 'external' | 'internal';
  /** The route carries at least one of these. */
  readonly communities?: readonly Community[];
  /** The leftmost AS numbers of the path. */
  readonly asPathPrefix?: readonly number[];
}

export interface PrefixMatch {
  /** `In`: the same prefix or a more specific one. `Equal`: exactly it. `Not…`: the opposite, length range included. */
  readonly operator: 'Equal' | 'NotEqual' | 'In' | 'NotIn';
  readonly cidr: Prefix;
  /** Bounds of the route's prefix length, both inclusive; part of what `In` and `NotIn` mean. */
  readonly minLength?: number;
  readonly maxLength?: number;
}

export type Community =
  | { readonly type: 'standard'; readonly value: number }
  | { readonly type: 'large'; readonly value: LargeCommunity };

export type Operation =
  | { readonly type: 'add-community'; readonly community: Community }
  | { readonly type: 'prepend'; readonly asns: readonly number[] }
  | { readonly type: 'set-local-pref'; readonly value: number }
  | { readonly type: 'set-med'; readonly value: number };

/** The route as a rule sees it. */
export interface RouteView {
  readonly prefix: Prefix;
  readonly origin: 'local' | 'peers';
  readonly peerKind: 'external' | 'internal';
  readonly attributes: PathAttributes;
}

export type Verdict =
  | { readonly accepted: true; readonly attributes: PathAttributes; readonly rule: string }
  | { readonly accepted: false; readonly rule: string };

export const ACCEPT_ALL: Policy = { rules: [], otherwise: 'accept' };

/** RFC 8212: an eBGP session without policy neither learns nor tells anything; an iBGP session does both. */
export function defaultPolicy(peerKind: 'external' | 'internal'): Policy {
  return peerKind === 'internal' ? ACCEPT_ALL : NO_POLICY;
}

const NO_POLICY: Policy = {
  rules: [{ name: 'no policy for this eBGP peer (RFC 8212)', match: {}, action: 'reject' }],
  otherwise: 'reject',
};

export function evaluate(policy: Policy, route: RouteView): Verdict {
  for (const rule of policy.rules) {
    if (!matches(rule.match, route)) continue;
    if (rule.action === 'reject') return { accepted: false, rule: rule.name };
    return { accepted: true, rule: rule.name, attributes: operate(rule.operations, route.attributes) };
  }
  const rule = 'no rule matched';
  return policy.otherwise === 'accept'
    ? { accepted: true, rule, attributes: route.attributes }
    : { accepted: false, rule };
}

export function matches(match: Match, route: RouteView): boolean {
  if (match.origin !== undefined && match.origin !== route.origin) return false;
  if (match.peerKind !== undefined && match.peerKind !== route.peerKind) return false;
  if (match.prefix !== undefined && !matchesPrefix(match.prefix, route.prefix)) return false;
  if (match.communities !== undefined && !match.communities.some((c) => carries(route.attributes, c)))
    return false;
  return match.asPathPrefix === undefined || startsWith(route.attributes.asPath, match.asPathPrefix);
}

function matchesPrefix(match: PrefixMatch, prefix: Prefix): boolean {
  switch (match.operator) {
    case 'Equal':
      return isEqual(match, prefix);
    case 'NotEqual':
      return !isEqual(match, prefix);
    case 'In':
      return isIn(match, prefix);
    case 'NotIn':
      return !isIn(match, prefix);
  }
}

function isEqual(match: PrefixMatch, prefix: Prefix): boolean {
  return prefix.equals(match.cidr) && inRange(match, prefix);
}

function isIn(match: PrefixMatch, prefix: Prefix): boolean {
  return prefix.version === match.cidr.version && match.cidr.contains(prefix) && inRange(match, prefix);
}

function inRange(match: PrefixMatch, prefix: Prefix): boolean {
  return prefix.length >= (match.minLength ?? 0) && prefix.length <= (match.maxLength ?? 128);
}

function carries(attributes: PathAttributes, community: Community): boolean {
  if (community.type === 'standard') return attributes.communities?.includes(community.value) ?? false;
  const { global, local1, local2 } = community.value;
  return (
    attributes.largeCommunities?.some(
      (c) => c.global === global && c.local1 === local1 && c.local2 === local2,
    ) ?? false
  );
}

function startsWith(path: readonly AsSegment[], asns: readonly number[]): boolean {
  const sequence = path[0]?.type === 'sequence' ? path[0].asns : [];
  return asns.every((asn, i) => sequence[i] === asn);
}

function operate(operations: readonly Operation[] | undefined, attributes: PathAttributes): PathAttributes {
  return operations === undefined ? attributes : operations.reduce(perform, attributes);
}

function perform(attributes: PathAttributes, operation: Operation): PathAttributes {
  switch (operation.type) {
    case 'add-community':
      return addCommunity(attributes, operation.community);
    case 'prepend':
      return { ...attributes, asPath: prepend(attributes.asPath, operation.asns) };
    case 'set-local-pref':
      return { ...attributes, localPref: operation.value };
    case 'set-med':
      return { ...attributes, med: operation.value };
  }
}

export function addCommunity(attributes: PathAttributes, community: Community): PathAttributes {
  if (carries(attributes, community)) return attributes;
  return community.type === 'standard'
    ? { ...attributes, communities: [...(attributes.communities ?? []), community.value] }
    : { ...attributes, largeCommunities: [...(attributes.largeCommunities ?? []), community.value] };
}

/** A segment's length is one octet (RFC 4271 §4.3 b). */
const MAX_SEGMENT = 255;

/** RFC 4271 §5.1.2 b: into the leading sequence, or a new one where that is full or absent. */
export function prepend(path: readonly AsSegment[], asns: readonly number[]): readonly AsSegment[] {
  if (asns.length === 0) return path;
  const first = path[0];
  if (first?.type === 'sequence' && first.asns.length + asns.length <= MAX_SEGMENT)
    return [{ type: 'sequence', asns: [...asns, ...first.asns] }, ...path.slice(1)];
  return [{ type: 'sequence', asns }, ...path];
}

/** Equal text, equal policy. */
export function policyKey(policy: Policy): string {
  return JSON.stringify(policy);
}
